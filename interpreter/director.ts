/**
 * Leads a machine through a program: which actors may move now, and what follows when none can. Everything it knows
 * about where the script stands lives in words of the machine, so it is hashed with the state and undone with it.
 *
 * Between races one statement runs after the other; in a race anybody may move.
 */
import { type ControlEvent } from "../runtime/machine/automaton.ts";
import { Moved, type Machine } from "../runtime/machine/machine.ts";
import type { Report } from "../runtime/machine/report.ts";
import { ACTORS_MAX } from "../runtime/machine/rcu.ts";
import { int, Struct, words } from "../runtime/machine/struct.ts";
import { staticObject } from "../runtime/machine/types.ts";
import { invoke_callbacks, rcu } from "../runtime/machine/rcu.ts";
import { process_works } from "../runtime/machine/workqueue.ts";
import { srcu } from "../runtime/mm/mmu_notifier_hlist.ts";
import { ACTORS, actorName, CPUS_MAX, RCU_ACTOR, SRCU_ACTOR, WORK_ACTOR } from "./actors.ts";
import { brokenText } from "./expectation.ts";
import type { ExpectItem, Item, Program, Until } from "./program.ts";
import type { Decision } from "./schedule.ts";
import { ScriptError } from "./script-error.ts";

const Status = { idle: 0, running: 1, paused: 2, blocked: 3 } as const;

class script_position extends Struct {
  /** The item that runs; items.length when the script is over. */
  item = int();
  /** 0 before the item has begun; 1 while it runs; 2 while others run that it unblocked. */
  phase = int();
  /** Who runs now, outside races. */
  current = int();
  /** Per actor: Status; the item whose `until` it runs under plus one; how often that place was met. */
  status = words(ACTORS_MAX);
  governs = words(ACTORS_MAX);
  met = words(ACTORS_MAX);
}
const position = staticObject(script_position);

/** What becomes of a state in which nobody can move. `waits`: the script is to go on, and nobody has said how yet. */
export type Stuck = "goes on" | "final" | "deadlock" | "fatal" | "waits";

export interface DirectorEvents {
  /** A script's item begins or, for `expect` and `show`, is met. */
  item?(item: Item): void;
  /** An actor passed through calls and returns between two steps. */
  control?(actor: number, events: readonly ControlEvent[]): void;
  blocked?(actor: number): void;
  /** Its statement is left in the middle, for `until` or `step` says so. */
  paused?(actor: number): void;
  /** It came to its end without meeting the place that its `until` names. */
  missed?(actor: number): void;
  /** A condition of an `expect` holds here. */
  met?(item: ExpectItem): void;
}

export class Director {
  readonly machine: Machine;
  readonly program: Program;
  listener: DirectorEvents | null = null;
  /** At a prompt: behind the last statement there may come another. */
  awaitsMore = false;
  private readonly raceActors = new Map<Item, readonly number[]>();

  constructor(machine: Machine, program: Program) {
    this.machine = machine;
    this.program = program;
    machine.load(RCU_ACTOR, invoke_callbacks.id, [rcu]);
    machine.load(SRCU_ACTOR, invoke_callbacks.id, [srcu]);
    machine.load(WORK_ACTOR, process_works.id, []);
  }

  // ---- the words

  private get(ref: { addr: number }): number {
    return this.machine.memory.peek(ref.addr);
  }
  private put(ref: { addr: number }, value: number): void {
    this.machine.memory.set(this.machine.memory.wordAt(ref.addr), value);
  }
  /** Which item of the program runs, or is next; how many there are when the script is over. */
  get itemIndex(): number {
    return this.get(position.item);
  }
  get item(): Item | undefined {
    return this.program.items[this.itemIndex];
  }
  statusOf(actor: number): "idle" | "running" | "paused" | "blocked" {
    if (this.machine.isFinished(actor)) return "idle";
    const status = this.get(position.status.at(actor));
    return status === Status.paused ? "paused" : status === Status.blocked ? "blocked" : "running";
  }

  /** Whether all may move in any order. */
  get inRace(): boolean {
    return this.get(position.phase) === 1 && this.item?.kind === "race";
  }
  /** Who may move now; some of them may turn out to be blocked. */
  actors(): readonly number[] {
    const item = this.item;
    if (item?.kind === "race" && this.inRace) return this.actorsOfRace(item);
    const current = this.get(position.current) - 1;
    return current >= 0 ? [current] : [];
  }
  /** Who takes part in a race: always the same list for the same race. */
  actorsOfRace(item = this.item): readonly number[] {
    if (item?.kind !== "race") return [];
    let actors = this.raceActors.get(item);
    if (actors === undefined) {
      actors = [...item.programs.map((p) => p.cpu), RCU_ACTOR, SRCU_ACTOR, WORK_ACTOR];
      this.raceActors.set(item, actors);
    }
    return actors;
  }

