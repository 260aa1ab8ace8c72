/** The full search: depth first over every interleaving, each state once. */
import { FINISHED } from "../runtime/machine/automaton.ts";
import { Moved } from "../runtime/machine/machine.ts";
import { isFatal } from "../runtime/machine/report.ts";
import { lookForRaces } from "./data-races.ts";
import type { Director } from "./director.ts";
import type { Findings } from "./findings.ts";
import { reportLeftovers } from "./at-end.ts";
import { STEPS_A_BREATH, type Breathing } from "./breathing.ts";
import type { Stopped, Watch } from "./limits.ts";
import type { Decision } from "./schedule.ts";
import { Visited } from "./visited.ts";

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** Ends of paths: final states, deadlocks, fatal reports. */
  readonly ends: number;
  readonly stopped: Stopped | undefined;
  /** Some state was left with no way seen from it but back to where the path came from: it may be a livelock. */
  readonly mayGoRound: boolean;
  readonly bytes: number;
}

/** Column by column: what a state on the current path still has to try. */
class Path {
  top = new Int32Array(1024);
  lo = new Int32Array(1024);
  hi = new Int32Array(1024);
  /** Place in the list of actors, and choice, to try next. */
  place = new Int32Array(1024);
  choice = new Int32Array(1024);
  moved = new Uint8Array(1024);
  /** 1 inside a race: then a step leads to a state with the same actors. */
  racing = new Uint8Array(1024);
  /** 1: some step from here ended the path or led to a state that is not on it. */
  escapes = new Uint8Array(1024);
  /** The decision that led out of this state; -1: none was needed. */
  decision = new Int32Array(1024);
  actors: (readonly number[])[] = [];

  grow(): void {
    const size = this.top.length * 2;
    const larger = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(size);
      to.set(from);
      return to;
    };
    this.top = larger(this.top);
    this.lo = larger(this.lo);
    this.hi = larger(this.hi);
    this.place = larger(this.place);
    this.choice = larger(this.choice);
    this.decision = larger(this.decision);
    const flags = (from: Uint8Array): Uint8Array<ArrayBuffer> => {
      const to = new Uint8Array(size);
      to.set(from);
      return to;
    };
    this.moved = flags(this.moved);
    this.racing = flags(this.racing);
    this.escapes = flags(this.escapes);
  }
}

const CHOICES = 1 << 12; // a decision as one number: actor * CHOICES + choice
const NO_DECISION = -1;
const SIEVE = 1 << 16;

/** Comes up for air now and then: whoever drives it may look for signals. */
export function explore(director: Director, findings: Findings, watch: Watch): Breathing<Explored> {
  return new Explorer(director, findings, watch).run();
}

class Explorer {
  private readonly director: Director;
  private readonly findings: Findings;
  private readonly watch: Watch;
  private readonly visited = new Visited();
  private readonly path = new Path();
  private depth = 0;
  private deepest = 0;
  private states = 0;
  private transitions = 0;
  private ends = 0;
  private mayGoRound = false;
  /** How many states on the path have these low bits: 0 says that a state is not on it, without a search. */
  private readonly onPath = new Uint16Array(SIEVE);
  private stopped: Stopped | undefined;

  constructor(director: Director, findings: Findings, watch: Watch) {
    this.director = director;
    this.findings = findings;
    this.watch = watch;
  }

  *run(): Breathing<Explored> {
    const { director, path } = this;
    const { machine } = director;
    director.listener = { met: (item) => void this.findings.addMet(item, this.schedule) };
    this.enter(false);
    while (this.runOn(STEPS_A_BREATH)) yield;
    director.listener = null;
    this.depth = Math.max(this.depth, 0);
    machine.undo(path.top[0] as number, path.lo[0] as number, path.hi[0] as number);
    const { states, transitions, ends, stopped, mayGoRound } = this;
    return { states, transitions, depth: this.deepest, ends, stopped, mayGoRound, bytes: this.visited.bytes };
  }
  /** Takes so many turns; false when there is nothing left to do. */
  private runOn(turns: number): boolean {
    const { path } = this;
    for (let i = 0; i < turns; i++) {
      if (this.depth < 0 || this.stopped !== undefined) return false;
      const d = this.depth;
      if (this.tryNext(d)) continue;
      if (path.moved[d] === 0 && this.goOn(d)) continue;
      this.leave(d);
    }
    return true;
  }
  /**
   * Of a set of states that is never left and holds no end, the state that is left first has all its successors on the
   * path. So only if such a state turns up need anybody look closer (liveness.ts).
   */
  private leave(d: number): void {
    const { path } = this;
    if (path.escapes[d] === 0) this.mayGoRound = true;
    this.onPath[(path.lo[d] as number) & (SIEVE - 1)]!--;
    this.depth--;
    if (this.depth >= 0) this.back(this.depth);
  }
  /** The state the machine is in has been seen before: is it elsewhere than on the path? */
  private meetKnown(d: number): void {
    const { path } = this;
    if (path.escapes[d] === 0 && !this.isOnPath()) path.escapes[d] = 1;
    this.back(d);
  }
  private isOnPath(): boolean {
    const { path, depth } = this;
    const { lo, hi } = this.director.machine.memory;
    if (this.onPath[lo & (SIEVE - 1)] === 0) return false;
    for (let d = depth; d >= 0; d--) if (path.lo[d] === lo && path.hi[d] === hi) return true;
    return false;
  }

