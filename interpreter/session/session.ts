/**
 * What a person at the prompt works on: a script that grows, how far it has run, and what was looked for in it. All
 * that is here is undoable, because it can be made again from the text and the steps taken.
 */
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { SourceText } from "../../grammar/span.ts";
import type { ReadFile } from "../bind/includes.ts";
import { bindScript } from "../bind/script.ts";
import type { Breathing } from "../breathing.ts";
import type { CheckedReport } from "../check.ts";
import { actorName, CPUS_MAX } from "../actors.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { GoesRound, AsWritten, Scheduled } from "../pickers.ts";
import { kernelText, type Item, type Look, type Program } from "../program.ts";
import { runsText, type Decision, type Schedule } from "../schedule.ts";
import type { Picker } from "../trace.ts";
import type { End, Trace } from "../trace-events.ts";
import { statementsIn, upToHere, withoutSchedule, type Progress } from "./script-text.ts";
import { breaksSince, rebound, stopsAt, type Stop } from "./stops.ts";
import { Timeline } from "./timeline.ts";

/** Why a run came to rest. */
export type Rest =
  /** Where it was told to: as many steps as were asked for, the end of the text, the start of a race. */
  | { readonly why: "there" }
  | { readonly why: "stop"; readonly stops: readonly string[] }
  | { readonly why: "round"; readonly actors: readonly number[] }
  /** So many steps that it may never end. */
  | { readonly why: "limit"; readonly steps: number }
  | { readonly why: "interrupt" };

/** Text and steps: enough to come back to it. */
interface Snapshot {
  readonly source: SourceText;
  readonly readFile: ReadFile | undefined;
  readonly isOpen: boolean;
  readonly decisions: Schedule;
  readonly at: number;
}
const SNAPSHOTS_MAX = 100;
const STEPS_A_BREATH = 256;
const STEPS_MAX = DEFAULT_LIMITS.maxSteps;

