/**
 * Hears what a director does, step by step, and tells it as events. What was told can be taken back as far as a mark,
 * so that who walks through a program can go both ways.
 */
import type { ControlEvent } from "../runtime/machine/automaton.ts";
import { Moved } from "../runtime/machine/machine.ts";
import { describe, isFatal, type Finding } from "../runtime/machine/report.ts";
import { waiters } from "../runtime/machine/rwsem.ts";
import { WORD } from "../runtime/machine/struct.ts";
import { Op, type Step, type Value } from "../runtime/machine/step.ts";
import type { FunctionInfo } from "../runtime/machine/function.ts";
import { showNumber, showOne } from "./bind/values.ts";
import { actorName } from "./actors.ts";
import { lookForRaces } from "./data-races.ts";
import type { Director, Stuck } from "./director.ts";
import { deadlockFinding } from "./findings.ts";
import { reportLeftovers } from "./at-end.ts";
import type { End, Role, TraceEvent } from "./trace-events.ts";
import type { ExpectItem, Item, ShowItem } from "./program.ts";
import { bitsText, decisive, isQuiet, lockUse } from "./steps.ts";
import type { Decision } from "./schedule.ts";

/** Lines for a `show` statement. */
export type Show = (director: Director, item: ShowItem) => readonly string[];

/** A call that has not returned; its caller is `up`. */
interface OpenCall {
  readonly fn: number;
  readonly name: string;
  readonly hidden: boolean;
  readonly up: OpenCall | undefined;
}
/** An object that was given a number, and what it was called before. */
interface Naming {
  readonly addr: number;
  readonly type: string;
  readonly before: string | undefined;
}
/** Everything that is taken back by `undoTo`, but for the machine itself. */
export interface RecorderMark {
  readonly events: number;
  readonly decisions: number;
  readonly findings: number;
  readonly steps: number;
  readonly namings: number;
  readonly calls: readonly (OpenCall | undefined)[];
  readonly waitingFacts: readonly (string | undefined)[];
  readonly printing: Extract<Item, { kind: "run" }> | undefined;
}

export class Recorder {
  readonly director: Director;
  readonly events: TraceEvent[] = [];
  readonly decisions: Decision[] = [];
  readonly findings: Finding[] = [];
  private readonly show: Show | undefined;
  private calls: (OpenCall | undefined)[] = [];
  private waitingFacts: (string | undefined)[] = [];
  /** How many objects of each type were allocated: the second vma is vma#2. */
  private readonly allocated = new Map<string, number>();
  private readonly namings: Naming[] = [];
  /** How many steps were taken. */
  steps = 0;
  /** What the director told during a step: it comes after the step itself. */
  private pending: (() => void)[] = [];
  /** The item of the script that the last turn came to, and the `expect` that was found to hold there. */
  private reached: Item | undefined;
  private met: ExpectItem | undefined;
  private printing: Extract<Item, { kind: "run" }> | undefined;

  constructor(director: Director, show?: Show) {
    this.director = director;
    this.show = show;
    director.listener = {
      item: (item) => {
        this.reached = item;
        this.tellValue();
        this.onItem(item);
      },
      control: (actor, events) =>
        this.pending.push(() => {
          for (const event of events) this.onControl(actor, event);
        }),
      blocked: (actor) => this.onBlocked(actor),
      paused: (actor) =>
        this.pending.push(() => this.events.push({ kind: "paused", actor, stack: this.stackOf(actor) })),
      missed: (actor) => this.pending.push(() => this.events.push({ kind: "missed", actor })),
      met: (item) => (this.met = item),
    };
  }
  /** Hears no more, and gives objects back the names that they had. */
  stop(end: End): void {
    this.director.listener = null;
    this.tellValue();
    this.unname(0);
    this.events.push({ kind: "end", how: end });
  }

