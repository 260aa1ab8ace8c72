/**
 * A program as far as it has been run, the way that led here, and behind that the way that was taken back. Going back
 * is the undoing of a search: the machine's journal, and what was told, cut at the same place.
 */
import { asOf } from "../../runtime/machine/as-of.ts";
import type { Mark } from "../../runtime/machine/machine.ts";
import type { Program } from "../program.ts";
import { Recorder, type RecorderMark } from "../recorder.ts";
import type { Decision, Schedule } from "../schedule.ts";
import { ScriptError } from "../script-error.ts";
import { showLines } from "../show.ts";
import { simulate } from "../simulation.ts";
import type { Director } from "../director.ts";
import type { End } from "../trace-events.ts";

/** What is known of a state in which somebody can move, or nobody ever will. */
export interface Moment {
  readonly machine: Mark;
  readonly told: RecorderMark;
  /** Which item of the program runs. */
  readonly item: number;
  /** What it said when nobody could move: how often it was asked, and what came of it. */
  readonly turns: number;
  readonly end: End | "waits" | undefined;
}

export class Timeline {
  readonly program: Program;
  readonly director: Director;
  readonly recorder: Recorder;
  /** A mistake of the script that shows only when it runs: it goes no further. */
  problem: ScriptError | undefined;
  private moments: Moment[] = [];
  private path: Decision[] = [];

  private constructor(program: Program, open: boolean) {
    this.program = program;
    this.director = simulate(program);
    this.director.awaitsMore = open;
    this.recorder = new Recorder(this.director, showLines);
  }
  /** At the first step. `open`: more statements may come, so that the end of the text is not the end of the run. */
  static start(program: Program, open: boolean): Timeline {
    const timeline = new Timeline(program, open);
    timeline.moments.push(timeline.settle());
    return timeline;
  }

  /** Steps taken to come here. */
  get at(): number {
    return this.moments.length - 1;
  }
  /** Steps from the start to the end of the way that is known. */
  get length(): number {
    return this.path.length;
  }
  get now(): Moment {
    return this.moments.at(-1) as Moment;
  }
  moment(step: number): Moment {
    return this.moments[step] as Moment;
  }
  /** The steps taken, and those that were taken back. */
  get decisions(): Schedule {
    return this.path;
  }
  /** The decisions of a schedule: what was chosen in races, and where there was a choice. */
  get schedule(): Schedule {
    return this.recorder.decisions;
  }
  get isOver(): boolean {
    return this.now.end !== undefined || this.problem !== undefined;
  }
  open(): readonly Decision[] {
    return this.isOver ? [] : this.director.openDecisions();
  }

  /** Takes a step that is open. What was taken back is forgotten, unless this is the beginning of it. */
  take(decision: Decision): void {
    const ahead = this.path[this.at];
    if (ahead === undefined || ahead.actor !== decision.actor || ahead.choice !== decision.choice) {
      this.path.length = this.at;
      this.path.push(decision);
    }
    let end: Moment["end"];
    try {
      end = this.recorder.take(decision);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      // The step is not taken: the script must not ask for it.
      this.backTo(this.at);
      this.path.length = this.at;
      this.problem = error;
      return;
    }
    this.moments.push(this.settle(end));
  }
  /** Takes the next step of the known way again; false at its end. */
  forward(): boolean {
    const decision = this.path[this.at];
    if (decision === undefined) return false;
    this.take(decision);
    return true;
  }
  /** Back to the state after so many steps, which must not be more than were taken. */
  backTo(step: number): void {
    this.moments.length = step + 1;
    const { machine, told } = this.now;
    this.problem = undefined;
    this.director.machine.undoTo(machine);
    this.recorder.undoTo(told);
  }
  /** Looks at the state as it was after so many steps. */
  asOf<R>(step: number, look: () => R): R {
    return asOf(this.director.machine, this.moment(step).machine, look);
  }

  /** Puts a way ahead of where it stands, as far as it fits: nothing of it is taken. */
  foresee(decisions: Schedule): void {
    this.path = [...this.path.slice(0, this.at), ...decisions];
  }

  /**
   * The same run of a program that has more statements at its end. What was told stays; the steps are taken again
   * without telling, which is a fraction of the work.
   */
  extended(program: Program): Timeline {
    const longer = new Timeline(program, true);
    longer.repeat(this);
    return longer;
  }
  private repeat(shorter: Timeline): void {
    const { director, recorder } = this;
    const { listener } = director;
    director.listener = null;
    this.path = shorter.path.slice(0, shorter.at);
    for (const [step, decision] of this.path.entries()) {
      const moment = shorter.moment(step);
      for (let turn = 0; turn < moment.turns; turn++) director.stuck();
      this.moments.push({ ...moment, machine: director.machine.mark() });
      director.take(decision.actor, decision.choice);
    }
    // Where it waited for more, it is asked once more.
    const { end, turns } = shorter.now;
    const asked = end === "waits" ? turns - 1 : turns;
    for (let turn = 0; turn < asked; turn++) director.stuck();
    director.listener = listener;
    recorder.takeOver(shorter.recorder);
    this.moments.push(this.settle(end === "waits" ? undefined : end, asked));
  }

  /** Lets the script go on for as long as nobody can move. */
  private settle(end?: Moment["end"], turns = 0): Moment {
    const { director, recorder } = this;
    try {
      while (end === undefined && !director.actors().some((actor) => director.canMove(actor))) {
        turns++;
        end = recorder.settle();
      }
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      this.problem = error;
    }
    const item = director.itemIndex;
    return { machine: director.machine.mark(), told: recorder.mark(), item, turns, end };
  }
}