  private back(d: number): void {
    const { path } = this;
    this.director.machine.undo(path.top[d] as number, path.lo[d] as number, path.hi[d] as number);
  }
  /** Opens the state the machine is in at the current depth. */
  private enter(afterRaceStep: boolean): void {
    const { path, director, depth } = this;
    const { memory } = director.machine;
    if (depth >= path.top.length) path.grow();
    path.top[depth] = memory.top;
    path.lo[depth] = memory.lo;
    path.hi[depth] = memory.hi;
    path.place[depth] = 0;
    path.choice[depth] = 0;
    path.moved[depth] = 0;
    path.escapes[depth] = 0;
    this.onPath[memory.lo & (SIEVE - 1)]!++;
    path.decision[depth] = NO_DECISION;
    if (afterRaceStep) {
      path.racing[depth] = 1;
      path.actors[depth] = path.actors[depth - 1] as readonly number[];
    } else {
      path.racing[depth] = director.inRace ? 1 : 0;
      path.actors[depth] = director.actors();
    }
    if (depth > this.deepest) this.deepest = depth;
  }

  /** Takes the next untried step of the state at depth `d`. False: there is none left. */
  private tryNext(d: number): boolean {
    const { path, director } = this;
    const { machine } = director;
    const actors = path.actors[d] as readonly number[];
    const { memory, locals, automaton } = machine;
    const racing = path.racing[d] === 1;
    const fast = racing && director.program.invariants.length === 0;
    let choice = path.choice[d] as number;
    for (let place = path.place[d] as number; place < actors.length; place++, choice = 0) {
      const actor = actors[place] as number;
      const local = locals[actor] as number;
      if (local === FINISHED) continue;
      if (automaton.localIdle[local] === 1 && memory.words[automaton.localWord[local] as number] === 0) continue;
      const choices = automaton.localChoices[local] as number;
      while (choice < choices) {
        const moved = fast ? machine.step(actor, choice) : director.take(actor, choice);
        choice++;
        if (moved === Moved.blocked) continue;
        path.moved[d] = 1;
        if (racing) this.transitions++;
        const decision = racing || choices > 1 ? actor * CHOICES + choice - 1 : NO_DECISION;
        if (moved !== Moved.yes && this.file(moved, d, decision)) {
          this.ends++;
          path.escapes[d] = 1;
          this.back(d);
        } else if (this.visited.add(memory.lo, memory.hi)) {
          path.escapes[d] = 1;
          path.decision[d] = decision;
          path.place[d] = place;
          path.choice[d] = choice;
          this.push(racing);
          return true;
        } else this.meetKnown(d);
      }
    }
    path.place[d] = actors.length;
    return false;
  }
  private push(afterRaceStep: boolean): void {
    this.depth++;
    this.enter(afterRaceStep);
    if (this.path.racing[this.depth] === 1) this.states++;
    if (this.director.program.kcsan === true) this.fileRaces();
    this.stopped = this.watch.tick(this.states, this.depth);
  }
  /** Files the data races of the state just opened. */
  private fileRaces(): void {
    const { machine } = this.director;
    machine.reports = [];
    const decision = this.path.decision[this.depth - 1] ?? NO_DECISION;
    lookForRaces(this.director, decision === NO_DECISION ? -1 : Math.floor(decision / CHOICES));
    for (const report of [...machine.reports]) this.findings.addReport(machine, report, this.schedule);
  }
  /** Files the reports of the step just taken. True: the path ends. */
  private file(moved: Moved, d: number, decision: number): boolean {
    const { machine } = this.director;
    this.path.decision[d] = decision;
    this.findings.addLockOrder(machine, this.schedule);
    for (const report of [...machine.reports])
      if (report.kind !== "pruned") this.findings.addReport(machine, report, this.schedule);
    return moved === Moved.fatal || machine.reports.some((report) => isFatal(report.kind));
  }

  /** Nobody can move: the script goes on, or the path ends. True: there is a new state to look at. */
  private goOn(d: number): boolean {
    const { director, path, findings } = this;
    const { machine } = director;
    path.moved[d] = 1;
    path.decision[d] = NO_DECISION;
    const stuck = director.stuck();
    if (stuck === "goes on") {
      this.file(Moved.withReports, d, NO_DECISION); // a program may have begun with a warning
      if (!this.visited.add(machine.memory.lo, machine.memory.hi)) {
        this.meetKnown(d);
        return true;
      }
      path.escapes[d] = 1;
      this.push(false);
      return true;
    }
    this.ends++;
    path.escapes[d] = 1;
    if (stuck === "deadlock") findings.addDeadlock(director, this.schedule);
    else if (stuck === "fatal") this.file(Moved.fatal, d, NO_DECISION);
    else {
      reportLeftovers(machine);
      this.file(Moved.withReports, d, NO_DECISION);
      findings.addOutcome(machine, this.schedule);
    }
    return false;
  }

  /** The decisions that led to where the machine is. */
  private readonly schedule = (): Decision[] => {
    const decisions: Decision[] = [];
    for (let d = 0; d <= this.depth; d++) {
      const code = this.path.decision[d] as number;
      if (code !== NO_DECISION) decisions.push({ actor: Math.floor(code / CHOICES), choice: code % CHOICES });
    }
    return decisions;
  };
}