  mark(): RecorderMark {
    return {
      events: this.events.length,
      decisions: this.decisions.length,
      findings: this.findings.length,
      steps: this.steps,
      namings: this.namings.length,
      calls: this.calls.slice(),
      waitingFacts: this.waitingFacts.slice(),
      printing: this.printing,
    };
  }
  /** Untells what came after the mark. The machine is undone by who keeps its marks. */
  undoTo(mark: RecorderMark): void {
    this.pending = []; // of a step that was never taken
    this.events.length = mark.events;
    this.decisions.length = mark.decisions;
    this.findings.length = mark.findings;
    this.steps = mark.steps;
    this.unname(mark.namings);
    this.calls = mark.calls.slice();
    this.waitingFacts = mark.waitingFacts.slice();
    this.printing = mark.printing;
  }

  /** Goes on where another has come to, whose director has taken the same steps. */
  takeOver(other: Recorder): void {
    const { machine } = this.director;
    for (const event of other.events) this.events.push(event);
    for (const decision of other.decisions) this.decisions.push(decision);
    for (const finding of other.findings) this.findings.push(finding);
    for (const naming of other.namings) {
      this.namings.push(naming);
      machine.nameObject(naming.addr, other.director.machine.name(naming.addr));
    }
    for (const [type, count] of other.allocated) this.allocated.set(type, count);
    this.steps = other.steps;
    this.calls = other.calls.slice();
    this.waitingFacts = other.waitingFacts.slice();
    this.printing = other.printing;
  }

  /** What the script does when nobody can move. `waits`: there is no more of it yet. */
  settle(): End | Extract<Stuck, "waits"> | undefined {
    const { director } = this;
    this.reached = undefined;
    this.met = undefined;
    const stuck = director.stuck();
    this.flushControl();
    if (stuck === "waits") {
      this.tellValue();
      return stuck;
    }
    const item = this.reached as Item | undefined;
    if (item?.kind === "expect" && item.expectation.kind !== "report" && item.expectation.kind !== "none")
      this.events.push({ kind: "expect", item, holds: this.met === item });
    if (stuck === "goes on") {
      lookForRaces(director);
      return this.fileReports(-1);
    }
    if (stuck === "final") {
      reportLeftovers(director.machine);
      this.fileReports(-1);
    }
    if (stuck === "deadlock") this.fileDeadlock();
    if (stuck === "fatal") return this.fileReports(-1) ?? "fatal";
    return stuck;
  }

  /** Takes a step that is open. */
  take({ actor, choice }: Decision): End | undefined {
    const { director } = this;
    const { machine } = director;
    const step = machine.nextStep(actor) as Step;
    const racing = director.inRace;
    const before = {
      locks: step.op === Op.free ? machine.lockTexts(actor) : [],
      frees: step.op === Op.free && machine.memory.header(step.addr) > 0 ? step.addr : 0,
      text: step.text(machine),
      fn: machine.automaton.innermost(machine.locals[actor] as number),
      stack: this.stackOf(actor),
    };
    const choices = machine.choices(actor);
    const moved = director.take(actor, choice);
    if (moved === Moved.blocked) throw new Error(`the schedule lets ${actorName(actor)} take a step that is blocked`);
    if (racing || choices > 1) this.decisions.push({ actor, choice });
    this.steps++;
    this.events.push({
      kind: "step",
      actor,
      depth: this.depthOf(actor),
      text: before.text,
      result: moved === Moved.fatal ? "" : this.resultText(machine.result, step),
      fact: this.factText(actor, before.fn, step.fact),
      addr: step.addr,
      writes: step.op !== Op.load,
      access: step.access,
      lock: lockUse(step),
      outcome: moved === Moved.fatal ? undefined : decisive(step, machine),
      frees: before.frees,
      locks: before.locks,
      number: this.steps,
      racing,
      stack: before.stack,
    });
    this.flushControl();
    if (moved !== Moved.fatal) lookForRaces(director, actor);
    const fatal = this.fileReports(actor);
    if (fatal !== undefined) return fatal;
    return moved === Moved.fatal ? "fatal" : undefined;
  }

