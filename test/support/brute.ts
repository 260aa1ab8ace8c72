/**
 * The naive enumerator: every interleaving by plain recursion, each state told from others by everything it consists
 * of, spelled out. No fingerprint, no bound, no reduction: slow, and what the searches are measured against.
 */
import { Moved, type Machine } from "../../runtime/machine/machine.ts";
import { invoke_callbacks, rcu } from "../../runtime/machine/rcu.ts";
import { classOf, describe, isFatal } from "../../runtime/machine/report.ts";
import { process_works } from "../../runtime/machine/workqueue.ts";
import { srcu } from "../../runtime/mm/mmu_notifier_hlist.ts";

/** Actors that run callbacks, as the director numbers them, by the name they go by. */
export const HELPERS: ReadonlyMap<number, string> = new Map([
  [8, "rcu"],
  [9, "srcu"],
  [10, "work"],
]);

export function loadHelpers(machine: Machine): void {
  machine.load(8, invoke_callbacks.id, [rcu]);
  machine.load(9, invoke_callbacks.id, [srcu]);
  machine.load(10, process_works.id, []);
}

export interface Edge {
  readonly actor: number;
  readonly choice: number;
  /** Events of the step: reports by class. */
  readonly events: readonly string[];
  /** The state it leads to; -1 when the path ends there. */
  readonly to: number;
}
export interface State {
  readonly edges: Edge[];
  /** What it is the end of: a deadlock, or a final state with its leaks. Empty: no end. */
  end: readonly string[];
}
export interface Graph {
  readonly states: readonly State[];
  readonly transitions: number;
  /** Everything that was met: "report <class>" and "final <values>". */
  readonly events: ReadonlySet<string>;
  readonly deadlocks: number;
  readonly finals: number;
  /** States from which no end can be reached. */
  readonly trapped: ReadonlySet<number>;
}
export interface BruteOptions {
  /** CPUs of the race; the helpers come along. */
  readonly cpus: readonly number[];
  /** What final states are told apart by. */
  readonly outcome?: () => string;
  /** Files reports about a final state, such as leaks. */
  readonly atEnd?: () => void;
  /** Looks at every state when it is new. */
  readonly look?: () => void;
  readonly statesMax?: number;
}

/** All of a state: words that are not zero, where everybody stands, what everybody holds. */
export function contentOf(machine: Machine): string {
  const { memory, locals } = machine;
  const parts: string[] = [];
  for (let word = 2; word < memory.size; word++)
    if (memory.words[word] !== 0) parts.push(`${word}=${memory.words[word]}`);
  const held = [...locals.keys()].map((actor) => machine.locksOf(actor).map((h) => `${h.lock}/${h.mode}`));
  return `${parts.join()};${locals.join()};${held.join("|")}`;
}

export class TooLarge extends Error {}

class Brute {
  private readonly machine: Machine;
  private readonly options: BruteOptions;
  private readonly numbers = new Map<string, number>();
  private readonly states: State[] = [];
  private readonly events = new Set<string>();
  private transitions = 0;
  private deadlocks = 0;
  private finals = 0;

  constructor(machine: Machine, options: BruteOptions) {
    this.machine = machine;
    this.options = options;
    machine.lockOrder.remembers = true;
  }

  run(): Graph {
    this.visit(contentOf(this.machine));
    const { states, transitions, events, deadlocks, finals } = this;
    return { states, transitions, events, deadlocks, finals, trapped: trappedIn(states) };
  }

