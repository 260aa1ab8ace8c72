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
import type { Director } from "./director.ts";
import type { Event, Findings } from "./findings.ts";
import { reportLeaks } from "./leak.ts";
import type { Watch } from "./limits.ts";
import type { Decision, Schedule } from "./schedule.ts";

export interface BoundedOptions {
  /** Schedules with at most this many changes of CPU. */
  readonly switches: number;
  /** Gives up after so many steps. */
  readonly budget: number;
  /** Only this event is of interest, and only ways to it that are shorter than this. */
  readonly target?: { readonly event: Event; readonly shorterThan: number };
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
  /** Who moved last, how many switches that makes, how many steps. */
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
  /** No path this long or longer is of interest. */
  private limit: number;

  constructor(director: Director, findings: Findings, watch: Watch, options: BoundedOptions) {
    this.director = director;
    this.findings = findings;
    this.watch = watch;
    this.options = options;
    this.limit = options.target?.shorterThan ?? Infinity;
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
    frame.last = frame.racing ? last : NOBODY;
    frame.actors = frame.racing ? this.inOrder(director.actorsOfRace(), frame.last) : director.actors();
    frame.switches = switches;
    frame.steps = steps;
    frame.place = 0;
    frame.choice = 0;
    frame.moved = false;
    frame.decision = null;
  }
  /** The CPU that moved last goes first: staying costs nothing. */
  private inOrder(actors: readonly number[], last: number): readonly number[] {
    let orders = this.orders.get(actors);
    if (orders === undefined) this.orders.set(actors, (orders = []));
    return (orders[last + 1] ??= last === NOBODY ? actors : [last, ...actors.filter((actor) => actor !== last)]);
  }

  private tryNext(frame: Frame): boolean {
    const { director, options } = this;
    const { machine } = director;
    if (frame.steps + (frame.racing ? 1 : 0) >= this.limit) {
      // Too long to be of interest; but where nobody can move the path ends, and is no longer than it is.
      frame.moved ||= frame.steps >= this.limit || frame.actors.some((actor) => director.canMove(actor));
      return false;
    }
    const fast = frame.racing && director.program.invariants.length === 0;
    for (; frame.place < frame.actors.length; frame.place++, frame.choice = 0) {
      const actor = frame.actors[frame.place] as number;
      const local = machine.locals[actor] as number;
      if (local === FINISHED) continue;
      const switches = frame.switches + (frame.last !== NOBODY && frame.last !== actor ? 1 : 0);
      if (switches > options.switches) {
        if (!frame.moved && director.canMove(actor)) frame.moved = true; // not stuck: out of bounds
        continue;
      }
      const choices = machine.automaton.localChoices[local] as number;
      while (frame.choice < choices) {
        const choice = frame.choice++;
        const moved = fast ? machine.step(actor, choice) : director.take(actor, choice);
        if (moved === Moved.blocked) continue;
        frame.moved = true;
        frame.decision = frame.racing || choices > 1 ? { actor, choice } : null;
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
    if (ends || !this.isNew(frame.racing ? actor : NOBODY, switches, steps))
      machine.undo(frame.top, frame.lo, frame.hi);
    else this.push(frame, actor, switches, steps);
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
      if (this.isNew(NOBODY, frame.switches, frame.steps)) this.push(frame, NOBODY, frame.switches, frame.steps);
      else machine.undo(frame.top, frame.lo, frame.hi);
      return true;
    }
    if (stuck === "deadlock") this.hit(findings.addDeadlock(director, this.schedule));
    else if (stuck === "fatal") this.file(Moved.fatal, frame.switches);
    else {
      machine.reports = [];
      reportLeaks(machine);
      this.file(Moved.withReports, frame.switches);
      this.hit(findings.addOutcome(machine, this.schedule));
    }
    return false;
  }

  /** The path has come to an event. */
  private hit(event: Event, switches = this.frames[this.depth]?.switches ?? 0): void {
    const { target } = this.options;
    if (target !== undefined && event !== target.event) return;
    const frame = this.frames[this.depth] as Frame;
    const steps = frame.steps + (frame.decision === null ? 0 : 1);
    const known = this.ways.get(event);
    if (known !== undefined && (known.switches < switches || (known.switches === switches && known.steps <= steps)))
      return;
    this.ways.set(event, { schedule: this.schedule(), switches, steps });
    if (target !== undefined) this.limit = Math.min(this.limit, steps);
  }
  private readonly schedule = (): Decision[] =>
    this.frames.slice(0, this.depth + 1).flatMap((frame) => frame.decision ?? []);
}
