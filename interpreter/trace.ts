/**
 * What happened, event by event. A schedule is run again with somebody listening; the printer, the diagram, the
 * goldens and `--json` all read what was heard.
 */
import type { Director } from "./director.ts";
import { livelockFinding } from "./findings.ts";
import { goRoundText } from "./liveness.ts";
import { Recorder, type Show } from "./recorder.ts";
import type { Decision } from "./schedule.ts";
import type { End, Trace } from "./trace-events.ts";

/** Who moves next when several may. Undefined: nobody can; the script goes on. */
export interface Picker {
  pick(director: Director): Decision | "stop" | undefined;
}

export interface RecordOptions {
  readonly maxSteps: number;
  /** Who goes round where the schedule ends: one round of it is told. */
  readonly rounders?: readonly number[];
  readonly show?: Show;
}

/** Runs the machine to the end of the script, as `picker` says, and undoes nothing. */
export function record(director: Director, picker: Picker, options: RecordOptions): Trace {
  return new Run(director, picker, options).run();
}

class Run {
  private readonly director: Director;
  private readonly picker: Picker;
  private readonly options: RecordOptions;
  private readonly recorder: Recorder;
  private readonly beenHere = new Set<string>();
  /** States in races, and how many decisions led to each; and to which of them the last step came back. */
  private readonly raceStates = new Map<string, number>();
  private cameBackTo: number | undefined;

  constructor(director: Director, picker: Picker, options: RecordOptions) {
    this.director = director;
    this.picker = picker;
    this.options = options;
    this.recorder = new Recorder(director, options.show);
  }

  run(): Trace {
    const { recorder } = this;
    let end: End | undefined;
    while (end === undefined) {
      end = this.turn();
      if (end === undefined && recorder.steps > this.options.maxSteps) end = "limit";
    }
    recorder.stop(end);
    return { events: recorder.events, end, decisions: recorder.decisions, findings: recorder.findings };
  }

  /** One step, or what the script does when nobody can move. */
  private turn(): End | undefined {
    const decision = this.picker.pick(this.director);
    if (decision === "stop") return this.stop();
    if (decision !== undefined)
      return this.hasBeenHere(decision) ? this.goRound([decision.actor]) : this.take(decision);
    const stuck = this.recorder.settle();
    return stuck === "waits" ? "stopped" : stuck;
  }
  private take(decision: Decision): End | undefined {
    const { director, raceStates, recorder } = this;
    const racing = director.inRace;
    if (racing && !raceStates.has(this.state())) raceStates.set(this.state(), recorder.decisions.length);
    const end = recorder.take(decision);
    if (racing) this.cameBackTo = raceStates.get(this.state());
    return end;
  }

  /** The schedule says no more: those who have come back to where they were go round for ever. */
  private stop(): End {
    const { rounders } = this.options;
    if (rounders !== undefined) return this.goRound(rounders);
    const since = this.cameBackTo;
    if (since === undefined) return "stopped";
    const round = this.recorder.decisions.slice(since);
    return this.tellLivelock([...new Set(round.map(({ actor }) => actor))].sort((a, b) => a - b));
  }
  /** Whether a CPU has come back, outside a race, to where it has been: then it comes back for ever. */
  private hasBeenHere({ actor }: Decision): boolean {
    const { director } = this;
    if (director.inRace || director.machine.choices(actor) > 1) {
      this.beenHere.clear();
      return false;
    }
    return this.isKnown();
  }
  private isKnown(): boolean {
    const state = this.state();
    if (this.beenHere.has(state)) return true;
    this.beenHere.add(state);
    return false;
  }
  private state(): string {
    const { lo, hi } = this.director.machine.memory;
    return `${lo} ${hi}`;
  }
  /** One round of those who only go round, in turn, and what is to be said about it. */
  private goRound(actors: readonly number[]): End {
    const { director } = this;
    if (director.inRace)
      for (this.beenHere.clear(); !this.isKnown();)
        for (const actor of actors) {
          const [choice] = director.openChoices(actor);
          if (choice !== undefined && !director.machine.isFinished(actor)) this.take({ actor, choice });
        }
    return this.tellLivelock(actors);
  }
  private tellLivelock(actors: readonly number[]): End {
    this.recorder.file(livelockFinding({ actors, message: goRoundText(this.director, actors) }));
    return "livelock";
  }
}