  private visit(content: string): number {
    const known = this.numbers.get(content);
    if (known !== undefined) return known;
    const { machine, options } = this;
    const number = this.numbers.size;
    this.numbers.set(content, number);
    if (number > (options.statesMax ?? Infinity)) throw new TooLarge(`more than ${options.statesMax} states`);
    const state: State = { edges: [], end: [] };
    this.states.push(state);
    options.look?.();
    for (const actor of [...options.cpus, ...HELPERS.keys()])
      for (let choice = 0; choice < machine.choices(actor); choice++) this.tryStep(state, content, actor, choice);
    if (state.edges.length === 0) state.end = this.endHere();
    return number;
  }
  private tryStep(state: State, content: string, actor: number, choice: number): void {
    const { machine } = this;
    const mark = machine.mark();
    const moved = machine.step(actor, choice);
    if (moved !== Moved.blocked) {
      this.transitions++;
      const events = machine.reports.map((report) => this.meet(`report ${classOf(describe(machine, report))}`));
      const ends = moved === Moved.fatal || machine.reports.some((report) => isFatal(report.kind));
      state.edges.push({ actor, choice, events, to: ends ? -1 : this.visit(contentOf(machine)) });
    }
    machine.undoTo(mark);
    if (contentOf(machine) !== content) throw new Error(`going back over a step of actor ${actor} left something`);
  }
  private meet(event: string): string {
    this.events.add(event);
    return event;
  }
  private endHere(): string[] {
    const { machine, options } = this;
    const isStuck = (actor: number): boolean => !machine.isFinished(actor) && !machine.isIdle(actor);
    const stuck = [...machine.locals.keys()].filter(isStuck);
    if (stuck.length > 0) {
      this.deadlocks++;
      const waits = stuck.map((actor) => `${nameOf(actor)} waits in ${machine.nextStep(actor)?.text(machine)}`);
      const outermost = machine.stackOf(stuck[0] as number).at(-1)?.name ?? "";
      return [this.meet(`report deadlock|${outermost}|${waits.join("; ")}`)];
    }
    this.finals++;
    machine.reports = [];
    options.atEnd?.();
    const reports = machine.reports.map((report) => this.meet(`report ${classOf(describe(machine, report))}`));
    return [...reports, this.meet(`final ${options.outcome?.() ?? ""}`)];
  }
}
const nameOf = (actor: number): string => HELPERS.get(actor) ?? `cpu${actor}`;

/** Everything that can happen from where the machine stands. */
export function brute(machine: Machine, options: BruteOptions): Graph {
  return new Brute(machine, options).run();
}

/** The states that lead to no end, whatever order of steps is chosen. */
function trappedIn(states: readonly State[]): Set<number> {
  const before: number[][] = states.map(() => []);
  const saved = new Set<number>();
  for (const [number, { edges, end }] of states.entries()) {
    if (end.length > 0) saved.add(number);
    for (const { to } of edges)
      if (to === -1) saved.add(number);
      else before[to]?.push(number);
  }
  for (const number of saved) for (const from of before[number] ?? []) saved.add(from);
  return new Set([...states.keys()].filter((number) => !saved.has(number)));
}

export interface Cost {
  readonly switches: number;
  readonly steps: number;
}

/** For each event the fewest switches of CPU on a way there and, with so many, the fewest steps. */
export function cheapest(graph: Graph): Map<string, Cost> {
  const best = new Map<string, Cost>();
  const seen = new Set<string>();
  const note = (events: readonly string[], { switches, steps }: Cost): void => {
    for (const event of events) if (isLess({ switches, steps }, best.get(event))) best.set(event, { switches, steps });
  };
  interface Place extends Cost {
    readonly state: number;
    readonly last: number;
  }
  // Places by switches, then steps: within one number of switches the steps only grow, so this takes them in order.
  const levels: Place[][][] = [[[{ state: 0, last: -1, switches: 0, steps: 0 }]]];
  const put = (place: Place): void => {
    const level = (levels[place.switches] ??= []);
    (level[place.steps] ??= []).push(place);
  };
  for (let k = 0; k < levels.length; k++) {
    const level = levels[k] ?? [];
    for (let n = 0; n < level.length; n++)
      for (const place of level[n] ?? []) {
        const key = `${place.state}/${place.last}`;
        if (seen.has(key)) continue;
        seen.add(key);
        const { edges, end } = graph.states[place.state] as State;
        note(end, place);
        for (const { actor, events, to } of edges) {
          const isSwitch = place.last !== -1 && place.last !== actor;
          const cost = { switches: place.switches + (isSwitch ? 1 : 0), steps: place.steps + 1 };
          note(events, cost);
          if (to !== -1) put({ state: to, last: actor, ...cost });
        }
      }
  }
  return best;
}
function isLess(a: Cost, b: Cost | undefined): boolean {
  return b === undefined || a.switches < b.switches || (a.switches === b.switches && a.steps < b.steps);
}