/** A mistake in what was typed; nothing has changed. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly diagnostics: readonly Diagnostic[];
  constructor(message: string, diagnostics: readonly Diagnostic[] = []) {
    super(message);
    this.diagnostics = diagnostics;
  }
}

export class Session {
  timeline: Timeline;
  /** The script so far. */
  source: SourceText;
  /** More statements may come. A script that was opened has an end, until something is typed. */
  isOpen: boolean;
  private asked: readonly Stop[] = [];
  /** Which program their expressions are bound to. */
  private askedOf: Program | undefined;
  private stopCount = 0;
  /** How many statements the line that was typed last has taken the place of. */
  dropped = 0;
  /** How many events stand before those of the line that was typed last. */
  toldBefore = 0;
  /** Another number whenever another run took the place of this one, rather than going on. */
  lineage = 0;
  /** What the last search has found. */
  reports: readonly CheckedReport[] = [];
  /** What was odd about what was typed last, though it is no mistake. */
  warnings: readonly Diagnostic[] = [];
  /** Set from outside to stop what takes long. */
  interrupted = false;
  private undos: Snapshot[] = [];
  private redos: Snapshot[] = [];
  /** Reads what the script includes. */
  private readFile: ReadFile | undefined;

  private constructor(source: SourceText, timeline: Timeline, isOpen: boolean, readFile: ReadFile | undefined) {
    this.source = source;
    this.timeline = timeline;
    this.isOpen = isOpen;
    this.readFile = readFile;
  }
  /** With nothing typed yet, or with a script at its first step. Throws Refused if the script has mistakes. */
  static open(source: SourceText, isOpen: boolean, readFile?: ReadFile): Session {
    const { program } = bound(source, readFile);
    return new Session(source, Timeline.start(program, isOpen), isOpen, readFile);
  }

  get program(): Program {
    return this.timeline.program;
  }
  get kernel(): string {
    return kernelText(this.program.kernel);
  }
  /** Everything that was told so far, as the printers want it. */
  get trace(): Trace {
    const { events, decisions, findings } = this.timeline.recorder;
    const { end } = this.timeline.now;
    const how: End = end === undefined || end === "waits" ? "stopped" : end;
    return { events, end: how, decisions, findings };
  }
  // ---- what is typed

  /**
   * Adds statements behind what has run, and runs them: to their end, or as far as the first race. What had been taken
   * back is forgotten. Throws Refused, and changes nothing, if there is a mistake in it.
   */
  *enter(text: string): Breathing<Rest> {
    const here = this.textUpToHere();
    const base = here === this.source.text ? this.source : new SourceText(this.source.name, here);
    const between = base.text === "" || base.text.endsWith("\n") ? "" : "\n";
    const source = new SourceText(this.source.name, `${base.text}${between}${text}\n`);
    const { program, warnings } = bound(source, this.readFile);
    this.dropped = statementsIn(this.source) - statementsIn(base);
    const { timeline: shorter } = this;
    // Statements were added to a run that is at its end: the rest stays as it is.
    const isLonger =
      this.isOpen &&
      base === this.source &&
      shorter.at === shorter.length &&
      shorter.problem === undefined &&
      !declares(this.program, program);
    const timeline = isLonger ? shorter.extended(program) : this.again(program);
    const before = this.snapshot();
    const old = { timeline: this.timeline, source: this.source, isOpen: this.isOpen, reports: this.reports };
    this.toldBefore = toldBefore(timeline, base.text.length);
    Object.assign(this, { timeline, source, isOpen: true, reports: [] });
    // A statement is inside its function before its first step.
    const stops = breaksSince(timeline, this.stops, this.toldBefore);
    const rest: Rest =
      stops.length > 0 ? { why: "stop", stops } : yield* this.runOn(new AsWritten(), (director) => director.inRace);
    if (timeline.problem !== undefined) {
      const { problem } = timeline;
      Object.assign(this, old);
      throw new Refused(problem.message, [problem.diagnostic(source)]);
    }
    this.remember(before);
    this.warnings = warnings.filter(({ source: from, at }) => from === source && at.start >= base.text.length);
    return rest;
  }
  /** The steps taken, taken again in a program that begins with the same statements. */
  private again(program: Program): Timeline {
    const timeline = Timeline.start(program, true);
    timeline.foresee(this.timeline.decisions.slice(0, this.stepsOfText()));
    while (!timeline.isOver && fits(timeline) && timeline.forward());
    timeline.foresee([]);
    return timeline;
  }
  /** Steps up to here without those that only the end of a script brings. */
  private stepsOfText(): number {
    const { timeline } = this;
    let step = timeline.at;
    while (step > 0 && timeline.moment(step - 1).item >= this.program.items.length) step--;
    return step;
  }
  /** Throws Refused where a script cannot say what the state here is. */
  private textUpToHere(): string {
    const { timeline, program } = this;
    const { director } = timeline;
    const { items } = program;
    if (timeline.now.item >= items.length) return this.source.text;
    if (timeline.problem !== undefined) return this.cutAt({ items, begun: timeline.now.item }); // without the mistake
    const [actor] = director.actors();
    if (director.inRace || actor === undefined) return this.source.text;
    if (actor >= CPUS_MAX)
      throw new Refused(`${actorName(actor)} is in the middle of a callback: let it come to its end first (:step)`);
    const index = items.findLastIndex(
      (item, i) =>
        i <= timeline.now.item &&
        (item.kind === "run" || item.kind === "continue" || item.kind === "step") &&
        item.cpu === actor,
    );
    const item = items[index];
    if (item === undefined) return this.source.text;
    const steps = this.stepsSince(index, actor);
    const isBegun = steps > 0 || index < timeline.now.item;
    const progress = {
      items,
      begun: isBegun ? timeline.now.item + 1 : timeline.now.item,
      ...(isBegun ? { under: { item, steps } } : {}),
    };
    return this.cutAt(progress);
  }
  private cutAt(progress: Progress): string {
    const text = upToHere(this.source, progress);
    if (text !== undefined) return text;
    throw new Refused("a script cannot stop here: step on, or back, to a statement of its own");
  }
  /** Whose a statement without a label is, if it is typed now. */
  get currentCpu(): number {
    const { items, currentCpu = 0 } = this.program;
    if (this.timeline.now.item >= items.length) return currentCpu;
    const begun = items.slice(0, this.timeline.now.item + 1).findLast((item) => "cpu" in item || item.kind === "race");
    if (begun === undefined) return 0;
    return begun.kind === "race" ? (begun.programs.at(-1)?.cpu ?? 0) : "cpu" in begun ? begun.cpu : 0;
  }
  /** How many steps an actor has taken since an item began. */
  private stepsSince(item: number, actor: number): number {
    const { timeline } = this;
    let steps = 0;
    for (let step = timeline.at; step > 0 && timeline.moment(step - 1).item >= item; step--)
      if (timeline.decisions[step - 1]?.actor === actor) steps++;
    return steps;
  }
  /** The script that leads here, and the schedule that it takes. */
  scriptToHere(): string {
    const { timeline } = this;
    const text = withoutSchedule(new SourceText(this.source.name, this.textUpToHere()));
    const lines = [...this.goneOn()];
    // Without a step in its race a script stops there only if its schedule says so.
    if (timeline.schedule.length > 0 || timeline.director.inRace)
      lines.push(`schedule "${runsText(timeline.schedule)}"`);
    const end = text === "" || text.endsWith("\n") ? "" : "\n";
    return lines.length === 0 ? text : `${text}${end}${lines.join("\n")}\n`;
  }
  /** What CPUs did that were paused when the script had ended, as lines of a script. */
  private *goneOn(): Generator<string> {
    const { timeline } = this;
    const steps = timeline.decisions.slice(this.stepsOfText(), timeline.at).map(({ actor }) => actor);
    for (const cpu of new Set(steps.filter((actor) => actor < CPUS_MAX))) {
      const count = steps.filter((actor) => actor === cpu).length;
      const isThrough = timeline.director.machine.isFinished(cpu);
      yield `cpu${cpu}: continue${isThrough ? "" : ` until step ${count}`}`;
    }
  }

  // ---- steps

  /** Takes one step; what had been taken back is forgotten if it leads elsewhere. */
  take(decision: Decision): void {
    const { timeline } = this;
    const ahead = timeline.decisions[timeline.at];
    const leadsElsewhere = ahead !== undefined && (ahead.actor !== decision.actor || ahead.choice !== decision.choice);
    if (leadsElsewhere) this.remember(this.snapshot());
    timeline.take(decision);
  }
  /** Goes on until one of `asked` stops it, or `there` says that it is where it should be. */
  *runOn(
    picker: Picker,
    there: (director: Timeline["director"]) => boolean,
    asked: readonly Stop[] = this.stops,
  ): Breathing<Rest> {
    const { timeline } = this;
    this.interrupted = false;
    const seen = new Set<string>();
    for (let steps = 1; !timeline.isOver; steps++) {
      if (there(timeline.director)) return { why: "there" };
      let decision: Decision | "stop" | undefined;
      try {
        decision = picker.pick(timeline.director);
      } catch (error) {
        if (error instanceof GoesRound) return { why: "round", actors: error.actors };
        throw error;
      }
      if (decision === undefined || decision === "stop") return { why: "there" };
      this.take(decision);
      const stops = stopsAt(timeline, asked);
      if (stops.length > 0) return { why: "stop", stops };
      if (!timeline.isOver && this.goesRound(seen)) return { why: "round", actors: timeline.director.actors() };
      if (steps % STEPS_A_BREATH === 0) yield;
      if (this.interrupted) return { why: "interrupt" };
      if (steps === STEPS_MAX) return { why: "limit", steps };
    }
    return { why: "there" };
  }
  /** Outside races nothing changes any more once a state has come back. */
  private goesRound(seen: Set<string>): boolean {
    const { director } = this.timeline;
    const { lo, hi } = director.machine.memory;
    const [actor] = director.actors();
    if (director.inRace || actor === undefined || director.machine.choices(actor) > 1) {
      seen.clear();
      return false;
    }
    const state = `${lo} ${hi}`;
    if (seen.has(state)) return true;
    seen.add(state);
    return false;
  }
  /** The known way, as far as `to`, as it goes, or one of `asked` stops it. */
  *replay(to: number, asked: readonly Stop[] = this.stops): Breathing<Rest> {
    const { timeline } = this;
    this.interrupted = false;
    while (timeline.at < to && !timeline.isOver && timeline.forward()) {
      const stops = stopsAt(timeline, asked);
      if (stops.length > 0) return { why: "stop", stops };
      if (timeline.at % STEPS_A_BREATH === 0) yield;
      if (this.interrupted) return { why: "interrupt" };
    }
    return { why: "there" };
  }
  /** Back, step by step, until something stops it; `to` at the latest. */
  *reverse(to: number): Breathing<Rest> {
    const { timeline } = this;
    this.interrupted = false;
    while (timeline.at > to) {
      timeline.backTo(timeline.at - 1);
      const stops = stopsAt(timeline, this.stops);
      if (stops.length > 0) return { why: "stop", stops };
      if (timeline.at % STEPS_A_BREATH === 0) yield;
      if (this.interrupted) return { why: "interrupt" };
    }
    return { why: "there" };
  }

  // ---- other scripts

  /** Puts a script in the place of this one, at its first step. Throws Refused if it has mistakes. */
  replace(source: SourceText, isOpen: boolean, readFile = this.readFile): void {
    const { program, warnings } = bound(source, readFile);
    const timeline = Timeline.start(program, isOpen);
    this.remember(this.snapshot());
    this.warnings = warnings;
    Object.assign(this, { source, readFile, timeline, isOpen, reports: [], lineage: this.lineage + 1 });
  }
  /** The same script at its end rather than waiting for more of it, or at its first step, along a schedule. */
  *follow(schedule: Schedule): Breathing<void> {
    this.replaceTimeline(Timeline.start(this.program, false), false);
    const { timeline } = this;
    const picker = new Scheduled(schedule);
    for (let steps = 1; !timeline.isOver; steps++) {
      const decision = picker.pick(timeline.director);
      if (decision === undefined || decision === "stop") break;
      timeline.take(decision);
      if (steps % STEPS_A_BREATH === 0) yield;
    }
  }
  private replaceTimeline(timeline: Timeline, isOpen: boolean): void {
    this.remember(this.snapshot());
    Object.assign(this, { timeline, isOpen, lineage: this.lineage + 1 });
  }
  /** Lets the script end: CPUs that are paused run on, and what is left over is looked for. */
  *end(): Breathing<Rest> {
    const decisions = this.timeline.decisions.slice(0, this.timeline.at);
    this.replaceTimeline(Timeline.start(this.program, false), false);
    this.timeline.foresee(decisions);
    yield* this.replay(decisions.length, []);
    return yield* this.runOn(new AsWritten(), () => false, []);
  }

  // ---- stops

  /** Breakpoints and watched expressions, by number: what these name is what the script now calls so. */
  get stops(): readonly Stop[] {
    if (this.askedOf !== this.program) this.asked = this.asked.map((stop) => rebound(stop, this.program));
    this.askedOf = this.program;
    return this.asked;
  }
  addStop(
    stop: Omit<Extract<Stop, { kind: "break" }>, "number"> | Omit<Extract<Stop, { kind: "watch" }>, "number">,
  ): Stop {
    const added = { ...stop, number: ++this.stopCount } as Stop;
    this.asked = [...this.stops, added];
    return added;
  }
  /** False if there is none of that number. */
  deleteStop(number: number): boolean {
    const rest = this.stops.filter((stop) => stop.number !== number);
    const found = rest.length < this.stops.length;
    this.asked = rest;
    return found;
  }
  /** Binds an expression to the names that the script has by now. Throws Refused. */
  look(text: string): Look {
    const source = new SourceText("expression", text);
    const result = this.program.look?.(source) ?? [];
    if ("holds" in result) return result;
    throw new Refused("an expression is wanted here, not a statement: `mm.mm_users`, `gpu.seq == 2`", result);
  }

  // ---- undo

  private snapshot(): Snapshot {
    const { source, readFile, isOpen, timeline } = this;
    return { source, readFile, isOpen, decisions: timeline.decisions.slice(), at: timeline.at };
  }
  private remember(snapshot: Snapshot): void {
    this.undos = [...this.undos.slice(-SNAPSHOTS_MAX + 1), snapshot];
    this.redos = [];
  }
  /** Takes back the last change of the script or of the way through it; false if there was none. */
  undo(): boolean {
    return this.restore(this.undos, this.redos);
  }
  redo(): boolean {
    return this.restore(this.redos, this.undos);
  }
  private restore(from: Snapshot[], to: Snapshot[]): boolean {
    const snapshot = from.at(-1);
    if (snapshot === undefined) return false;
    const { source, readFile, isOpen, decisions, at } = snapshot;
    const timeline = Timeline.start(bound(source, readFile).program, isOpen);
    timeline.foresee(decisions);
    while (timeline.at < at && timeline.forward());
    from.pop();
    to.push(this.snapshot());
    Object.assign(this, { source, readFile, isOpen, timeline, reports: [], lineage: this.lineage + 1 });
    return true;
  }
}

