/** Who moves next, for those who follow one schedule. */
import type { Director } from "./director.ts";
import type { RaceItem } from "./program.ts";
import type { Decision, Schedule } from "./schedule.ts";
import type { Picker } from "./trace.ts";

/**
 * As the script has it: statement by statement in the order of the text, each as far as it goes. A CPU that goes round
 * in circles waits for the others.
 */
export class AsWritten implements Picker {
  private readonly seen = new Set<string>();
  private readonly spinning = new Set<number>();

  pick(director: Director): Decision | undefined {
    const open = director.actors().filter((actor) => director.openChoices(actor).length > 0);
    if (open.length === 0) return undefined;
    const { lo, hi } = director.machine.memory;
    const order = director.inRace ? byText(director, open) : open;
    let actor = order.find((a) => !this.spinning.has(a)) ?? order[0];
    const state = `${lo}:${hi}:${actor}`;
    if (director.inRace && actor !== undefined && this.seen.has(state)) {
      this.spinning.add(actor);
      actor = order.find((a) => !this.spinning.has(a)) ?? actor;
      if (this.spinning.size >= order.length) throw new GoesRound(order);
    } else this.seen.add(state);
    if (actor === undefined) return undefined;
    const [choice] = director.openChoices(actor);
    return { actor, choice: choice ?? 0 };
  }
}
/** Every CPU that could move only comes back to where it was. */
export class GoesRound extends Error {
  readonly actors: readonly number[];
  constructor(actors: readonly number[]) {
    super("goes round");
    this.actors = actors;
  }
}

/** CPUs by the place of the statement they are at; callbacks after them. */
function byText(director: Director, actors: readonly number[]): number[] {
  const item = director.item as RaceItem;
  const placeOf = (actor: number): number => {
    const program = item.programs.find((p) => p.cpu === actor);
    const position = director.machine.scriptPosition(actor)?.args[0];
    if (program === undefined || typeof position !== "number") return Infinity;
    return program.code.places[position]?.start ?? Infinity;
  };
  return [...actors].sort((a, b) => placeOf(a) - placeOf(b));
}

/** A schedule's decisions in turn. When they are used up in the middle of a race, that is where it stops. */
export class Scheduled implements Picker {
  private readonly schedule: Schedule;
  private next = 0;
  /** What does not fit, if anything: the schedule is of an older version, or was edited. */
  mismatch: string | undefined;

  constructor(schedule: Schedule) {
    this.schedule = schedule;
  }
  pick(director: Director): Decision | "stop" | undefined {
    const open = director.openDecisions();
    const [first] = open;
    if (first === undefined) return undefined;
    if (!director.inRace && director.machine.choices(first.actor) === 1) return first;
    const decision = this.schedule[this.next];
    if (decision === undefined) return "stop";
    this.next++;
    if (open.some((d) => d.actor === decision.actor && d.choice === decision.choice)) return decision;
    this.mismatch = `its step ${this.next} cannot be taken`;
    return "stop";
  }
}

/** Uniformly at random, the same for the same seed. */
export class Seeded implements Picker {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  pick(director: Director): Decision | undefined {
    const open = director.openDecisions();
    return open[Math.floor(this.random() * open.length)];
  }
  /** mulberry32 */
  private random(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}
