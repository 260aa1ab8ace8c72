/**
 * What happened, a row each. Rows are made when they are looked at: of a long run only those in sight are ever made.
 */
import { actorName } from "../actors.ts";
import { isLeftOpen } from "../expectation.ts";
import { reportTitle } from "../report-text.ts";
import { RCU_ACTOR } from "../actors.ts";
import type { TraceDepth } from "../run-text.ts";
import type { Session } from "../session/session.ts";
import type { TraceEvent } from "../trace-events.ts";
import { functionsInTables } from "../show-callbacks.ts";
import type { Row } from "./view.ts";

export class EventRows {
  private readonly session: Session;
  private readonly depth: TraceDepth;

  constructor(session: Session, depth: TraceDepth) {
    this.session = session;
    this.depth = depth;
  }
  private get events(): readonly TraceEvent[] {
    return this.session.timeline.recorder.events;
  }
  /** How many events there are; not all of them have a row. */
  get length(): number {
    return this.events.length;
  }
  /** Up to `count` rows that end with event `end`, excluded, with the index of each event. */
  upTo(end: number, count: number): { readonly index: number; readonly row: Row }[] {
    const rows: { index: number; row: Row }[] = [];
    for (let index = Math.min(end, this.length) - 1; index >= 0 && rows.length < count; index--) {
      const row = this.row(index);
      if (row !== undefined) rows.push({ index, row });
    }
    return rows.reverse();
  }
  /** The event whose row has a text in it, searched from one on, round the ends; -1: none. */
  find(text: string, from: number, direction: 1 | -1): number {
    const { length } = this;
    for (let i = 1; i <= length; i++) {
      const index = (((from + direction * i) % length) + length) % length;
      if (this.row(index)?.text.toLowerCase().includes(text.toLowerCase()) === true) return index;
    }
    return -1;
  }
  /** The step that an event belongs to: how many had been taken when it happened. */
  stepOf(index: number): number {
    const event = this.events.slice(0, index + 1).findLast(({ kind }) => kind === "step");
    return event?.kind === "step" ? event.number : 0;
  }

  private row(index: number): Row | undefined {
    const event = this.events[index] as TraceEvent;
    const next = this.events[index + 1];
    switch (event.kind) {
      case "statement": {
        const text = (event.note ?? event.text).replace(/\s+/g, " ");
        return { mark: "-", text: `cpu${event.cpu}: ${text}`, tone: "quiet" };
      }
      case "call": {
        if (event.role === "hidden" || (this.depth === "statements" && event.depth > 0)) return undefined;
        // A lock is a call and a step of one name: one row.
        if (next?.kind === "step" && next.text === event.text && this.depth === "steps") return undefined;
        const isCallback = this.isCallback(event.name, event.actor, event.depth);
        const text = `${indented(event)}${event.text}${isCallback ? "  <- callback" : ""}`;
        return row(event.actor, text, isCallback ? "callback" : "plain");
      }
      case "return":
        if (event.role === "hidden" || event.value === undefined) return undefined;
        if (this.depth === "statements" && event.depth > 0) return undefined;
        return row(event.actor, `${indented(event)}${event.name}() = ${event.value}`, "plain");
      case "step": {
        if (this.depth !== "steps") return undefined;
        const result = event.result === "" ? "" : `  // ${event.result}`;
        return row(event.actor, `${indented(event)}${event.text}${result}`, "plain", event.number);
      }
      case "allocate":
        return this.depth === "steps" ? row(event.actor, `${indented(event)}${event.text}`, "plain") : undefined;
      case "paused":
        return row(event.actor, `stops in ${event.stack.join(" > ")}`, "quiet");
      case "value":
        return row(event.actor, `= ${event.text}`, "plain");
      case "missed":
        return row(event.actor, "ran to its end without meeting the place that `until` names", "bad");
      case "blocked":
        return row(event.actor, `${event.text} waits ${event.holder}`.trimEnd(), "bad");
      case "report":
        return { mark: "!", text: reportTitle(event.finding), tone: "bad" };
      case "expect":
        if (!event.holds && isLeftOpen(event.item, this.session.program)) return undefined;
        return {
          mark: event.holds ? " " : "!",
          text: `${event.holds ? "ok" : "FAIL"} ${event.item.text}`,
          tone: event.holds ? "good" : "bad",
        };
      case "show":
        return { mark: " ", text: event.lines.join("; "), tone: "plain" };
      case "end":
        return undefined;
    }
  }
  /** Called by way of a table of the kernel's or a driver's, or when a grace period is over. */
  private isCallback(name: string, actor: number, depth: number): boolean {
    if (actor >= RCU_ACTOR) return depth === 0;
    return this.callbacks.has(name);
  }
  private known: ReadonlySet<string> | undefined;
  private get callbacks(): ReadonlySet<string> {
    return (this.known ??= callbackNames(this.session));
  }
}
function indented({ depth }: { readonly depth: number }): string {
  return "  ".repeat(Math.min(depth, 12));
}
function row(actor: number, text: string, tone: Row["tone"], step?: number): Row {
  const number = step === undefined ? "" : String(step);
  return { mark: " ", text: `${number.padStart(5)} ${actorName(actor).padEnd(4)} ${text}`, tone };
}
/** Functions whose addresses lie in tables of operations. */
function callbackNames({ timeline }: Session): Set<string> {
  const { machine } = timeline.director;
  return new Set(functionsInTables(machine).map((id) => machine.functionName(id)));
}
