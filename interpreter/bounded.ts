/**
 * Search by number of CPU switches: what goes wrong usually does so with few, and a diagram with few switches is one
 * that people can read. The same search finds the shortest way to a given event with a given number of switches.
 */
import { FINISHED } from "../runtime/machine/automaton.ts";
import { keyOfNumber } from "../runtime/machine/hash.ts";
import { Moved } from "../runtime/machine/machine.ts";
import { isFatal } from "../runtime/machine/report.ts";
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
  /** Look for the shortest way to this event, rather than for anything new. */
  readonly target?: Event;
  /** With a target: only ways shorter than this are of interest. */
  readonly shorterThan?: number;
}
export interface Bounded {
  /** Every schedule with so few switches was tried (or ruled out). */
  readonly complete: boolean;
  readonly states: number;
  readonly transitions: number;
  /** With a target: the shortest way there. */
  readonly best: Schedule | undefined;
}

const NOBODY = -1;

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

export function bounded(director: Director, findings: Findings, watch: Watch, options: BoundedOptions): Bounded {
  return new BoundedSearch(director, findings, watch, options).run();
}

class BoundedSearch {
  private readonly director: Director;
  private readonly findings: Findings;
  private readonly watch: Watch;
  private readonly options: BoundedOptions;
  private readonly frames: Frame[] = [];
  private readonly table = new CostTable();
  private transitions = 0;
  private bestLength: number;
  private best: Schedule | undefined;

  constructor(director: Director, findings: Findings, watch: Watch, options: BoundedOptions) {
    this.director = director;
    this.findings = findings;
    this.watch = watch;
    this.options = options;
    this.bestLength = options.shorterThan ?? Infinity;
  }

  run(): Bounded {
    const { director, options } = this;
    const { machine } = director;
    const start = machine.mark();
    director.listener = { met: (item) => this.hit(this.findings.addMet(item, this.schedule)) };
    this.push(null, NOBODY, 0, 0);
    let complete = true;
    while (this.frames.length > 0) {
      if (this.transitions > options.budget || this.watch.tick(this.table.count, this.frames.length) !== undefined) {
        complete = false;
        break;
      }
      const frame = this.frames.at(-1) as Frame;
      if (this.tryNext(frame)) continue;
      if (!frame.moved && this.goOn(frame)) continue;
      this.frames.pop();
      const below = this.frames.at(-1);
      if (below !== undefined) machine.undo(below.top, below.lo, below.hi);
    }
    director.listener = null;
    machine.undoTo(start);
    return { complete, states: this.table.count, transitions: this.transitions, best: this.best };
  }

  private push(parent: Frame | null, last: number, switches: number, steps: number): void {
    const { director } = this;
    const { top, lo, hi } = director.machine.memory;
    const inherited = parent !== null && parent.racing && parent.decision !== null;
    const racing = inherited || director.inRace;
    const actors = inherited ? parent.actors : director.actors();
    // The CPU that moved last goes first: staying costs nothing.
    const order = racing && last !== NOBODY && actors[0] !== last ? [last, ...actors.filter((a) => a !== last)] : actors;
    this.frames.push({
      top,
      lo,
      hi,
      actors: order,
      racing,
      last: racing ? last : NOBODY,
      switches,
      steps,
      place: 0,
      choice: 0,
      moved: false,
      decision: null,
    });
  }

  private tryNext(frame: Frame): boolean {
    const { director, options } = this;
    const { machine } = director;
    const fast = frame.racing && director.program.invariants.length === 0;
    if (frame.steps + (frame.racing ? 1 : 0) >= this.bestLength) frame.moved = true;
    else
      for (; frame.place < frame.actors.length; frame.place++, frame.choice = 0) {
        const actor = frame.actors[frame.place] as number;
        const local = machine.locals[actor] as number;
        if (local === FINISHED) continue;
        const isSwitch = frame.racing && frame.last !== NOBODY && frame.last !== actor;
        const switches = frame.switches + (isSwitch ? 1 : 0);
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
          this.transitions++;
          frame.decision = frame.racing || choices > 1 ? { actor, choice } : null;
          this.arrive(frame, moved, actor, switches);
          return true;
        }
      }
    return false;
  }
  private arrive(frame: Frame, moved: Moved, actor: number, switches: number): void {
    const { machine } = this.director;
    const ends = moved !== Moved.yes && this.file(moved);
    const steps = frame.steps + (frame.decision === null ? 0 : 1);
    if (ends || !this.isNew(frame.racing ? actor : NOBODY, switches, steps))
      machine.undo(frame.top, frame.lo, frame.hi);
    else this.push(frame, actor, switches, steps);
  }
  /** Whether nobody came here before as cheaply. */
  private isNew(last: number, switches: number, steps: number): boolean {
    const { memory } = this.director.machine;
    const minimising = this.options.target !== undefined;
    const salt = keyOfNumber((last + 1) * 64 + (minimising ? switches : 63));
    return this.table.improve(memory.lo ^ salt.lo, memory.hi ^ salt.hi, minimising ? steps : switches);
  }

  private file(moved: Moved): boolean {
    const { machine } = this.director;
    for (const report of [...machine.reports])
      if (report.kind !== "pruned") this.hit(this.findings.addReport(machine, report, this.schedule));
    return moved === Moved.fatal || machine.reports.some((report) => isFatal(report.kind));
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
    else if (stuck === "fatal") this.file(Moved.fatal);
    else {
      machine.reports = [];
      reportLeaks(machine);
      this.file(Moved.withReports);
      this.hit(findings.addOutcome(machine, this.schedule));
    }
    return false;
  }

  private hit(event: Event): void {
    if (event !== this.options.target) return;
    const steps = this.lengthHere();
    if (steps >= this.bestLength) return;
    this.bestLength = steps;
    this.best = this.schedule();
  }
  /** Steps on the way to where the machine is, the one just taken included. */
  private lengthHere(): number {
    const frame = this.frames.at(-1);
    return frame === undefined ? 0 : frame.steps + (frame.decision === null ? 0 : 1);
  }
  private readonly schedule = (): Decision[] => this.frames.flatMap((frame) => frame.decision ?? []);
}