  /** Takes a step. Outside races the script may thereby come to its next statement. */
  take(actor: number, choice: number): Moved {
    const moved = this.move(actor, choice);
    if (this.program.invariants.length > 0 && moved !== Moved.blocked && moved !== Moved.fatal)
      return this.checkInvariants(actor) ? moved : Moved.fatal;
    return moved;
  }
  private checkInvariants(actor: number): boolean {
    const broken = this.program.invariants.find((invariant) => !invariant.holds(this.machine));
    if (broken === undefined) return true;
    this.machine.complain("expectation", brokenText(broken.text), actor);
    return false;
  }
  private move(actor: number, choice: number): Moved {
    if (this.inRace) {
      if (this.listener === null) return this.machine.step(actor, choice);
      const events: ControlEvent[] = [];
      const moved = this.machine.step(actor, choice, events);
      if (moved !== Moved.blocked) this.listener.control?.(actor, events);
      return moved;
    }
    const events: ControlEvent[] = [];
    const isHeard = this.listener !== null || this.untilOf(actor) !== undefined;
    const moved = this.machine.step(actor, choice, isHeard ? events : undefined);
    if (moved === Moved.blocked) return moved;
    this.listener?.control?.(actor, events);
    if (moved === Moved.fatal) return moved;
    this.afterStep(actor, events);
    return moved;
  }

  // ---- one statement after the other

  /** After a step outside a race: does the actor stop here? */
  private afterStep(actor: number, events: readonly ControlEvent[]): void {
    const isThere = this.countsTowardsUntil(actor, events, true);
    if (this.machine.isFinished(actor)) {
      const until = this.untilOf(actor);
      if (until !== undefined && until.place.kind !== "steps" && !isThere) this.listener?.missed?.(actor);
      return this.leave(actor, Status.idle);
    }
    if (isThere) return this.leave(actor, Status.paused);
  }
  private leave(actor: number, status: number): void {
    this.put(position.status.at(actor), status);
    this.put(position.current, 0);
    if (status === Status.paused) this.listener?.paused?.(actor);
    if (status !== Status.blocked) {
      this.put(position.governs.at(actor), 0);
      this.put(position.met.at(actor), 0);
    }
  }
  private untilOf(actor: number): Until | undefined {
    const item = this.program.items[this.get(position.governs.at(actor)) - 1];
    if (item?.kind === "step") return { place: { kind: "steps" }, count: item.count };
    return item?.kind === "run" || item?.kind === "continue" ? item.until : undefined;
  }
  /** How often it came to an instruction of a function of the script. */
  private timesAtLabel(events: readonly ControlEvent[], places: readonly { fn: number; pc: number }[]): number {
    return events.filter(
      (event) => event.kind === "tailCall" && places.some(({ fn, pc }) => fn === event.fn && pc === event.args[0]),
    ).length;
  }
  /** `isStep`: a step was taken; otherwise its statement has just begun. */
  private countsTowardsUntil(actor: number, events: readonly ControlEvent[], isStep: boolean): boolean {
    const until = this.untilOf(actor);
    if (until === undefined || until.place.kind === "blocked") return false;
    const { place } = until;
    if (place.kind === "steps") return this.countsSteps(actor, until.count, isStep);
    const met =
      place.kind === "text"
        ? Number(this.machine.nextStep(actor)?.text(this.machine).includes(place.text) ?? false)
        : place.kind === "label"
          ? this.timesAtLabel(events, place.places())
          : this.timesAt(actor, events, place.name, place.returns);
    if (met === 0) return false;
    const total = this.get(position.met.at(actor)) + met;
    this.put(position.met.at(actor), total);
    return total >= until.count;
  }
  private countsSteps(actor: number, count: number, isStep: boolean): boolean {
    const met = position.met.at(actor);
    if (isStep) this.put(met, this.get(met) + 1);
    return this.get(met) >= count;
  }
  /**
   * How often a function was entered, or returned from. It may be told in parts that go by its name, one inside the
   * other or one after the other; it has returned when none of them is left on the stack.
   */
  private timesAt(actor: number, events: readonly ControlEvent[], name: string, returns: boolean): number {
    const { machine } = this;
    const isPart = (event: ControlEvent): boolean =>
      event.kind !== "allocate" && machine.automaton.functionName(event.fn) === name;
    let times = 0;
    // Backwards, for how many parts are left is known at the end.
    let inside = machine.framesOf(actor).filter((frame) => frame.name === name).length;
    for (const event of [...events].reverse()) {
      if (!isPart(event)) continue;
      if (event.kind === "call") inside--;
      if (inside === 0 && (event.kind === "return") === returns && event.kind !== "tailCall") times++;
      if (event.kind === "return") inside++;
    }
    return times;
  }

