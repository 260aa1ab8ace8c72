/**
 * Livelock: a set of states that, once entered, is never left and holds no end. The full search says whether there may
 * be one; this one looks.
 */
import { Moved } from "../runtime/machine/machine.ts";
import { isFatal } from "../runtime/machine/report.ts";
import { STEPS_A_BREATH, type Breathing } from "./breathing.ts";
import { CostTable } from "./cost-table.ts";
import type { Director } from "./director.ts";
import type { Decision } from "./schedule.ts";

export interface Livelock {
  /** How to get there. */
  readonly schedule: readonly Decision[];
  /** Who goes round. */
  readonly actors: readonly number[];
  readonly message: string;
}

interface Frame {
  readonly state: number;
  readonly mark: { top: number; lo: number; hi: number };
  readonly todo: (Decision | "goes on")[];
  /** What led out of this state last. */
  decision: Decision | null;
}

/** Tarjan's components over the state graph; the first bottom component without an end, if there is one. */
export function findLivelock(director: Director, budget: number): Breathing<Livelock | "unknown" | undefined> {
  return new Components(director, budget).run();
}

class Components {
  private readonly director: Director;
  private budget: number;
  private readonly numbers = new CostTable();
  private readonly low: number[] = [];
  private readonly index: number[] = [];
  private readonly open: number[] = [];
  private readonly isOpen: boolean[] = [];
  /** From this state some path ends, or leads out of its component. */
  private readonly escapes: boolean[] = [];
  private readonly movers: number[] = [];
  private readonly frames: Frame[] = [];
  private found: Livelock | undefined;

  constructor(director: Director, budget: number) {
    this.director = director;
    this.budget = budget;
  }

  *run(): Breathing<Livelock | "unknown" | undefined> {
    const { machine } = this.director;
    const start = machine.mark();
    this.enter();
    for (let turns = 1; this.frames.length > 0 && this.found === undefined && this.budget > 0; turns++) {
      this.turn(this.frames.at(-1) as Frame);
      if (turns % STEPS_A_BREATH === 0) yield;
    }
    machine.undoTo(start);
    return this.found ?? (this.budget > 0 ? undefined : "unknown");
  }

  private enter(): void {
    const { director } = this;
    const { memory } = director.machine;
    const state = this.low.length;
    this.numbers.improve(memory.lo, memory.hi, state);
    this.low.push(state);
    this.index.push(state);
    this.open.push(state);
    this.isOpen.push(true);
    this.escapes.push(false);
    this.movers.push(0);
    const decisions: (Decision | "goes on")[] = director.openDecisions();
    if (decisions.length === 0) decisions.push("goes on");
    const mark = { top: memory.top, lo: memory.lo, hi: memory.hi };
    this.frames.push({ state, mark, todo: decisions, decision: null });
  }

  private turn(frame: Frame): void {
    const { director } = this;
    const { machine } = director;
    const next = frame.todo.pop();
    if (next === undefined) return this.leave(frame);
    this.budget--;
    let ends: boolean;
    frame.decision = null;
    if (next === "goes on") ends = director.stuck() !== "goes on";
    else {
      const racing = director.inRace;
      if (racing || machine.choices(next.actor) > 1) frame.decision = next;
      this.movers[frame.state] = (this.movers[frame.state] as number) | (1 << next.actor);
      const moved = director.take(next.actor, next.choice);
      ends = moved === Moved.fatal || machine.reports.some((report) => isFatal(report.kind));
    }
    if (ends) {
      this.escapes[frame.state] = true;
      machine.undoTo(frame.mark);
      return;
    }
    const known = this.numbers.costOf(machine.memory.lo, machine.memory.hi);
    if (known === undefined) return this.enter();
    if (this.isOpen[known] === true) this.lower(frame.state, this.index[known] as number);
    else this.escapes[frame.state] = true; // into a component that is done: it has an end, or we had stopped there
    machine.undoTo(frame.mark);
  }
  private lower(state: number, to: number): void {
    if (to < (this.low[state] as number)) this.low[state] = to;
  }
  private leave(frame: Frame): void {
    const { machine } = this.director;
    const { state } = frame;
    this.frames.pop();
    const below = this.frames.at(-1);
    if (this.low[state] === this.index[state]) this.close(state);
    if (below !== undefined) {
      if (this.isOpen[state] === true) this.lower(below.state, this.low[state] as number);
      else this.escapes[below.state] = true;
      machine.undoTo(below.mark);
    }
  }
  /** All states from `state` up on the stack are a component. */
  private close(state: number): void {
    let escapes = false;
    let movers = 0;
    for (;;) {
      const member = this.open.pop() as number;
      this.isOpen[member] = false;
      if (this.escapes[member] === true) escapes = true;
      movers |= this.movers[member] as number;
      if (member === state) break;
    }
    if (!escapes) this.found = this.describe(movers);
  }
  private describe(movers: number): Livelock {
    const { director } = this;
    const actors = [];
    for (let actor = 0; actor < 32; actor++) if ((movers & (1 << actor)) !== 0) actors.push(actor);
    return {
      schedule: this.frames.flatMap((frame) => frame.decision ?? []),
      actors,
      message: goRoundText(director, actors),
    };
  }
}

/** "cpu0 in spin goes round for ever: no order leads to an end" */
export function goRoundText(director: Director, actors: readonly number[]): string {
  const where = actors.map((actor) => {
    const inside = director.machine.stackOf(actor)[0]?.name;
    return `${director.nameOf(actor)}${inside === undefined ? "" : ` in ${inside}`}`;
  });
  return `${where.join(" and ")} ${where.length === 1 ? "goes" : "go"} round for ever: no order leads to an end`;
}
