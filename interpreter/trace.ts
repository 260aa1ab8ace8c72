/**
 * What happened, event by event. A schedule is run again with somebody listening; the printer, the diagram, the
 * goldens and `--json` all read what was heard.
 */
import type { ControlEvent } from "../runtime/machine/automaton.ts";
import { Moved } from "../runtime/machine/machine.ts";
import { showValue } from "../runtime/machine/access.ts";
import { describe, isFatal, type Finding } from "../runtime/machine/report.ts";
import { waiters } from "../runtime/machine/rwsem.ts";
import { WORD } from "../runtime/machine/struct.ts";
import { Op, type Step, type Value } from "../runtime/machine/step.ts";
import type { FunctionInfo } from "../runtime/machine/function.ts";
import { showNumber } from "./bind/values.ts";
import { actorName, type Director } from "./director.ts";
import { deadlockFinding, livelockFinding } from "./findings.ts";
import { reportLeftovers } from "./at-end.ts";
import { goRoundText } from "./liveness.ts";
import type { End, Role, Trace, TraceEvent } from "./trace-events.ts";
import type { ExpectItem, Item, ShowItem } from "./program.ts";
import { bitsText, decisive, isQuiet, lockUse } from "./steps.ts";
import type { Decision } from "./schedule.ts";

/** Who moves next when several may. Undefined: nobody can; the script goes on. */
export interface Picker {
  pick(director: Director): Decision | "stop" | undefined;
}

export interface RecordOptions {
  readonly maxSteps: number;
  /** Who goes round where the schedule ends: one round of it is told. */
  readonly rounders?: readonly number[];
  /** Lines for a `show` statement. */
  readonly show?: (director: Director, item: ShowItem) => readonly string[];
}

/** Runs the machine to the end of the script, as `picker` says, and undoes nothing. */
export function record(director: Director, picker: Picker, options: RecordOptions): Trace {
  return new Recorder(director, picker, options).run();
}

class Recorder {
  private readonly director: Director;
  private readonly picker: Picker;
  private readonly options: RecordOptions;
  private readonly events: TraceEvent[] = [];
  private readonly decisions: Decision[] = [];
  private readonly findings: Finding[] = [];
  private readonly stacks = new Map<number, { fn: number; name: string; hidden: boolean }[]>();
  private readonly waitingFacts = new Map<number, string>();
  /** How many objects of each type were allocated: the second vma is vma#2. */
  private readonly allocated = new Map<string, number>();
  private readonly renamed = new Map<number, string | undefined>();
  private steps = 0;
  private readonly beenHere = new Set<string>();
  /** States in races, and how many decisions led to each; and to which of them the last step came back. */
  private readonly raceStates = new Map<string, number>();
  private cameBackTo: number | undefined;

  constructor(director: Director, picker: Picker, options: RecordOptions) {
    this.director = director;
    this.picker = picker;
    this.options = options;
  }

  run(): Trace {
    const { director } = this;
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
    let end: End | undefined;
    while (end === undefined) {
      end = this.turn();
      if (end === undefined && this.steps > this.options.maxSteps) end = "limit";
    }
    director.listener = null;
    this.tellValue();
    for (const [addr, name] of this.renamed) director.machine.nameObject(addr, name);
    this.events.push({ kind: "end", how: end });
    return { events: this.events, end, decisions: this.decisions, findings: this.findings };
  }
  /** What the director told during a step: it comes after the step itself. */
  private pending: (() => void)[] = [];
  /** The item of the script that the last turn came to, and the `expect` that was found to hold there. */
  private reached: Item | undefined;
  private met: ExpectItem | undefined;
  private printing: Extract<Item, { kind: "run" }> | undefined;

  /** One step, or what the script does when nobody can move. */
  private turn(): End | undefined {
    const { director } = this;
    const decision = this.picker.pick(director);
    if (decision === "stop") return this.stop();
    if (decision !== undefined)
      return this.hasBeenHere(decision) ? this.goRound([decision.actor]) : this.take(decision);
    this.reached = undefined;
    this.met = undefined;
    const stuck = director.stuck();
    this.flushControl();
    const item = this.reached as Item | undefined;
    if (item?.kind === "expect" && item.expectation.kind !== "report" && item.expectation.kind !== "none")
      this.events.push({ kind: "expect", item, holds: this.met === item });
    if (stuck === "goes on") return this.fileReports(-1);
    if (stuck === "final") {
      reportLeftovers(director.machine);
      this.fileReports(-1);
    }
    if (stuck === "deadlock") this.fileDeadlock();
    if (stuck === "fatal") return this.fileReports(-1) ?? "fatal";
    return stuck;
  }

