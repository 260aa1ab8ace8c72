/** What `hmm run` prints: statement by statement, or down to calls, or down to steps. */
import { actorName } from "./actors.ts";
import { barriersNote } from "./check-text.ts";
import { isLeftOpen } from "./expectation.ts";
import { kernelText, type Program } from "./program.ts";
import { reportLines } from "./report-text.ts";
import { tokenOf } from "./schedule.ts";
import type { Role, StepEvent, Trace, TraceEvent } from "./trace-events.ts";

export type TraceDepth = "statements" | "calls" | "steps";

export function runText(program: Program, trace: Trace, depth: TraceDepth): string {
  const printer = new RunPrinter(program, trace, depth);
  return `${[...printer.print(), ...barriersNote(program)].join("\n")}\n`;
}

/** The lines of the events from a certain one on. */
export function eventLines(program: Program, trace: Trace, from: number, depth: TraceDepth): string[] {
  const printer = new RunPrinter(program, trace, depth);
  const before = printer.printEvents(trace.events.slice(0, from)).length; // for calls that are not through
  return printer.printEvents(trace.events.slice(from)).slice(before);
}

class RunPrinter {
  private readonly program: Program;
  private readonly trace: Trace;
  private readonly depth: TraceDepth;
  private readonly lines: string[] = [];
  /** The call whose line is the last one. */
  private lastCall: Extract<TraceEvent, { kind: "call" }> | undefined;
  /** Outermost calls that have not returned yet, by actor. */
  private readonly unfinished = new Map<number, string>();

  constructor(program: Program, trace: Trace, depth: TraceDepth) {
    this.program = program;
    this.trace = trace;
    this.depth = depth;
  }

  print(): string[] {
    const { program, trace } = this;
    this.lines.push(`${program.name}: kernel ${kernelText(program.kernel)}`, "");
    this.printEvents(trace.events);
    const raced = trace.decisions.length > 0;
    if (raced) {
      this.lines.push("", `schedule: ${tokenOf(program, trace.decisions)}`);
    }
    return this.lines;
  }

  printEvents(events: readonly TraceEvent[]): string[] {
    for (const event of events) this.event(event);
    return this.lines;
  }
  private event(event: TraceEvent): void {
    const { lines } = this;
    switch (event.kind) {
      case "statement":
        lines.push(`cpu${event.cpu}: ${event.note ?? statementText(event.text)}`);
        return;
      case "paused":
        lines.push(
          this.line(event.actor, 0, event.stack.length === 0 ? "stops" : `stops in ${event.stack.join(" > ")}`, ""),
        );
        return;
      case "value":
        lines.push(this.line(event.actor, 0, `= ${event.text}`, ""));
        return;
      case "missed":
        lines.push(this.line(event.actor, 0, "(ran to its end: the place that `until` names was not met)", ""));
        return;
      case "call":
        this.call(event);
        return;
      case "return":
        this.return(event);
        return;
      case "step":
        if (this.depth === "steps") this.step(event);
        return;
      case "allocate":
        if (this.depth === "steps") lines.push(this.line(event.actor, event.depth, event.text, event.fact));
        return;
      case "blocked": {
        const holder = event.holder === "" ? "" : ` ${event.holder}`;
        lines.push(this.line(event.actor, event.depth, `${event.text} waits${holder}`, ""));
        return;
      }
      case "report":
        for (const [actor, text] of this.unfinished) lines.push(this.line(actor, 0, `${text} <unfinished ...>`, ""));
        this.unfinished.clear();
        lines.push("", ...reportLines(event.finding, this.trace), "");
        return;
      case "expect":
        if (!event.holds && isLeftOpen(event.item, this.program)) return;
        lines.push(`${event.holds ? "ok    " : "FAIL  "}${event.item.text.replace(/\s+/g, " ")}`);
        return;
      case "show":
        lines.push(...event.lines);
        return;
      case "end":
        if (event.how === "limit") lines.push("stopped: the run does not end within the limit (--max-steps)");
        if (event.how === "stopped") lines.push("the schedule ends here");
        if (event.how === "pruned") lines.push("stopped: an `assume` does not hold on this path");
    }
  }
  /** A lock is a call and a step of one name: one line. */
  private step(event: StepEvent): void {
    const text = withResult(event.text, event.result);
    const { lastCall } = this;
    this.lastCall = undefined;
    const isLast = this.lines.at(-1)?.includes(event.text) ?? false;
    if (isLast && lastCall?.text === event.text && lastCall.actor === event.actor) {
      this.lines.pop();
      this.lines.push(this.line(event.actor, lastCall.depth, text, lastCall.fact || event.fact));
    } else this.lines.push(this.line(event.actor, event.depth, text, event.fact));
  }
  /** As strace has it: a call and what it returned are one line, unless more is shown between the two. */
  private call(event: Extract<TraceEvent, { kind: "call" }>): void {
    if (!this.shows(event)) return;
    if (this.depth === "statements") this.unfinished.set(event.actor, event.text);
    else this.lines.push(this.line(event.actor, event.depth, event.text, this.depth === "steps" ? event.fact : ""));
    this.lastCall = event;
  }
  private return(event: Extract<TraceEvent, { kind: "return" }>): void {
    if (!this.shows(event)) return;
    const value = event.value === undefined ? "" : ` = ${event.value}`;
    if (this.depth === "statements") {
      const text = this.unfinished.get(event.actor);
      this.unfinished.delete(event.actor);
      if (text !== undefined) this.lines.push(this.line(event.actor, 0, `${text}${value}`, ""));
    } else if (value !== "") this.lines.push(this.line(event.actor, event.depth, `${event.name}()${value}`, ""));
  }
  private shows(call: { depth: number; role: Role }): boolean {
    if (call.role === "hidden") return false;
    return this.depth !== "statements" || call.depth === 0;
  }
  private line(actor: number, depth: number, text: string, fact: string): string {
    const body = `${actorName(actor).padEnd(5)} ${"  ".repeat(this.depth === "statements" ? 1 : depth + 1)}${text}`;
    return fact === "" ? body : `${body.padEnd(78)}  [${fact}]`;
  }
}

function withResult(text: string, result: string): string {
  return result === "" ? text : `${text}  // ${result}`;
}
function statementText(source: string): string {
  const text = source
    .replace(/([{;])?\s*\n\s*(\})?/g, (_all, before: string | undefined, after: string | undefined) =>
      before === undefined && after === undefined ? "; " : `${before ?? ""} ${after ?? ""}`,
    )
    .replace(/\s+/g, " ")
    .trim();
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}
