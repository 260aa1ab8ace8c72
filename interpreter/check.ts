/** `hmm check`: every interleaving, the shortest way to everything that goes wrong, and what that says. */
import type { Mutation } from "../runtime/machine/mutation.ts";
import { classOf, type Finding } from "../runtime/machine/report.ts";
import { bounded } from "./bounded.ts";
import { explore, type Explored } from "./explore.ts";
import { Findings, type Event, type FoundReport, type Outcome } from "./findings.ts";
import { Watch, type Limits, type Stopped } from "./limits.ts";
import { findLivelock } from "./liveness.ts";
import { Scheduled } from "./pickers.ts";
import type { Director } from "./director.ts";
import type { ExpectItem, Program } from "./program.ts";
import { switchesOf, type Schedule } from "./schedule.ts";
import { simulate } from "./simulation.ts";
import { record, type Trace } from "./trace.ts";

export interface CheckOptions {
  readonly limits: Limits;
  readonly mutations?: readonly Mutation[];
  /** Told what the search is doing, now and then. */
  readonly progress?: (line: string) => void;
  /** Gets the watch, so that Ctrl-C can stop the search. */
  readonly onWatch?: (watch: Watch) => void;
}

/** One class of reports, with the best way to it. */
export interface CheckedReport {
  readonly event: Event;
  readonly finding: Finding;
  readonly places: ReadonlySet<string>;
  readonly schedule: Schedule;
  readonly switches: number;
  /** No schedule has fewer switches, and none with as few has fewer steps. */
  readonly proven: boolean;
  readonly trace: Trace;
}
export interface Level {
  readonly switches: number;
  readonly complete: boolean;
  readonly states: number;
}
export interface CheckResult {
  readonly program: Program;
  /** Whether there is anything to search: a race, or a choice. */
  readonly hasRace: boolean;
  readonly reports: readonly CheckedReport[];
  readonly outcomes: readonly Outcome[];
  readonly met: ReadonlyMap<ExpectItem, Schedule>;
  readonly explored: Explored;
  readonly levels: readonly Level[];
  /** The search looked for livelocks as well, or had no need to. */
  readonly livelockDecided: boolean;
  readonly stopped: Stopped | undefined;
  readonly statistics: ReturnType<Director["machine"]["automaton"]["statistics"]>;
}

const LEVELS = [0, 1, 2];
const LEVEL_BUDGET = 400_000; // steps of one bounded search
const MINIMISE_BUDGET = 3_000_000;
const LIVENESS_BUDGET = 5_000_000;

export function check(program: Program, options: CheckOptions): CheckResult {
  const director = simulate(program, options.mutations);
  const watch = new Watch(options.limits);
  options.onWatch?.(watch);
  const findings = new Findings(program);
  const hasRace = program.items.some((item) => item.kind === "race");
  const levels = hasRace ? searchLevels(director, findings, watch, options) : [];
  const explored = explore(director, findings, watch);
  let livelockDecided = explored.stopped === undefined;
  if (livelockDecided && explored.mayGoRound) livelockDecided = addLivelock(director, findings);
  const reports = [...findings.reports.values()].map((found) => shorten(director, findings, found, levels));
  reports.sort((a, b) => a.switches - b.switches || a.schedule.length - b.schedule.length);
  return {
    program,
    hasRace,
    reports,
    outcomes: sortOutcomes([...findings.outcomes.values()]),
    met: findings.met,
    explored,
    levels,
    livelockDecided,
    stopped: explored.stopped,
    statistics: director.machine.automaton.statistics(),
  };
}

/** 0, 1, 2 switches: what is found there is what people want to see, and it takes no time. */
function searchLevels(director: Director, findings: Findings, watch: Watch, options: CheckOptions): Level[] {
  const levels: Level[] = [];
  for (const switches of LEVELS) {
    const result = bounded(director, findings, watch, { switches, budget: LEVEL_BUDGET });
    levels.push({ switches, complete: result.complete, states: result.states });
    const found = findings.reports.size;
    options.progress?.(`${switches} switches: ${result.states} states, ${found} report${found === 1 ? "" : "s"}`);
    if (!result.complete) break;
  }
  return levels;
}

function addLivelock(director: Director, findings: Findings): boolean {
  const livelock = findLivelock(director, LIVENESS_BUDGET);
  if (livelock === "unknown") return false;
  if (livelock !== undefined) findings.addLivelock(livelock);
  return true;
}

/** The way to a report with the fewest switches and, of those, the fewest steps. */
function shorten(director: Director, findings: Findings, found: FoundReport, levels: readonly Level[]): CheckedReport {
  let schedule = found.schedule;
  let proven = false;
  const watch = new Watch({ maxStates: Infinity, maxSteps: Infinity, maxMemory: Infinity, timeout: 0 });
  if (found.finding.kind !== "livelock") {
    const most = switchesOf(schedule);
    const below = levels.filter((level) => level.complete && level.switches < most).length;
    for (let switches = Math.min(below, most); switches <= most; switches++) {
      const longest = switches === most ? schedule.length + 1 : Infinity;
      const result = bounded(director, findings, watch, {
        switches,
        budget: MINIMISE_BUDGET,
        target: found.event,
        shorterThan: longest,
      });
      if (result.best !== undefined) schedule = result.best;
      if (result.best !== undefined || !result.complete) {
        proven = result.complete;
        break;
      }
    }
  }
  const trace = replay(director, schedule);
  const finding = trace.findings.findLast((f) => classOf(f) === classOf(found.finding)) ?? found.finding;
  return { event: found.event, finding, places: found.places, schedule, switches: switchesOf(schedule), proven, trace };
}

/** Runs a schedule again from the start, and undoes it. */
export function replay(director: Director, schedule: Schedule): Trace {
  const mark = director.machine.mark();
  const trace = record(director, new Scheduled(schedule), { maxSteps: Infinity });
  director.machine.undoTo(mark);
  return trace;
}

function sortOutcomes(outcomes: readonly Outcome[]): Outcome[] {
  return [...outcomes].sort((a, b) => (a.event < b.event ? -1 : 1));
}