function bound(
  source: SourceText,
  readFile: ReadFile | undefined,
): { readonly program: Program; readonly warnings: readonly Diagnostic[] } {
  const { programs, diagnostics } = bindScript(source, readFile === undefined ? {} : { readFile });
  const [program, ...others] = programs;
  if (program === undefined) throw new Refused("the script has mistakes", diagnostics);
  if (others.length > 0 || /^\s*for\s+kernel\b/m.test(source.text))
    throw new Refused(
      "a session is about one kernel: take `for kernel` out, and use `:kernel` to go from one to another",
    );
  return { program, warnings: diagnostics };
}
/** How many events there are before the first statement that stands behind so much of the text. */
function toldBefore({ program, recorder }: Timeline, length: number): number {
  const isRun = ({ kind }: Item): boolean => kind === "run" || kind === "continue" || kind === "step";
  const older = program.items.filter((item) => isRun(item) && (item.from !== program.source || item.at.start < length));
  const { events } = recorder;
  let statements = 0;
  const index = events.findIndex(({ kind }) => kind === "statement" && ++statements > older.length);
  return index === -1 ? events.length : index;
}
/** Whether the longer program has other functions or another kernel: then what has run may have to run otherwise. */
function declares(old: Program, longer: Program): boolean {
  return old.declarations !== longer.declarations || kernelText(old.kernel) !== kernelText(longer.kernel);
}
/** Whether the next step of the known way can be taken. */
function fits(timeline: Timeline): boolean {
  const next = timeline.decisions[timeline.at];
  return (
    next !== undefined && timeline.open().some(({ actor, choice }) => actor === next.actor && choice === next.choice)
  );
}