  /** The schedule says no more: those who have come back to where they were go round for ever. */
  private stop(): End {
    const { rounders } = this.options;
    if (rounders !== undefined) return this.goRound(rounders);
    const since = this.cameBackTo;
    if (since === undefined) return "stopped";
    return this.tellLivelock([...new Set(this.decisions.slice(since).map(({ actor }) => actor))].sort((a, b) => a - b));
  }
  /** Whether a CPU has come back, outside a race, to where it has been: then it comes back for ever. */
  private hasBeenHere({ actor }: Decision): boolean {
    const { director } = this;
    if (director.inRace || director.machine.choices(actor) > 1) {
      this.beenHere.clear();
      return false;
    }
    return this.isKnown();
  }
  private isKnown(): boolean {
    const state = this.state();
    if (this.beenHere.has(state)) return true;
    this.beenHere.add(state);
    return false;
  }
  private state(): string {
    const { lo, hi } = this.director.machine.memory;
    return `${lo} ${hi}`;
  }
  /** One round of those who only go round, in turn, and what is to be said about it. */
  private goRound(actors: readonly number[]): End {
    const { director } = this;
    if (director.inRace)
      for (this.beenHere.clear(); !this.isKnown();)
        for (const actor of actors) {
          const [choice] = director.openChoices(actor);
          if (choice !== undefined && !director.machine.isFinished(actor)) this.take({ actor, choice });
        }
    return this.tellLivelock(actors);
  }
  private tellLivelock(actors: readonly number[]): End {
    const finding = livelockFinding({ actors, message: goRoundText(this.director, actors) });
    this.findings.push(finding);
    this.events.push({ kind: "report", actor: finding.actor, depth: this.depthOf(finding.actor), finding });
    return "livelock";
  }

  private take({ actor, choice }: Decision): End | undefined {
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
    if (racing && !this.raceStates.has(this.state())) this.raceStates.set(this.state(), this.decisions.length);
    const moved = director.take(actor, choice);
    if (moved === Moved.blocked) throw new Error(`the schedule lets ${actorName(actor)} take a step that is blocked`);
    if (racing || choices > 1) this.decisions.push({ actor, choice });
    if (racing) this.cameBackTo = this.raceStates.get(this.state());
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
    const fatal = this.fileReports(actor);
    if (fatal !== undefined) return fatal;
    return moved === Moved.fatal ? "fatal" : undefined;
  }

  // ---- events

  /** The calls an actor is inside of, outermost first, helpers of ours left out. */
  private stackOf(actor: number): string[] {
    return (this.stacks.get(actor) ?? []).flatMap((call) => (call.hidden ? [] : call.name));
  }
  private depthOf(actor: number): number {
    return this.stackOf(actor).length;
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
    if (item.kind === "show")
      this.events.push({ kind: "show", item, lines: this.options.show?.(this.director, item) ?? [] });
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
      const fact = this.factText(actor, this.stacks.get(actor)?.at(-1)?.fn ?? 0, step.fact);
      this.nameAllocated(addr);
      this.events.push({ kind: "allocate", actor, depth, text: step.text(machine), addr, fact, stack });
      return;
    }
    if (automaton.isScript(event.fn)) return;
    const name = automaton.functionName(event.fn);
    const stack = this.stacks.get(actor) ?? [];
    this.stacks.set(actor, stack);
    const info = automaton.infoOf(event.fn);
    const role: Role = info.internal === true ? "hidden" : info.atom === true ? "atom" : "function";
    if (event.kind === "tailCall") return; // the frame stays where it is
    if (event.kind !== "return") {
      const caller = stack.at(-1)?.fn ?? 0;
      const text = `${name}(${this.argTexts(automaton.givenArgs(event.fn, event.args), info)})`;
      const fact = this.factText(actor, caller, event.fact);
      if (role === "hidden" && fact !== "") this.waitingFacts.set(actor, fact);
      this.events.push({ kind: "call", actor, depth, name, text, role, fact });
      stack.push({ fn: event.fn, name, hidden: role === "hidden" });
      return;
    }
    stack.pop();
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
    if (!this.renamed.has(addr)) this.renamed.set(addr, machine.name(addr));
    machine.nameObject(addr, number === 1 ? undefined : `${cls.short ?? cls.name}#${number}`);
  }
  private argText(value: Value): string {
    if (typeof value === "number" && value < 2 ** 52) return showNumber(value);
    if (Array.isArray(value)) return `(${(value as readonly Value[]).map((v) => this.argText(v)).join(", ")})`;
    return showValue(value, this.director.machine);
  }
  private resultText(result: number, step: Step): string {
    if (isQuiet(step)) return "";
    const value = step.decode(result) as Value;
    return value === undefined ? "" : this.argText(value);
  }
  /** A number that stands at a call of a helper of ours belongs to what comes first in there. */
  private factText(actor: number, fn: number, number: string | undefined): string {
    const waiting = this.waitingFacts.get(actor) ?? "";
    this.waitingFacts.delete(actor);
    if (number === undefined) return waiting;
    const facts = this.director.machine.automaton.factsOf(fn);
    return facts === "" ? number : `${facts}.${number}`;
  }

  private fileDeadlock(): void {
    const told = new Set(this.events.flatMap((event) => (event.kind === "blocked" ? event.actor : [])));
    for (const actor of this.director.stuckActors()) if (!told.has(actor)) this.onBlocked(actor);
    const finding = deadlockFinding(this.director);
    this.findings.push(finding);
    this.events.push({ kind: "report", actor: finding.actor, depth: this.depthOf(finding.actor), finding });
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
