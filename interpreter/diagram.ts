/**
 * A run as the table that kernel people draw in mail: a column per CPU, time downwards. Plain ASCII, no tabs, at most
 * 78 columns for two CPUs and 100 for more.
 */
import { headerAddress } from "../runtime/machine/struct.ts";
import { actorName } from "./director.ts";
import type { StepEvent, Trace, TraceEvent } from "./trace.ts";

export interface DiagramOptions {
  /** Every step, not only those that matter. */
  readonly full: boolean;
  /** The first line. */
  readonly title: string;
}

const GAP = 2;
const INDENT = 2;

interface Line {
  readonly actor: number;
  readonly depth: number;
  readonly text: string;
  readonly comment: string;
}

export function diagram(trace: Trace, options: DiagramOptions): string {
  const racing = racingPart(trace.events);
  const lines = options.full ? allLines(racing) : chosenLines(racing);
  const actors = [...new Set(racing.flatMap((e) => (e.kind === "step" || e.kind === "call" ? e.actor : [])))].sort(
    (a, b) => a - b,
  );
  return [options.title, "", ...layOut(lines, actors)].map((line) => line.trimEnd()).join("\n");
}

/** What happened from the beginning of the race on; all of it, if there is none. */
function racingPart(events: readonly TraceEvent[]): TraceEvent[] {
  const first = events.findIndex((event) => event.kind === "step" && event.racing);
  if (first === -1) return [...events];
  let from = first;
  while (from > 0 && events[from - 1]?.kind === "call" && isOutermost(events[from - 1])) from--;
  // Calls of all CPUs that begin the race stand in front of its first step.
  while (from > 0 && events[from - 1]?.kind === "call") from--;
  return events.slice(from);
}
function isOutermost(event: TraceEvent | undefined): boolean {
  return event?.kind === "call" && event.depth === 0;
}

// ---- what to show

function allLines(events: readonly TraceEvent[]): Line[] {
  return events.flatMap((event): Line[] => {
    if (event.kind === "call") return [callLine(event)];
    if (event.kind === "step") return [stepLine(event)];
    return event.kind === "report" ? reportLine(event) : [];
  });
}

/** The steps that matter, under the calls that lead to them. */
function chosenLines(events: readonly TraceEvent[]): Line[] {
  const chosen = stepsThatMatter(events);
  const lines: Line[] = [];
  // Calls wait here, actor by actor, until a step below them is shown.
  const waiting = new Map<number, { line: Line; internal: boolean }[]>();
  const open = new Map<number, { internal: boolean; shown: boolean }[]>();
  const show = (actor: number): void => {
    for (const { line, internal } of waiting.get(actor) ?? []) if (!internal) lines.push(line);
    waiting.set(actor, []);
    for (const frame of open.get(actor) ?? []) frame.shown = true;
  };
  for (const event of events) {
    if (event.kind === "call") {
      const frames = open.get(event.actor) ?? [];
      open.set(event.actor, frames);
      const depth = frames.filter((f) => !f.internal).length;
      const list = waiting.get(event.actor) ?? [];
      waiting.set(event.actor, list);
      list.push({ line: { ...callLine(event), depth }, internal: event.internal });
      frames.push({ internal: event.internal, shown: false });
    } else if (event.kind === "return") {
      const frame = open.get(event.actor)?.pop();
      if (frame?.shown === false) waiting.get(event.actor)?.pop();
    } else if (event.kind === "step" && chosen.has(event)) {
      show(event.actor);
      const depth = (open.get(event.actor) ?? []).filter((f) => !f.internal).length;
      lines.push({ ...stepLine(event), depth });
    } else if (event.kind === "blocked" && event.racing) {
      show(event.actor);
      const depth = (open.get(event.actor) ?? []).filter((f) => !f.internal).length;
      lines.push({ actor: event.actor, depth, text: event.text, comment: waits(event.holder) });
    } else if (event.kind === "report") {
      const depth = (open.get(event.actor) ?? []).filter((f) => !f.internal).length;
      lines.push(...reportLine(event).map((line) => ({ ...line, depth })));
    }
  }
  return lines;
}

/**
 * A step matters if it frees what is later touched, if it ends the run, or if another CPU's access to the same word
 * comes next to it and one of the two writes: then their order is what the run is about.
 */
