/**
 * Search by number of CPU switches: what goes wrong usually does so with few, and a diagram with few switches is one
 * that people can read. It finds the shortest way to everything that so few switches can lead to.
 */
import { FINISHED } from "../runtime/machine/automaton.ts";
import { keyOfNumber, type Key } from "../runtime/machine/hash.ts";
import { Moved } from "../runtime/machine/machine.ts";
import { isFatal } from "../runtime/machine/report.ts";
import { STEPS_A_BREATH, type Breathing } from "./breathing.ts";
import { CostTable } from "./cost-table.ts";
import { lookForRaces } from "./data-races.ts";
import type { Director } from "./director.ts";
import type { Event, Findings } from "./findings.ts";
import { reportLeftovers } from "./at-end.ts";
import type { Watch } from "./limits.ts";
import type { Decision, Schedule } from "./schedule.ts";

export interface BoundedOptions {
  /** Schedules with at most this many changes of CPU. */
  readonly switches: number;
  /** Gives up after so many steps. */
  readonly budget: number;
  /** Only such events are of interest, and of all ways to them only the shortest; and it is shorter than this. */
  readonly target?: Target;
}
export interface Target {
  readonly wanted: (event: Event) => boolean;
  readonly shorterThan: number;
  /** Nothing of the kind is met where all are done: what is left over there need not be looked for. */
  readonly notAtEnd?: boolean;
}
/** The way to an event with the fewest switches and, of those, the fewest steps. */
export interface Way {
  readonly schedule: Schedule;
  readonly switches: number;
  readonly steps: number;
}
export interface Bounded {
  /** Every schedule with so few switches was tried (or ruled out). */
  readonly complete: boolean;
  readonly states: number;
  readonly ways: ReadonlyMap<Event, Way>;
}

const NOBODY = -1;
const SWITCHES_MAX = 64;

/** A state on the current path; reused as the path shrinks and grows. */
interface Frame {
  top: number;
  lo: number;
  hi: number;
  actors: readonly number[];
  racing: boolean;
  /** Who decided last, in this race or before it; how many switches that makes, how many steps. */
  last: number;
  switches: number;
  steps: number;
  place: number;
  choice: number;
  moved: boolean;
  decision: Decision | null;
}
const emptyFrame = (): Frame => ({
  top: 0,
  lo: 0,
  hi: 0,
  actors: [],
  racing: false,
  last: NOBODY,
  switches: 0,
  steps: 0,
  place: 0,
  choice: 0,
  moved: false,
  decision: null,
});

export function bounded(
  director: Director,
  findings: Findings,
  watch: Watch,
  options: BoundedOptions,
): Breathing<Bounded> {
  return new BoundedSearch(director, findings, watch, options).run();
}

class BoundedSearch {
  private readonly director: Director;
  private readonly findings: Findings;
  private readonly watch: Watch;
  private readonly options: BoundedOptions;
  private readonly frames: Frame[] = [];
  private depth = -1;
  private readonly table = new CostTable();
  private readonly salts: Key[] = [];
  private readonly orders = new Map<readonly number[], (readonly number[])[]>();
  private readonly ways = new Map<Event, Way>();
  private steps = 0;
  /** With a target: more switches than this, or as many and no fewer steps, are of no interest. */
  private leastSwitches: number;
  private leastSteps: number;

  constructor(director: Director, findings: Findings, watch: Watch, options: BoundedOptions) {
    this.director = director;
    this.findings = findings;
    this.watch = watch;
    this.options = options;
    this.leastSwitches = options.switches;
    this.leastSteps = options.target?.shorterThan ?? Infinity;
  }

  *run(): Breathing<Bounded> {
    const { director } = this;
    const { machine } = director;
    const start = machine.mark();
    director.listener = { met: (item) => this.hit(this.findings.addMet(item, this.schedule)) };
    this.push(null, NOBODY, 0, 0);
    while (this.runOn(STEPS_A_BREATH)) yield;
    director.listener = null;
    machine.undoTo(start);
    return { complete: this.depth < 0, states: this.table.count, ways: this.ways };
  }
  /** Takes so many turns; false when there is nothing left to do, or the budget is used up. */
  private runOn(turns: number): boolean {
    const { machine } = this.director;
    for (let i = 0; i < turns; i++) {
      const frame = this.frames[this.depth];
      if (this.depth < 0 || frame === undefined) return false;
      if (this.tryNext(frame)) {
        if (++this.steps > this.options.budget || this.watch.tick(0, this.depth) !== undefined) return false;
        continue;
      }
      if (!frame.moved && this.goOn(frame)) continue;
      this.depth--;
      const below = this.frames[this.depth];
      if (below !== undefined) machine.undo(below.top, below.lo, below.hi);
    }
    return true;
  }

