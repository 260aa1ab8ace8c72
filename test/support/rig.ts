/** A machine with nothing but the primitives on it, for tests of runtime/machine: no mm, no script, no search. */
import type { ControlEvent, FunctionBody } from "../../runtime/machine/automaton.ts";
import { allFunctions, type AnyBody, type KernelFunction } from "../../runtime/machine/function.ts";
import { Machine, Moved } from "../../runtime/machine/machine.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { invoke_callbacks, rcu } from "../../runtime/machine/rcu.ts";
import { describe, type Finding } from "../../runtime/machine/report.ts";
import { HoldMode, type Value } from "../../runtime/machine/step.ts";
import { at, SLOT, WORD, type Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { firstFreeStatic, STATIC_ARENA, typeNumber } from "../../runtime/machine/types.ts";
import { process_works } from "../../runtime/machine/workqueue.ts";

export const RCU_ACTOR = 8;
export const WORK_ACTOR = 10;

/** The oldest body of every function. */
export function oldestBodies(): Map<number, FunctionBody> {
  const bodies = new Map<number, FunctionBody>();
  for (const fn of allFunctions()) {
    const [oldest] = fn.bodies;
    if (oldest !== undefined) bodies.set(fn.id, { name: fn.name, body: oldest.body as AnyBody });
  }
  return bodies;
}

export class Rig {
  readonly machine: Machine;
  readonly findings: Finding[] = [];
  private nextStatic = firstFreeStatic();

  constructor(mutations: readonly Mutation[] = [], bodies: ReadonlyMap<number, FunctionBody> = oldestBodies()) {
    this.machine = new Machine({ bodies, mutations });
    this.machine.load(RCU_ACTOR, invoke_callbacks.id, [rcu]);
    this.machine.load(WORK_ACTOR, process_works.id, []);
  }

  /** A live object that nobody frees. */
  object<S extends Struct>(cls: StructClass<S>, name?: string): S {
    const addr = STATIC_ARENA + this.nextStatic++ * SLOT + WORD;
    this.machine.makeStatic(addr, typeNumber(cls));
    if (name !== undefined) this.machine.nameObject(addr, name);
    return at(cls, addr);
  }
  peek(word: { readonly addr: number }): number {
    return this.machine.memory.peek(word.addr);
  }
  poke(word: { readonly addr: number }, value: number): void {
    this.machine.memory.set(this.machine.memory.wordAt(word.addr), value);
  }

  start<A extends readonly Value[], R>(actor: number, fn: KernelFunction<A, R>, ...args: A): this {
    this.note(this.machine.load(actor, fn.id, args));
    return this;
  }
  /** One step; what became of it. */
  step(actor: number, choice = 0, events: ControlEvent[] = []): Moved {
    const moved = this.machine.step(actor, choice, events);
    this.note(moved);
    return moved;
  }
  private note(moved: Moved): void {
    if (moved >= Moved.withReports)
      this.findings.push(...this.machine.reports.map((report) => describe(this.machine, report)));
  }
  steps(actor: number, count: number): this {
    for (let i = 0; i < count; i++)
      if (this.step(actor) === Moved.blocked) throw new Error(`actor ${actor} is blocked in ${this.next(actor)}`);
    return this;
  }
  /** Steps until the actor is done, blocked, idle or stopped by a fatal report; how that was. */
  go(actor: number, events: ControlEvent[] = []): "done" | "blocked" | "fatal" {
    for (let steps = 0; !this.machine.isFinished(actor); steps++) {
      if (steps > 10_000) throw new Error(`actor ${actor} goes on and on`);
      const moved = this.step(actor, 0, events);
      if (moved === Moved.fatal) return "fatal";
      if (moved === Moved.blocked) return "blocked";
    }
    return "done";
  }
  /** Runs a function alone, to its end; what it returned. */
  run<A extends readonly Value[], R>(fn: KernelFunction<A, R>, ...args: A): R {
    return this.runOn(0, fn, ...args);
  }
  runOn<A extends readonly Value[], R>(actor: number, fn: KernelFunction<A, R>, ...args: A): R {
    const events: ControlEvent[] = [];
    this.note(this.machine.load(actor, fn.id, args, events));
    const how = this.go(actor, events);
    if (how !== "done") throw new Error(`${fn.name}: ${how} in ${this.next(actor)}: ${this.messages().join()}`);
    const last = events.findLast((event) => event.kind === "return");
    return (last?.kind === "return" ? last.value : undefined) as R;
  }
  /** Whether the actor's next step can be taken. Nothing is left of the attempt. */
  canMove(actor: number): boolean {
    const mark = this.machine.mark();
    const moved = this.machine.step(actor, 0);
    this.machine.undoTo(mark);
    return moved !== Moved.blocked;
  }

  /** The text of the step that comes next. */
  next(actor: number): string {
    return this.machine.nextStep(actor)?.text(this.machine) ?? "";
  }
  messages(): string[] {
    return this.findings.map((finding) => `${finding.kind}: ${finding.message}`);
  }
  /** Modes in which an actor holds a lock, such as "exclusive shared". */
  holds(actor: number, lock: { readonly addr: number }): string {
    const names = Object.entries(HoldMode);
    const held = this.machine.locksOf(actor).filter((h) => h.lock === lock.addr);
    return held.map((h) => names.find(([, mode]) => mode === h.mode)?.[0]).join(" ");
  }
  /** A fingerprint in one text. */
  hash(): string {
    return `${this.machine.memory.lo}:${this.machine.memory.hi}`;
  }
}