function stepsThatMatter(events: readonly TraceEvent[]): Set<StepEvent> {
  const steps = events.filter((event): event is StepEvent => event.kind === "step");
  const chosen = new Set<StepEvent>();
  const last = steps.at(-1);
  if (last !== undefined) chosen.add(last);
  const bad = new Set(events.flatMap((e) => (e.kind === "report" && e.finding.addr > 0 ? [headerAddress(e.finding.addr)] : [])));
  for (const step of steps) if (step.frees !== 0 && bad.has(headerAddress(step.frees))) chosen.add(step);
  for (const event of events) {
    if (event.kind !== "report") continue;
    const blamed = steps.findLast((s) => s.actor === event.actor && s.number <= numberBefore(events, event));
    if (blamed !== undefined) chosen.add(blamed);
  }
  const accesses = new Map<number, StepEvent[]>();
  for (const step of steps) {
    if (step.addr === 0) continue;
    const list = accesses.get(step.addr) ?? [];
    accesses.set(step.addr, list);
    list.push(step);
  }
  for (const list of accesses.values()) {
    for (let i = 1; i < list.length; i++) {
      const [a, b] = [list[i - 1] as StepEvent, list[i] as StepEvent];
      if (a.actor === b.actor || !(a.writes || b.writes)) continue;
      chosen.add(a);
      chosen.add(b);
    }
  }
  for (const step of steps) if (step.isLock && step.stack.length <= 1) chosen.add(step);
  return chosen;
}
const waits = (holder: string): string => (holder === "" ? "waits" : `waits for ${holder}`);
function numberBefore(events: readonly TraceEvent[], at: TraceEvent): number {
  const before = events.slice(0, events.indexOf(at)).findLast((e) => e.kind === "step");
  return before?.kind === "step" ? before.number : 0;
}

function callLine(event: Extract<TraceEvent, { kind: "call" }>): Line {
  return { actor: event.actor, depth: event.depth, text: event.text, comment: "" };
}
function stepLine(event: StepEvent): Line {
  return { actor: event.actor, depth: event.depth, text: event.text, comment: event.result };
}
function reportLine(event: Extract<TraceEvent, { kind: "report" }>): Line[] {
  const { finding } = event;
  const text = finding.kind === "expectation" ? finding.message : finding.kind;
  return [{ actor: Math.max(event.actor, 0), depth: event.depth, text: `*** ${text} ***`, comment: "" }];
}

// ---- on paper

function layOut(lines: readonly Line[], actors: readonly number[]): string[] {
  const total = actors.length <= 2 ? 78 : 100;
  const width = Math.max(16, Math.floor((total - GAP * (actors.length - 1)) / Math.max(actors.length, 1)));
  const titles = actors.map((actor) => (actor < 8 ? `CPU ${actor}` : actorName(actor)));
  const rows = [titles.map((title) => title.padEnd(width)).join(" ".repeat(GAP))];
  for (const line of lines) {
    const column = Math.max(actors.indexOf(line.actor), 0);
    const margin = " ".repeat(column * (width + GAP));
    const space = column === actors.length - 1 ? total - margin.length : width;
    for (const text of wrap(line, space)) rows.push(margin + text);
  }
  return rows;
}

/** A line within `space` columns: deep ones lose indentation, long ones are continued, none is cut. */
function wrap(line: Line, space: number): string[] {
  const indent = Math.min(line.depth * INDENT, Math.max(0, space - 24));
  const pieces = pack(line.text.split(/(?<=, )|(?<=\()(?=&)|(?<=->)/), space - indent);
  const rows = pieces.map((piece, i) => " ".repeat(i === 0 ? indent : Math.min(indent + 4, space - 12)) + piece);
  if (line.comment === "") return rows;
  const comment = `// ${line.comment}`;
  const lastRow = rows.at(-1) ?? "";
  const column = Math.min(Math.max(lastRow.length + 1, 26), space - comment.length);
  if (column > lastRow.length) rows[rows.length - 1] = lastRow.padEnd(column) + comment;
  else rows.push(" ".repeat(Math.max(0, Math.min(indent + 4, space - comment.length))) + comment);
  return rows;
}
/** Joins pieces as long as they fit; a single piece that does not is broken. */
function pack(pieces: readonly string[], space: number): string[] {
  const rows: string[] = [];
  let row = "";
  for (const piece of pieces) {
    const room = rows.length === 0 ? space : space - 4;
    if (row !== "" && (row + piece).trimEnd().length > room) {
      rows.push(row.trimEnd());
      row = piece;
    } else row += piece;
    while (row.trimEnd().length > space) {
      rows.push(row.slice(0, space - 4));
      row = row.slice(space - 4);
    }
  }
  if (row !== "") rows.push(row.trimEnd());
  return rows;
}