  /**
   * Nobody can move. Goes on to what follows in the script, if anything does; `reports` of the machine says why when
   * that ends the path. To be called until somebody can move again, or the answer is not "goes on".
   */
  stuck(): Stuck {
    this.machine.reports = [];
    this.machine.news = [];
    if (this.inRace) return this.leaveRace();
    const current = this.get(position.current) - 1;
    if (current >= 0) {
      this.listener?.blocked?.(current);
      this.leave(current, Status.blocked);
      return "goes on";
    }
    if (this.get(position.phase) !== 0) {
      const next = this.unblocked();
      if (next !== undefined) return this.resume(next, 2);
      this.put(position.phase, 0);
      if (this.item !== undefined) this.put(position.item, this.itemIndex + 1);
    }
    return this.nextItem();
  }
  private leaveRace(): Stuck {
    const item = this.item as Extract<Item, { kind: "race" }>;
    if (item.programs.some((p) => !this.machine.isFinished(p.cpu))) return "deadlock";
    this.put(position.phase, 0);
    this.put(position.item, this.itemIndex + 1);
    return "goes on";
  }
  /** The first actor that was blocked and is not any more, or has work to do. */
  private unblocked(): number | undefined {
    for (let actor = 0; actor < ACTORS; actor++) {
      const isCpu = actor < CPUS_MAX;
      if (isCpu && this.get(position.status.at(actor)) !== Status.blocked) continue;
      if (this.machine.isFinished(actor) || !this.canMove(actor)) continue;
      return actor;
    }
    return undefined;
  }
  canMove(actor: number): boolean {
    return this.openChoices(actor).length > 0;
  }
  /** The choices of an actor's next step that can be taken now: tried, and undone. */
  openChoices(actor: number): number[] {
    const { machine } = this;
    const mark = machine.mark();
    const { reports } = machine;
    machine.reports = []; // what is only tried reports nothing
    const open = [];
    for (let choice = 0; choice < machine.choices(actor); choice++) {
      if (machine.step(actor, choice) !== Moved.blocked) open.push(choice);
      machine.undoTo(mark);
    }
    machine.reports = reports;
    machine.news = [];
    return open;
  }
  /** Everything that can be done now. */
  openDecisions(): Decision[] {
    return this.actors().flatMap((actor) => this.openChoices(actor).map((choice) => ({ actor, choice })));
  }
  private resume(actor: number, phase: 1 | 2): Stuck {
    this.put(position.phase, phase);
    this.put(position.current, actor + 1);
    this.put(position.status.at(actor), Status.running);
    return "goes on";
  }

