/** A machine with one process, for tests of single kernel functions and of small races between them. */
import type { ControlEvent } from "../../runtime/machine/automaton.ts";
import type { KernelFunction } from "../../runtime/machine/function.ts";
import { Machine, Moved } from "../../runtime/machine/machine.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { classOf, describe, type Finding } from "../../runtime/machine/report.ts";
import { invoke_callbacks } from "../../runtime/machine/rcu.ts";
import type { Value } from "../../runtime/machine/step.ts";
import { at, SLOT, WORD, type Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { firstFreeStatic, STATIC_ARENA, typeNumber } from "../../runtime/machine/types.ts";
import { firstMm, patches as allPatches } from "../../runtime/kernel.ts";
import { mm_struct } from "../../runtime/mm/mm_types.ts";
import { srcu } from "../../runtime/mm/mmu_notifier_hlist.ts";
import { init_mm } from "../../runtime/mm/vmalloc.ts";
import { resolveBodies, type Era, type Patch } from "../../runtime/patch.ts";
import { observe, type Observed, type Violation } from "../support/oracles.ts";

export const SRCU_ACTOR = 9;

export interface Explored {
  readonly states: number;
  /** One finding of each class. */
  readonly findings: ReadonlyMap<string, Finding>;
  /** How many different states everybody can end in. */
  readonly finals: number;
  readonly deadlocks: number;
}

export class World {
  readonly machine: Machine;
  readonly mm: mm_struct;
  readonly findings: Finding[] = [];
  /**
   * What becomes of a breach of the model's invariants: it throws or is kept. A kernel that is mutated has bugs: nobody
   * looks, as where a test says that the kernel of a patch, or a driver, has some.
   */
  oracles: "throw" | "keep" | "off";
  /** Those that were kept, one of each oracle, in words. */
  readonly violations = new Map<string, string>();
  private readonly observed: Observed;
  private nextStatic = firstFreeStatic();

  /** `patches`: by name, or a test's own. */
  constructor(patches: readonly (string | Patch)[] = [], mutations: readonly Mutation[] = [], era: Era = "v5.2") {
    const chosen = patches.map((name) => {
      const patch = typeof name === "string" ? allPatches.find((p) => p.name === name) : name;
      if (patch === undefined) throw new Error(`no patch ${name as string}`);
      return patch;
    });
    this.machine = new Machine({ bodies: resolveBodies(era, chosen).bodies, mutations, era });
    this.mm = this.object(mm_struct);
    firstMm(this.machine, this.mm);
    this.machine.load(SRCU_ACTOR, invoke_callbacks.id, [srcu]);
    this.oracles = mutations.length === 0 ? "throw" : "off";
    this.observed = observe(this.machine, {
      wants: () => this.oracles !== "off",
      complain: (violation) => this.breach(violation),
    });
  }
  private breach({ oracle, message }: Violation): void {
    if (this.oracles === "throw") throw new Error(`${oracle}: ${message}`);
    if (!this.violations.has(oracle)) this.violations.set(oracle, message);
  }

  /** A live object of the script's own. */
  object<S extends Struct>(cls: StructClass<S>): S {
    const addr = STATIC_ARENA + this.nextStatic++ * SLOT + WORD;
    this.machine.makeStatic(addr, typeNumber(cls));
    return at(cls, addr);
  }
  peek(ref: { readonly addr: number }): number {
    return this.machine.memory.peek(ref.addr);
  }
  poke(ref: { readonly addr: number }, value: number): void {
    this.machine.memory.set(this.machine.memory.wordAt(ref.addr), value);
  }
  isFreed(object: Struct): boolean {
    return this.machine.memory.header(object.addr) < 0;
  }
  /** Types of the allocated objects that live, sorted. */
  live(): string[] {
    const { memory } = this.machine;
    return [...memory.objects()]
      .filter((base) => base >= STATIC_ARENA + 2 ** 44 && memory.peek(base) > 0)
      .map((base) => this.machine.typeAt(base)?.name ?? "?")
      .sort();
  }

  /** Those of a type that live, the static ones included. */
  objects<S extends Struct>(cls: StructClass<S>): S[] {
    const { memory } = this.machine;
    return [...memory.objects()]
      .filter((base) => memory.peek(base) > 0 && this.machine.typeAt(base) === cls)
      .map((base) => at(cls, base + WORD));
  }

  /** The address spaces of processes. */
  spaces(): mm_struct[] {
    return this.objects(mm_struct).filter((mm) => this.peek(mm.mm_users) > 0 && mm.addr !== init_mm.addr);
  }

  /** Runs a function alone, to its end; what it returned. */
  run<A extends readonly Value[], R>(fn: KernelFunction<A, R>, ...args: A): R {
    return this.runOn(0, fn, ...args);
  }
  /** As run(), for functions that leave a lock held on purpose. */
  runKeepingLocks<A extends readonly Value[], R>(actor: number, fn: KernelFunction<A, R>, ...args: A): R {
    const events: ControlEvent[] = [];
    this.observed.mayHoldLocks = true;
    this.note(this.machine.load(actor, fn.id, args, events));
    const last = events.at(-1);
    const done = this.machine.isFinished(actor) && last?.kind === "return";
    const result = done ? last.value : this.finish(actor);
    this.observed.mayHoldLocks = false;
    return result as R;
  }
  runOn<A extends readonly Value[], R>(actor: number, fn: KernelFunction<A, R>, ...args: A): R {
    const result = this.runKeepingLocks(actor, fn, ...args);
    if (this.machine.locksOf(actor).length > 0) throw new Error(`${fn.name} returns with a lock held`);
    return result;
  }
  start<A extends readonly Value[], R>(actor: number, fn: KernelFunction<A, R>, ...args: A): void {
    this.note(this.machine.load(actor, fn.id, args));
  }
  /** Runs an actor to its end; what its outermost function returned. */
  finish(actor: number): Value {
    let result: Value;
    while (!this.machine.isFinished(actor)) {
      const events: ControlEvent[] = [];
      if (this.step(actor, events) === Moved.blocked) throw new Error(`actor ${actor} is blocked`);
      for (const event of events) if (event.kind === "return") result = event.value;
    }
    return result;
  }
  /** Steps until `fn` is called. */
  until(actor: number, fn: string): void {
    for (;;) {
      const events: ControlEvent[] = [];
      if (this.step(actor, events) === Moved.blocked) throw new Error(`actor ${actor} is blocked before ${fn}`);
      const called = events.some((e) => e.kind === "call" && this.machine.automaton.functionName(e.fn) === fn);
      if (called) return;
      if (this.machine.isFinished(actor)) throw new Error(`actor ${actor} never calls ${fn}`);
    }
  }
  step(actor: number, events: ControlEvent[] = []): Moved {
    const moved = this.machine.step(actor, 0, events);
    this.note(moved);
    if (moved === Moved.fatal) throw new Error(this.findings.at(-1)?.message);
    return moved;
  }
  /** How many steps an actor has still to take alone. */
  cost(actor: number): number {
    const mark = this.machine.mark();
    let steps = 0;
    for (; !this.machine.isFinished(actor); steps++) this.step(actor);
    this.machine.undoTo(mark);
    return steps;
  }
  private note(moved: Moved): void {
    if (moved >= Moved.withReports)
      this.findings.push(...this.machine.reports.map((report) => describe(this.machine, report)));
  }

  /** Every interleaving of what the actors were started with; `atEnd` looks at each final state. */
  explore(actors: readonly number[], atEnd: () => void = () => {}, statesMax = 2_000_000): Explored {
    const { machine } = this;
    const all = [...actors, SRCU_ACTOR];
    const visited = new Set<number>();
    const finals = new Set<number>();
    const findings = new Map<string, Finding>();
    let deadlocks = 0;
    const learn = (): void => {
      for (const report of machine.reports) {
        const finding = describe(machine, report);
        const key = classOf(finding);
        if (!findings.has(key)) findings.set(key, finding);
      }
    };
    const key = (): number => (machine.memory.lo >>> 0) * 2 ** 21 + (machine.memory.hi >>> 11);
    const stack: { mark: ReturnType<Machine["mark"]>; next: number; choice: number; moved: boolean }[] = [];
    const enter = (): void => {
      const here = key();
      if (visited.has(here)) return;
      visited.add(here);
      if (visited.size > statesMax) throw new Error(`more than ${statesMax} states`);
      stack.push({ mark: machine.mark(), next: 0, choice: 0, moved: false });
    };
    enter();
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      machine.undoTo(top.mark);
      const actor = all[top.next];
      if (actor === undefined) {
        const over = actors.every((a) => machine.isFinished(a));
        if (!top.moved && over) {
          finals.add(key());
          atEnd();
        } else if (!top.moved) deadlocks++;
        stack.pop();
        continue;
      }
      if (top.choice >= machine.choices(actor)) {
        top.next++;
        top.choice = 0;
        continue;
      }
      const moved = machine.step(actor, top.choice++);
      if (moved === Moved.blocked) continue;
      top.moved = true;
      if (moved >= Moved.withReports) learn();
      if (moved !== Moved.fatal) enter();
    }
    return { states: visited.size, findings, finals: finals.size, deadlocks };
  }
}

/** No frame may be longer than this, and every body must ask for the same steps when it is run again. */
export const FRAME_MAX = 64;
export function checkBodies(world: World): void {
  const impure = world.machine.automaton.impureFunction();
  if (impure !== null) throw new Error(`${impure} is impure`);
  for (const [name, { deepest }] of world.machine.automaton.statistics().byFunction)
    if (deepest > FRAME_MAX) throw new Error(`${name} takes ${deepest} steps in one frame`);
}