  // ---- events

  /** The calls an actor is inside of, outermost first, helpers of ours left out. */
  private stackOf(actor: number): string[] {
    const names: string[] = [];
    for (let call = this.calls[actor]; call !== undefined; call = call.up) if (!call.hidden) names.push(call.name);
    return names.reverse();
  }
  private depthOf(actor: number): number {
    let depth = 0;
    for (let call = this.calls[actor]; call !== undefined; call = call.up) if (!call.hidden) depth++;
    return depth;
  }
  /** What goes wrong for other reasons than a step: those who go round for ever. */
  file(finding: Finding): void {
    this.findings.push(finding);
    this.events.push({ kind: "report", actor: finding.actor, depth: this.depthOf(finding.actor), finding });
  }
  /** When the next item begins, the one before it is done. */
  private tellValue(): void {
    const item = this.printing;
    this.printing = undefined;
    const { machine } = this.director;
    if (item?.prints === undefined || !machine.isFinished(item.cpu)) return;
    const { addr, show } = item.prints;
    this.events.push({ kind: "value", actor: item.cpu, text: show(machine, machine.peek(addr)) });
  }
  private onItem(item: Item): void {
    if (item.kind === "run") this.printing = item;
    if (item.kind === "run" || item.kind === "continue" || item.kind === "step")
      this.events.push({
        kind: "statement",
        cpu: item.cpu,
        text: item.from.slice(item.at),
        note: item.kind === "run" ? item.note : undefined,
      });
    if (item.kind === "show") this.events.push({ kind: "show", item, lines: this.show?.(this.director, item) ?? [] });
  }
  private onBlocked(actor: number): void {
    const { machine } = this.director;
    if (machine.isIdle(actor)) return;
    const text = machine.nextStep(actor)?.text(machine) ?? "";
    this.events.push({
      kind: "blocked",
      actor,
      depth: this.depthOf(actor),
      text,
      holder: this.holderOf(actor),
      racing: this.director.inRace,
    });
  }
  private holderOf(actor: number): string {
    const { machine } = this.director;
    const step = machine.nextStep(actor);
    if (step === null) return "";
    const inFront = /^down_(read|write)$/.test(step.primitive?.name ?? "") ? this.queuedBefore(actor, step.addr) : [];
    if (inFront.length > 0) return `behind ${inFront.map(actorName).join(", ")}`;
    const holders = [];
    for (let other = 0; other < machine.locals.length; other++)
      if (machine.locksOf(other).some((h) => h.lock === step.addr)) holders.push(actorName(other));
    return holders.length === 0 ? "" : `for ${holders.join(", ")}`;
  }
  private queuedBefore(actor: number, sem: number): number[] {
    const queue = waiters(this.director.machine.peek(sem + WORD)).map((waiter) => waiter.actor);
    return queue.slice(0, Math.max(0, queue.indexOf(actor)));
  }
  /** Calls and returns are told after the step that led to them. */
  private flushControl(): void {
    for (const tell of this.pending) tell();
    this.pending = [];
  }
  private onControl(actor: number, event: ControlEvent): void {
    const { machine } = this.director;
    const { automaton } = machine;
    const depth = this.depthOf(actor);
    if (event.kind === "allocate") {
      const { addr, step } = event;
      const stack = this.stackOf(actor);
      const fact = this.factText(actor, this.calls[actor]?.fn ?? 0, step.fact);
      this.nameAllocated(addr);
      this.events.push({ kind: "allocate", actor, depth, text: step.text(machine), addr, fact, stack });
      return;
    }
    if (automaton.isScript(event.fn)) return;
    const name = automaton.functionName(event.fn);
    const caller = this.calls[actor];
    const info = automaton.infoOf(event.fn);
    const role: Role = info.internal === true ? "hidden" : info.atom === true ? "atom" : "function";
    if (event.kind === "tailCall") return; // the frame stays where it is
    if (event.kind !== "return") {
      const text = `${name}(${this.argTexts(automaton.givenArgs(event.fn, event.args), info)})`;
      const fact = this.factText(actor, caller?.fn ?? 0, event.fact);
      if (role === "hidden" && fact !== "") this.waitingFacts[actor] = fact;
      this.events.push({ kind: "call", actor, depth, name, text, role, fact });
      this.calls[actor] = { fn: event.fn, name, hidden: role === "hidden", up: caller };
      return;
    }
    this.calls[actor] = caller?.up;
    const isTold = event.value !== undefined && !Array.isArray(event.value);
    const value = isTold ? this.argText(event.value) : undefined;
    this.events.push({ kind: "return", actor, depth: this.depthOf(actor), name, value, role });
  }
  /** Tuples are values that bodies hand on among themselves; of those only ranges mean something to a reader. */
  private argTexts(args: readonly Value[], info: FunctionInfo): string {
    return args
      .flatMap((arg, i) => {
        const param = info.params?.[i] ?? "";
        if (info.own?.includes(param) === true) return [];
        const bits = info.bits?.[param];
        if (bits !== undefined && typeof arg === "number") return bitsText(arg, bits);
        if (!Array.isArray(arg)) return this.argText(arg);
        const [, start, end] = arg as readonly Value[];
        if (param !== "range" || typeof start !== "number" || typeof end !== "number") return [];
        return `[${showNumber(start)}, ${showNumber(end)})`;
      })
      .join(", ");
  }
  private nameAllocated(addr: number): void {
    const { machine } = this.director;
    const cls = machine.typeAt(addr);
    if (cls === undefined) return;
    const number = (this.allocated.get(cls.name) ?? 0) + 1;
    this.allocated.set(cls.name, number);
    this.namings.push({ addr, type: cls.name, before: machine.name(addr) });
    machine.nameObject(addr, number === 1 ? undefined : `${cls.short ?? cls.name}#${number}`);
  }
  private unname(length: number): void {
    for (const { addr, type, before } of this.namings.splice(length).reverse()) {
      this.allocated.set(type, (this.allocated.get(type) ?? 0) - 1);
      this.director.machine.nameObject(addr, before);
    }
  }
  private argText(value: Value): string {
    if (Array.isArray(value)) return `(${(value as readonly Value[]).map((v) => this.argText(v)).join(", ")})`;
    return showOne(value, this.director.machine);
  }
  private resultText(result: number, step: Step): string {
    if (isQuiet(step)) return "";
    const value = step.decode(result) as Value;
    return value === undefined ? "" : this.argText(value);
  }
  /** A number that stands at a call of a helper of ours belongs to what comes first in there. */
  private factText(actor: number, fn: number, number: string | undefined): string {
    const waiting = this.waitingFacts[actor] ?? "";
    this.waitingFacts[actor] = undefined;
    if (number === undefined) return waiting;
    const facts = this.director.machine.automaton.factsOf(fn);
    return facts === "" ? number : `${facts}.${number}`;
  }

  private fileDeadlock(): void {
    const told = new Set(this.events.flatMap((event) => (event.kind === "blocked" ? event.actor : [])));
    for (const actor of this.director.stuckActors()) if (!told.has(actor)) this.onBlocked(actor);
    this.file(deadlockFinding(this.director));
  }
  private fileReports(actor: number): End | undefined {
    const { machine } = this.director;
    let end: End | undefined;
    for (const report of machine.reports) {
      const finding = describe(machine, report);
      if (report.kind === "pruned") return "pruned";
      this.findings.push(finding);
      this.events.push({ kind: "report", actor: report.actor, depth: actor < 0 ? 0 : this.depthOf(actor), finding });
      if (isFatal(report.kind)) end = report.kind === "livelock" ? "livelock" : "fatal";
    }
    return end;
  }
}