  private nextItem(): Stuck {
    const item = this.item;
    if (item === undefined) return this.awaitsMore ? "waits" : this.end();
    this.listener?.item?.(item);
    switch (item.kind) {
      case "run":
        return this.begin(item);
      case "continue":
      case "step":
        return this.goOn(item);
      case "race":
        return this.beginRace(item);
      case "expect":
        this.put(position.item, this.itemIndex + 1);
        return this.expect(item);
      case "show":
        this.put(position.item, this.itemIndex + 1);
        return "goes on";
    }
  }
  private goOn(item: Extract<Item, { kind: "continue" | "step" }>): Stuck {
    const { cpu } = item;
    if (this.machine.isFinished(cpu)) throw nothingToContinue(cpu, item);
    this.put(position.governs.at(cpu), this.itemIndex + 1);
    this.put(position.met.at(cpu), 0);
    this.resume(cpu, 1);
    const until = this.untilOf(cpu);
    if (until?.place.kind === "steps" && this.countsSteps(cpu, until.count, false)) this.leave(cpu, Status.paused);
    return "goes on";
  }
  private expect(item: ExpectItem): Stuck {
    const { expectation } = item;
    if (expectation.kind === "blocked") {
      if (this.isBlockedOn(expectation.cpu, expectation.lock?.(this.machine))) this.listener?.met?.(item);
    } else if (expectation.kind === "condition") {
      if (expectation.holds(this.machine)) this.listener?.met?.(item);
      else if (!expectation.sometimes) {
        this.machine.complain("expectation", brokenText(item.text));
        return "fatal";
      }
    }
    return "goes on";
  }
  /** Whether a CPU waits, for that lock if one is named. */
  isBlockedOn(cpu: number, lock: number | undefined): boolean {
    if (this.machine.isFinished(cpu) || this.canMove(cpu)) return false;
    const step = this.machine.nextStep(cpu);
    return lock === undefined || step?.addr === lock || (step?.args.includes(lock) ?? false);
  }
  private begin(item: Extract<Item, { kind: "run" }>): Stuck {
    const { cpu } = item;
    if (this.isStuckAfterRace(cpu)) return "deadlock";
    this.mustBeFree(cpu, item);
    this.put(position.governs.at(cpu), this.itemIndex + 1);
    this.put(position.met.at(cpu), 0);
    this.put(position.phase, 1);
    const events: ControlEvent[] = [];
    const moved = this.load(cpu, item.code.fn, events);
    if (moved === Moved.fatal) return "fatal";
    this.put(position.current, cpu + 1);
    this.put(position.status.at(cpu), Status.running);
    if (this.machine.isFinished(cpu)) this.leave(cpu, Status.idle);
    else if (this.countsTowardsUntil(cpu, events, false)) this.leave(cpu, Status.paused);
    return "goes on";
  }
  /** Starts a program; what it reports before its first step is kept beside what others did. */
  private load(cpu: number, fn: number, events: ControlEvent[]): Moved {
    const { machine } = this;
    const { reports } = machine;
    machine.reports = [];
    const moved = machine.load(cpu, fn, [0], events);
    machine.reports = [...reports, ...machine.reports];
    this.listener?.control?.(cpu, events);
    return moved;
  }
  /**
   * What comes before it has left the CPU waiting. Behind a race that is an outcome of the race: whoever could give it
   * what it waits for is through.
   */
  private isStuckAfterRace(cpu: number): boolean {
    if (this.machine.isFinished(cpu) || this.statusOf(cpu) !== "blocked") return false;
    return this.program.items.slice(0, this.itemIndex).some((item) => item.kind === "race");
  }
  private mustBeFree(cpu: number, item: Item): void {
    if (this.machine.isFinished(cpu)) return;
    const inside = this.machine.stackOf(cpu)[0]?.name;
    const status = this.statusOf(cpu);
    const help =
      status === "blocked"
        ? "another CPU has to give it what it waits for first"
        : `\`cpu${cpu}: continue\` lets it go on first`;
    const where = inside === undefined ? "" : ` inside ${inside}`;
    throw new ScriptError("E241", item.at, `cpu${cpu} is still ${status}${where}`, help).in(item.from);
  }
  private beginRace(item: Extract<Item, { kind: "race" }>): Stuck {
    for (const { cpu, code, resumes } of item.programs) {
      if (resumes) {
        this.resumeInRace(cpu, code.fn, item);
        continue;
      }
      if (this.isStuckAfterRace(cpu)) return "deadlock";
      this.mustBeFree(cpu, item);
      const events: ControlEvent[] = [];
      if (this.load(cpu, code.fn, events) === Moved.fatal) return "fatal";
    }
    this.put(position.phase, 1);
    return "goes on";
  }

  /** The call that it is in the middle of comes first; then the rest of its program. */
  private resumeInRace(cpu: number, fn: number, item: Item): void {
    if (this.machine.isFinished(cpu)) throw nothingToContinue(cpu, item);
    this.machine.loadUnder(cpu, fn, [0]);
    this.put(position.status.at(cpu), Status.running);
    this.put(position.governs.at(cpu), 0);
    this.put(position.met.at(cpu), 0);
  }

  /** The script is over: CPUs that are paused run on in order; one that can never run is a deadlock. */
  private end(): Stuck {
    for (let cpu = 0; cpu < CPUS_MAX; cpu++) {
      if (this.machine.isFinished(cpu) || !this.canMove(cpu)) continue;
      return this.resume(cpu, 2);
    }
    for (let cpu = 0; cpu < CPUS_MAX; cpu++) if (!this.machine.isFinished(cpu)) return "deadlock";
    for (const actor of [RCU_ACTOR, SRCU_ACTOR, WORK_ACTOR]) {
      if (this.canMove(actor)) return this.resume(actor, 2);
      if (!this.machine.isIdle(actor)) return "deadlock";
    }
    return "final";
  }

  /** In a deadlock: the CPUs that can never run again. */
  stuckActors(): number[] {
    const actors = [];
    for (let actor = 0; actor < ACTORS; actor++)
      if (!this.machine.isFinished(actor) && !this.machine.isIdle(actor)) actors.push(actor);
    return actors;
  }
  nameOf(actor: number): string {
    return actorName(actor);
  }
  /** Whether steps may be taken on the machine itself: in a race, with nobody listening and nothing to watch. */
  get isTransparent(): boolean {
    return this.listener === null && this.program.invariants.length === 0 && this.inRace;
  }

  /** The reports of the step, or of the item, that was just taken. */
  get reports(): readonly Report[] {
    return this.machine.reports;
  }
}

function nothingToContinue(cpu: number, { at, from }: Item): ScriptError {
  return new ScriptError("E240", at, `cpu${cpu} has nothing to go on with`, "it is not inside a call").in(from);
}