  private push(parent: Frame | null, last: number, switches: number, steps: number): void {
    const { director } = this;
    const { top, lo, hi } = director.machine.memory;
    const inherited = parent !== null && parent.racing && parent.decision !== null;
    const frame = (this.frames[++this.depth] ??= emptyFrame());
    frame.top = top;
    frame.lo = lo;
    frame.hi = hi;
    frame.racing = inherited || director.inRace;
    frame.last = last;
    frame.actors = frame.racing ? this.inOrder(director.actorsOfRace(), last) : director.actors();
    frame.switches = switches;
    frame.steps = steps;
    frame.place = 0;
    frame.choice = 0;
    frame.moved = false;
    frame.decision = null;
    if (director.program.kcsan === true) this.fileRaces(parent?.decision?.actor ?? NOBODY);
  }
  private fileRaces(mover: number): void {
    const { machine } = this.director;
    machine.reports = [];
    lookForRaces(this.director, mover);
    for (const report of [...machine.reports]) this.hit(this.findings.addReport(machine, report, this.schedule));
  }
  /** The CPU that moved last goes first: staying costs nothing. */
  private inOrder(actors: readonly number[], last: number): readonly number[] {
    let orders = this.orders.get(actors);
    if (orders === undefined) this.orders.set(actors, (orders = []));
    return (orders[last + 1] ??= actors.includes(last) ? [last, ...actors.filter((a) => a !== last)] : actors);
  }

  private tryNext(frame: Frame): boolean {
    const { director } = this;
    const { machine } = director;
    if (frame.switches >= this.leastSwitches && frame.steps + (frame.racing ? 1 : 0) >= this.leastSteps) {
      // Too long to be of interest; but where nobody can move the path ends, and is no longer than it is.
      frame.moved ||= frame.steps >= this.leastSteps || frame.actors.some((actor) => director.canMove(actor));
      return false;
    }
    const fast = frame.racing && director.program.invariants.length === 0;
    for (; frame.place < frame.actors.length; frame.place++, frame.choice = 0) {
      const actor = frame.actors[frame.place] as number;
      const local = machine.locals[actor] as number;
      if (local === FINISHED) continue;
      const choices = machine.automaton.localChoices[local] as number;
      const decides = frame.racing || choices > 1;
      const switches = frame.switches + (decides && frame.last !== NOBODY && frame.last !== actor ? 1 : 0);
      if (switches > this.leastSwitches) {
        if (!frame.moved && director.canMove(actor)) frame.moved = true; // not stuck: out of bounds
        continue;
      }
      while (frame.choice < choices) {
        const choice = frame.choice++;
        const moved = fast ? machine.step(actor, choice) : director.take(actor, choice);
        if (moved === Moved.blocked) continue;
        frame.moved = true;
        frame.decision = decides ? { actor, choice } : null;
        this.arrive(frame, moved, actor, switches);
        return true;
      }
    }
    return false;
  }
  private arrive(frame: Frame, moved: Moved, actor: number, switches: number): void {
    const { machine } = this.director;
    const ends = moved !== Moved.yes && this.file(moved, switches);
    const steps = frame.steps + (frame.decision === null ? 0 : 1);
    const last = frame.decision === null ? frame.last : actor;
    if (ends || !this.isNew(last, switches, steps)) machine.undo(frame.top, frame.lo, frame.hi);
    else this.push(frame, last, switches, steps);
  }
  /** Whether nobody came here before with as many switches, the same CPU last, and no more steps. */
  private isNew(last: number, switches: number, steps: number): boolean {
    const { memory } = this.director.machine;
    const n = (last + 1) * SWITCHES_MAX + switches;
    const salt = (this.salts[n] ??= keyOfNumber(n));
    return this.table.improve(memory.lo ^ salt.lo, memory.hi ^ salt.hi, steps);
  }

  private file(moved: Moved, switches: number): boolean {
    const { machine } = this.director;
    let ends = moved === Moved.fatal;
    this.findings.addLockOrder(machine, this.schedule);
    for (const report of [...machine.reports]) {
      if (isFatal(report.kind)) ends = true;
      if (report.kind !== "pruned") this.hit(this.findings.addReport(machine, report, this.schedule), switches);
    }
    return ends;
  }
  private goOn(frame: Frame): boolean {
    const { director, findings } = this;
    const { machine } = director;
    frame.moved = true;
    frame.decision = null;
    const stuck = director.stuck();
    if (stuck === "goes on") {
      this.file(Moved.withReports, frame.switches); // a program may have begun with a warning
      const { last, switches, steps } = frame;
      if (this.isNew(last, switches, steps)) this.push(frame, last, switches, steps);
      else machine.undo(frame.top, frame.lo, frame.hi);
      return true;
    }
    if (stuck === "deadlock") this.hit(findings.addDeadlock(director, this.schedule));
    else if (stuck === "fatal") this.file(Moved.fatal, frame.switches);
    else if (this.options.target?.notAtEnd !== true) {
      reportLeftovers(machine);
      this.file(Moved.withReports, frame.switches);
      this.hit(findings.addOutcome(machine, this.schedule));
    }
    return false;
  }

  /** The path has come to an event. */
  private hit(event: Event, switches = this.frames[this.depth]?.switches ?? 0): void {
    const { target } = this.options;
    if (target !== undefined && !target.wanted(event)) return;
    const frame = this.frames[this.depth] as Frame;
    const steps = frame.steps + (frame.decision === null ? 0 : 1);
    const known = this.ways.get(event);
    if (known !== undefined && (known.switches < switches || (known.switches === switches && known.steps <= steps)))
      return;
    this.ways.set(event, { schedule: this.schedule(), switches, steps });
    if (target === undefined) return;
    const better = switches < this.leastSwitches || (switches === this.leastSwitches && steps < this.leastSteps);
    if (better) [this.leastSwitches, this.leastSteps] = [switches, steps];
  }
  private readonly schedule = (): Decision[] =>
    this.frames.slice(0, this.depth + 1).flatMap((frame) => frame.decision ?? []);
}
