/**
 * A run as the table that kernel people draw in mail: a column per CPU, time downwards. Plain ASCII, no tabs, at most
 * 78 columns for two CPUs and 100 for more.
 */
import type { WrongOrder } from "../runtime/machine/report.ts";
import { headerAddress } from "../runtime/machine/struct.ts";
import { actorName } from "./actors.ts";
import type { Role, StepEvent, Trace, TraceEvent } from "./trace-events.ts";

export interface DiagramOptions {
  /** Every step, not only those that matter. */
  readonly full: boolean;
  /** The first line. */
  readonly title: string;
}

/** CPUs come before it. */
const FIRST_CALLBACK_ACTOR = 8;
const GAP = 2;
const INDENT = 2;
const COLUMN_MIN = 16;
/** Where a text may be broken, and where a piece that is too long may be. */
const PIECES = /(?<=, |\| )|(?<=\()/;
const SMALLER = /(?<=->| )/;

interface Line {
  readonly actor: number;
  readonly depth: number;
  readonly text: string;
  readonly comment: string;
}

export function diagram(trace: Trace, options: DiagramOptions): string {
  const racing = racingPart(trace.events);
  const lines = options.full ? allLines(racing) : chosenLines(racing);
  const takesPart = (e: TraceEvent): boolean => ["step", "call", "blocked", "report"].includes(e.kind);
  const actors = [
    ...new Set(racing.flatMap((e) => (takesPart(e) && "actor" in e && e.actor >= 0 ? e.actor : []))),
  ].sort((a, b) => a - b);
  return [options.title, "", ...layOut(lines, actors)].map((line) => line.trimEnd()).join("\n");
}

/** What happened from the beginning of the race on; all of it, if there is none. */
function racingPart(events: readonly TraceEvent[]): TraceEvent[] {
  const first = events.findIndex((event) => event.kind === "step" && event.racing);
  if (first === -1) return [...events];
  let from = first;
  // Calls of all CPUs that begin the race stand in front of its first step.
  while (from > 0 && isBeginning(events[from - 1])) from--;
  return events.slice(from);
}
/** What a CPU can come through before its first step: calls, memory of its own, calls that take no step. */
function isBeginning(event: TraceEvent | undefined): boolean {
  if (event?.kind === "return") return event.depth > 0;
  return event?.kind === "call" || event?.kind === "allocate";
}

// ---- what to show

function allLines(events: readonly TraceEvent[]): Line[] {
  const lines: Line[] = [];
  for (const event of events) {
    if (event.kind === "call" && event.role !== "hidden")
      lines.push({ actor: event.actor, depth: event.depth, text: event.text, comment: "" });
    else if (event.kind === "report") lines.push(...reportedLines(event, event.depth, lastStep(events, event)));
    else if (event.kind === "step") {
      const last = lines.at(-1);
      // A lock is a call and a step of one name.
      if (last?.actor === event.actor && last.text === event.text) lines.pop();
      lines.push(stepLine(event, last?.text === event.text ? last.depth : event.depth));
    }
  }
  return lines;
}

interface OpenCall {
  readonly text: string;
  readonly role: Role;
  shown: boolean;
}

/** The steps that matter, under the calls that lead to them. */
function chosenLines(events: readonly TraceEvent[]): Line[] {
  const chosen = stepsThatMatter(events);
  const isDeadlock = events.some((event) => event.kind === "report" && event.finding.kind === "deadlock");
  const lines: Line[] = [];
  const open = new Map<number, OpenCall[]>();
  const callsOf = (actor: number): OpenCall[] => {
    let calls = open.get(actor);
    if (calls === undefined) open.set(actor, (calls = []));
    return calls;
  };
  /** Shows the calls of an actor down to the first that is told as one thing; whether there is such a one. */
  const descend = (actor: number): { depth: number; inAtom: boolean } => {
    let depth = 0;
    for (const call of callsOf(actor)) {
      if (call.role === "hidden") continue;
      if (!call.shown) lines.push({ actor, depth, text: call.text, comment: "" });
      call.shown = true;
      depth++;
      if (call.role === "atom") return { depth, inAtom: true };
    }
    return { depth, inAtom: false };
  };
  for (const event of events) {
    if (event.kind === "call") callsOf(event.actor).push({ text: event.text, role: event.role, shown: false });
    else if (event.kind === "return") callsOf(event.actor).pop();
    else if (event.kind === "step" && chosen.has(event)) {
      const { depth, inAtom } = descend(event.actor);
      const isTold = lines.at(-1)?.actor === event.actor && lines.at(-1)?.text === event.text; // by the call
      if (!inAtom || (chosen.get(event) === "fatal" && !isTold)) lines.push(stepLine(event, depth));
    } else if (event.kind === "blocked" && (event.racing || isDeadlock)) {
      const { depth, inAtom } = descend(event.actor);
      const comment = `waits${event.holder === "" ? "" : ` ${event.holder}`}`;
      const asked = lines.findLastIndex((line) => line.actor === event.actor);
      if (lines[asked]?.text === event.text) lines[asked] = { ...(lines[asked] as Line), comment };
      else lines.push({ actor: event.actor, depth: inAtom ? depth - 1 : depth, text: event.text, comment });
    } else if (event.kind === "report") {
      for (const { actor, step } of event.finding.race?.accesses ?? [])
        lines.push({ actor, depth: descend(actor).depth, text: step, comment: "next" });
      const isSilent = isUntold(event, lastStep(events, event));
      const depth = isSilent
        ? descend(event.actor).depth
        : callsOf(event.actor).filter((call) => call.role !== "hidden").length;
      const told = reportedLines(event, depth, lastStep(events, event));
      if (lines.at(-1)?.text !== told.at(-1)?.text) lines.push(...told); // what one lost pointer loses is told once
    }
  }
  return lines;
}

type ReportEvent = Extract<TraceEvent, { kind: "report" }>;
type Why = "fatal" | "order";

/**
 * A step matters if a report is about it, if it frees what is touched later, if it takes a lock that is still held at
 * the end, or gave up the one that is missed, if others came in right after it and it goes on later, or if another
 * CPU's access to the same word comes next to it and one of the two writes: then their order is what the run is about.
 * Who got an uncontended lock first is not.
 */
function stepsThatMatter(events: readonly TraceEvent[]): Map<StepEvent, Why> {
  const steps = events.filter((event): event is StepEvent => event.kind === "step");
  const chosen = new Map<StepEvent, Why>();
  const bad = new Set<number>();
  let last: StepEvent | undefined;
  for (const event of events) {
    if (event.kind === "step") last = event;
    if (event.kind !== "report") continue;
    if (event.finding.addr > 0) bad.add(headerAddress(event.finding.addr));
    if (last?.actor === event.actor && event.finding.kind !== "deadlock" && !isUntold(event, last))
      chosen.set(last, "fatal");
  }
  const order = (step: StepEvent): void => void (chosen.has(step) || chosen.set(step, "order"));
  for (const step of steps) if (step.frees !== 0 && bad.has(headerAddress(step.frees))) order(step);
  for (const step of [...takenForGood(steps), ...causes(events), ...started(steps)]) order(step);
  for (const step of [...givenTooEarly(events), ...interrupted(steps)]) order(step);
  for (const [a, b] of neighbours(steps.filter((step) => step.addr !== 0 && step.lock === undefined))) {
    const areCounts = a.outcome !== undefined && b.outcome !== undefined;
    if (areCounts && !(a.outcome === true && b.outcome === true)) continue; // counts that go up and down commute
    order(a);
    order(b);
  }
  return chosen;
}
/** Of what a report says is wrong with a word, or with a list: who wrote there last. */
function causes(events: readonly TraceEvent[]): StepEvent[] {
  return events.flatMap((event, i) => {
    if (event.kind !== "report") return [];
    const { kind, addr, order } = event.finding;
    if (order !== undefined) return lockSteps(events.slice(0, i), addr, order);
    if (addr === 0 || !["refcount", "list-corruption"].includes(kind)) return [];
    const object = headerAddress(addr);
    const concerns = (e: TraceEvent): e is StepEvent =>
      e.kind === "step" && e.writes && (kind === "refcount" ? e.addr === addr : headerAddress(e.addr) === object);
    const before = events.slice(0, i).filter(concerns);
    // Of each actor the last: one of them has left it as it is.
    return before.filter((step, n) => !before.slice(n + 1).some((later) => later.actor === step.actor));
  });
}
/** Where the locks of a circle were taken. */
function lockSteps(events: readonly TraceEvent[], addr: number, { chain }: WrongOrder): StepEvent[] {
  const taken = events.filter((e): e is StepEvent => e.kind === "step" && e.lock === "take");
  const isOfChain = ({ actor, text }: StepEvent): boolean =>
    chain.some(({ seen }) => seen?.actor === actor && seen.step === text);
  const locks = new Set([addr, ...taken.filter(isOfChain).map((step) => step.addr)]);
  return taken.filter((step) => locks.has(step.addr));
}
/** Where work and callbacks were queued, if their actor takes part. */
function started(steps: readonly StepEvent[]): StepEvent[] {
  const takesPart = steps.some((step) => step.actor >= FIRST_CALLBACK_ACTOR);
  return takesPart ? steps.filter((step) => /^(schedule_work|queue_work|call_s?rcu)\(/.test(step.text)) : [];
}
/** Lock steps whose lock the actor does not give up again. */
function takenForGood(steps: readonly StepEvent[]): StepEvent[] {
  const held: StepEvent[] = [];
  for (const step of steps) {
    if (step.lock === "take") held.push(step);
    if (step.lock !== "give") continue;
    const i = held.findLastIndex((taken) => taken.actor === step.actor && taken.addr === step.addr);
    if (i >= 0) held.splice(i, 1);
  }
  return held;
}
/** Where a lock that is missed later was given up. */
function givenTooEarly(events: readonly TraceEvent[]): StepEvent[] {
  return events.flatMap((event, i) => {
    if (event.kind !== "report" || event.finding.kind !== "lockdep") return [];
    const { actor, finding } = event;
    const given = (e: TraceEvent): e is StepEvent =>
      e.kind === "step" && e.actor === actor && e.lock === "give" && e.addr === finding.addr;
    return events.slice(0, i).filter(given).slice(0, -1).slice(-1);
  });
}
/** The last steps before others came in, of those who went on later. */
function interrupted(steps: readonly StepEvent[]): StepEvent[] {
  return steps.filter((step, i) => {
    const next = steps[i + 1];
    if (!step.racing || next === undefined || next.actor === step.actor) return false;
    return steps.slice(i + 1).some((later) => later.actor === step.actor);
  });
}
/** Accesses to one word by two CPUs, one right after the other, of which at least one writes. */
function neighbours(steps: readonly StepEvent[]): [StepEvent, StepEvent][] {
  const pairs: [StepEvent, StepEvent][] = [];
  const latest = new Map<number, StepEvent[]>();
  for (const step of steps) {
    const before = latest.get(step.addr) ?? [];
    for (const earlier of before)
      if (earlier.actor !== step.actor && (earlier.writes || step.writes)) pairs.push([earlier, step]);
    latest.set(step.addr, step.writes ? [step] : [...before.filter((e) => e.actor !== step.actor), step]);
  }
  return pairs;
}

function stepLine(event: StepEvent, depth: number): Line {
  return { actor: event.actor, depth, text: event.text, comment: event.result };
}
/** What is wrong, after the access that is to blame if that is no step of its own. */
function reportedLines(event: ReportEvent, depth: number, last: StepEvent | undefined): Line[] {
  const { finding } = event;
  const actor = Math.max(event.actor, 0);
  const text = finding.kind === "expectation" ? finding.message : finding.kind;
  const line = { actor, depth, text: `*** ${text} ***`, comment: "" };
  return isUntold(event, last) ? [{ actor, depth, text: finding.step, comment: "" }, line] : [line];
}
/** It is about an access on the way from the last step to the next one: nobody else could come in between. */
function isUntold({ actor, finding }: ReportEvent, last: StepEvent | undefined): boolean {
  if (finding.kind === "data-race") return false;
  const isAtAStep = actor >= 0 && finding.step !== "" && finding.kind !== "deadlock" && finding.kind !== "leak";
  return isAtAStep && (last?.actor !== actor || last.text !== finding.step);
}
function lastStep(events: readonly TraceEvent[], report: ReportEvent): StepEvent | undefined {
  return events.slice(0, events.indexOf(report)).findLast((event): event is StepEvent => event.kind === "step");
}

// ---- on paper

function layOut(lines: readonly Line[], actors: readonly number[]): string[] {
  const total = actors.length <= 2 ? 78 : 100;
  const widths = columnWidths(lines, actors, total);
  const titles = actors.map((actor) => (actor < 8 ? `CPU ${actor}` : actorName(actor)));
  const rows = [titles.map((title, i) => title.padEnd(widths[i] ?? 0)).join(" ".repeat(GAP))];
  for (const line of lines) {
    const column = Math.max(actors.indexOf(line.actor), 0);
    const margin = widths.slice(0, column).reduce((sum, width) => sum + width + GAP, 0);
    const space = column === actors.length - 1 ? total - margin : (widths[column] ?? total);
    for (const text of wrap(line, space)) rows.push(" ".repeat(margin) + text);
  }
  return rows;
}
/** The same for all, unless some need more for their longest names and others can do with less. */
function columnWidths(lines: readonly Line[], actors: readonly number[], total: number): number[] {
  const room = total - GAP * (actors.length - 1);
  const equal = Math.max(COLUMN_MIN, Math.floor(room / Math.max(actors.length, 1)));
  const needs = actors.map((actor) =>
    lines
      .filter((line) => line.actor === actor)
      .flatMap((line) => line.text.split(PIECES).flatMap((piece) => piece.split(SMALLER)))
      .reduce((widest, piece) => Math.max(widest, piece.trimEnd().length + INDENT), COLUMN_MIN),
  );
  const needed = needs.reduce((sum, need) => sum + need, 0);
  if (needs.every((need) => need <= equal) || needed > room) return needs.map(() => equal);
  // Those that need more than their share get it; the others share what is left.
  const wide = needs.filter((need) => need > equal);
  const left = room - wide.reduce((sum, need) => sum + need, 0);
  const share = Math.floor(left / Math.max(1, needs.length - wide.length));
  return needs.map((need) => (need > equal ? need : share));
}

/** A line within `space` columns: deep ones lose indentation, long ones are continued, none is cut. */
function wrap(line: Line, space: number): string[] {
  const deep = Math.min(line.depth * INDENT, Math.max(0, space - 24));
  const pieces = line.text
    .split(PIECES)
    .flatMap((piece) => (piece.length > space - deep - 4 ? piece.split(SMALLER) : piece));
  // A name in two halves is found by no search: rather less indentation.
  const widest = (of: readonly string[]): number => Math.max(0, ...of.map((piece) => piece.trimEnd().length));
  const indent = Math.max(0, Math.min(deep, space - widest(pieces.slice(0, 1))));
  const hanging = Math.max(0, Math.min(indent + 4, space - widest(pieces.slice(1))));
  const rows = pack(pieces, space - indent, space - hanging).map(
    (row, i) => " ".repeat(i === 0 ? indent : hanging) + row,
  );
  if (line.comment === "") return rows;
  const comment = `// ${line.comment}`;
  const lastRow = rows.at(-1) ?? "";
  const column = Math.min(Math.max(lastRow.length + 1, 26), space - comment.length);
  if (column > lastRow.length) rows[rows.length - 1] = lastRow.padEnd(column) + comment;
  else rows.push(" ".repeat(Math.max(0, Math.min(indent + 4, space - comment.length))) + comment);
  return rows;
}
/** Joins pieces as long as they fit the first row, or the others; a single piece that does not is broken. */
function pack(pieces: readonly string[], first: number, others: number): string[] {
  const rows: string[] = [];
  let row = "";
  const room = (): number => (rows.length === 0 ? first : others);
  for (const piece of pieces) {
    if (row !== "" && (row + piece).trimEnd().length > room()) {
      rows.push(row.trimEnd());
      row = piece;
    } else row += piece;
    while (row.trimEnd().length > room()) {
      const [fits, rest] = [row.slice(0, room()), row.slice(room())];
      rows.push(fits);
      row = rest;
    }
  }
  if (row !== "") rows.push(row.trimEnd());
  return rows;
}
