/** `hmm check`: every interleaving, the shortest way to everything that goes wrong, and what that says. */
import type { Mutation } from "../runtime/machine/mutation.ts";
import { classOf, isFatal, type Finding } from "../runtime/machine/report.ts";
import { bounded, type Way } from "./bounded.ts";
import type { Breathing } from "./breathing.ts";
import { explore, type Explored } from "./explore.ts";
import { fits } from "./expectation.ts";
import { Findings, type Event, type FoundReport, type Outcome } from "./findings.ts";
import { Watch, type Limits, type Stopped } from "./limits.ts";
import { isCircle, showCircle, type CircleShown } from "./lock-circle.ts";
import { findLivelock } from "./liveness.ts";
import { Scheduled } from "./pickers.ts";
import type { Director } from "./director.ts";
import type { Expectation, ExpectItem, Program } from "./program.ts";
import { switchesOf, type Schedule } from "./schedule.ts";
import { simulate } from "./simulation.ts";
import { record } from "./trace.ts";
import type { Trace } from "./trace-events.ts";

export interface CheckOptions {
  readonly limits: Limits;
  readonly mutations?: readonly Mutation[];
  /** Tell every class of reports in full. */
  readonly all?: boolean;
  /**
   * Gets the report that will be told first, as soon as it is known that nothing can come before it: long before a
   * large search is over.
   */
  readonly onHeadline?: (report: CheckedReport) => void;
  /** Gets the watch, so that Ctrl-C can stop the search. */
  readonly onWatch?: (watch: Watch) => void;
}

/** One class of reports, with the best way to it that is known. */
export interface CheckedReport {
  readonly finding: Finding;
  readonly places: ReadonlySet<string>;
  readonly schedule: Schedule;
  /** What has to be run before, for the order in which it took its locks. */
  readonly before?: readonly Schedule[];
  readonly switches: number;
  /** Told in full, with the shortest way to it; null: named in one line, for another one says it better. */
  readonly full: {
    /** No schedule has fewer switches, and none with as few has fewer steps. */
    readonly proven: boolean;
    readonly trace: Trace;
  } | null;
}
/** A bounded search: all schedules with so few switches, or as many as its budget allowed. */
export interface Level {
  readonly switches: number;
  readonly complete: boolean;
  readonly states: number;
  readonly ways: ReadonlyMap<Event, Way>;
}
/** The first report, known before the search is over; `event` says which class it is of. */
interface Headline extends CheckedReport {
  readonly event: Event;
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
  /** Runs every body again along all it has done; the name of one that does not do the same twice. */
  readonly impure: () => string | null;
}

const FEW_SWITCHES = 2;
const NEAR = 128; // steps
const BOUNDED_BUDGET = 400_000; // steps of one bounded search
const HEADLINE_BUDGET = 3_000_000; // a few seconds: worth it before a search of minutes
const MINIMISE_BUDGET = 3_000_000;
const LIVENESS_BUDGET = 5_000_000;

export function* check(program: Program, options: CheckOptions): Breathing<CheckResult> {
  const director = simulate(program, options.mutations);
  director.machine.lockOrder.remembers = true;
  const watch = new Watch(options.limits);
  options.onWatch?.(watch);
  const findings = new Findings(program);
  const hasRace = program.items.some((item) => item.kind === "race");
  const headline = hasRace ? yield* findHeadline(director, findings, watch) : undefined;
  if (headline !== undefined) options.onHeadline?.(headline);
  const explored = yield* explore(director, findings, watch);
  // Who interrupts wants to see what there is, and no further searches.
  const inHaste = explored.stopped?.by === "interrupt" || explored.stopped?.by === "timeout";
  const levels = hasRace && !inHaste ? yield* searchLevels(director, findings, watch) : [];
  let livelockDecided = explored.stopped === undefined;
  if (livelockDecided && explored.mayGoRound) livelockDecided = yield* addLivelock(director, findings);
  const reports = yield* tellReports(director, findings, levels, headline, { ...options, inHaste });
  return {
    program,
    hasRace,
    reports,
    outcomes: sortOutcomes([...findings.outcomes.values()], levels),
    met: findings.met,
    explored,
    levels,
    livelockDecided,
    stopped: explored.stopped,
    statistics: director.machine.automaton.statistics(),
    impure: () => director.machine.automaton.impureFunction(),
  };
}

/**
 * Few switches first: what is found there is what people want to see. Where even that is too much to be completed,
 * fewer are.
 */
function* searchLevels(director: Director, findings: Findings, watch: Watch): Breathing<Level[]> {
  const levels: Level[] = [];
  for (let switches = FEW_SWITCHES; switches >= 0; switches--) {
    const { complete, states, ways } = yield* bounded(director, findings, watch, { switches, budget: BOUNDED_BUDGET });
    levels.push({ switches, complete, states, ways });
    if (complete) break;
  }
  return levels;
}

function* addLivelock(director: Director, findings: Findings): Breathing<boolean> {
  const livelock = yield* findLivelock(director, LIVENESS_BUDGET);
  if (livelock === "unknown") return false;
  if (livelock !== undefined) findings.addLivelock(livelock);
  return true;
}

/**
 * What goes wrong fatally with the fewest switches and steps, if few switches are enough: people want to see that
 * first, and it takes no time. Whatever else there is comes after it.
 */
function* findHeadline(director: Director, findings: Findings, watch: Watch): Breathing<Headline | undefined> {
  const isWorst = (event: Event): boolean => {
    const kind = findings.reports.get(event)?.finding.kind;
    return kind !== undefined && isFatal(kind);
  };
  const least = function* (switches: number, shorterThan: number): Breathing<[Event, Way] | "none" | "unknown"> {
    const target = { wanted: isWorst, shorterThan, notAtEnd: true };
    const { complete, ways } = yield* bounded(director, findings, watch, { switches, budget: HEADLINE_BUDGET, target });
    const [best] = [...ways].sort(([, x], [, y]) => x.switches - y.switches || x.steps - y.steps);
    return complete ? (best ?? "none") : "unknown";
  };
  // Most bugs are near: a search for short ways is a fraction of one for all.
  let best = yield* least(FEW_SWITCHES, NEAR);
  if (best === "none") best = yield* least(FEW_SWITCHES, Infinity);
  else if (best !== "unknown" && best[1].switches > 0) {
    const fewer = yield* least(best[1].switches - 1, Infinity);
    if (fewer !== "none") best = fewer;
  }
  if (best === "none" || best === "unknown") return undefined;
  const [event, way] = best;
  const found = findings.reports.get(event) as FoundReport;
  return { event, ...inFull(director, found, way.schedule, true) };
}
function ranked(findings: Findings, levels: readonly Level[]): FoundReport[] {
  return [...findings.reports.values()]
    .map((found) => ({ ...found, schedule: bestKnown(found, levels).schedule }))
    .sort(worstFirst);
}

/**
 * Which reports are told in full: those that no expectation names, and for each expectation the one that it names best.
 * The others are further places of what has been told.
 */
function* tellReports(
  director: Director,
  findings: Findings,
  levels: readonly Level[],
  headline: Headline | undefined,
  { all = false, inHaste, mutations = [] }: Omit<CheckOptions, "limits"> & { inHaste: boolean },
): Breathing<CheckedReport[]> {
  const found = ranked(findings, levels);
  const expectations = director.program.items.flatMap((item) => (item.kind === "expect" ? item.expectation : []));
  const spokenFor = new Set(
    expectations.flatMap((e) => (e.kind === "report" ? (found.find((f) => names(e, f)) ?? []) : [])),
  );
  const reports: CheckedReport[] = [];
  for (const f of found) {
    const isNamed = expectations.some((e) => names(e, f));
    const circle = isCircle(f.finding) ? showCircle(director.program, mutations, f.finding, f.schedule) : undefined;
    if (circle !== undefined) reports.push(asCircle(f, circle));
    else if (f.event === headline?.event) reports.unshift({ ...headline, places: f.places });
    else if (inHaste)
      reports.push(
        headline === undefined && f === found[0] ? inFull(director, f, f.schedule, false) : inBrief(director, f),
      );
    else if (all || !isNamed || spokenFor.has(f) || (headline === undefined && f === found[0]))
      reports.push(yield* shorten(director, findings, f, levels));
    else reports.push(inBrief(director, f));
  }
  return reports.sort((a, b) => Number(a.full === null) - Number(b.full === null));
}
function asCircle(found: FoundReport, { schedule, before, trace }: CircleShown): CheckedReport {
  const { places } = found;
  const full = { proven: false, trace };
  return { finding: findingOf(trace, found), places, schedule, before, switches: switchesOf(schedule), full };
}
function inBrief(director: Director, found: FoundReport): CheckedReport {
  const { schedule, places } = found;
  const finding = findingOf(replay(director, schedule), found);
  return { finding, places, schedule, switches: switchesOf(schedule), full: null };
}
/** The report as it is met on this way: another of its class may have been met first. */
function findingOf(trace: Trace, found: FoundReport): Finding {
  return trace.findings.findLast((f) => classOf(f) === classOf(found.finding)) ?? found.finding;
}
function worstFirst(a: FoundReport, b: FoundReport): number {
  const fatal = Number(isFatal(b.finding.kind)) - Number(isFatal(a.finding.kind));
  return fatal || switchesOf(a.schedule) - switchesOf(b.schedule) || a.schedule.length - b.schedule.length;
}
function names(expectation: Expectation, { finding, places }: FoundReport): boolean {
  if (expectation.kind === "blocked") return finding.kind === "deadlock";
  return expectation.kind === "report" && fits(expectation, finding, places);
}

/** The way to a report with the fewest switches and, of those, the fewest steps. */
function* shorten(
  director: Director,
  findings: Findings,
  found: FoundReport,
  levels: readonly Level[],
): Breathing<CheckedReport> {
  if (found.finding.kind === "livelock") return inFull(director, found, found.schedule, false);
  const { schedule, proven } = yield* shortest(director, findings, found, levels);
  return inFull(director, found, schedule, proven);
}
function inFull(director: Director, found: FoundReport, schedule: Schedule, proven: boolean): CheckedReport {
  const trace = replay(director, schedule, found.actors);
  const finding = findingOf(trace, found);
  // Of a livelock one round belongs to it: that it comes back to where it was is what is replayed.
  const told = found.actors === undefined ? schedule : trace.decisions;
  return { finding, places: found.places, schedule: told, switches: switchesOf(told), full: { proven, trace } };
}
/** What the bounded searches have found, or else the path on which the full search met it. */
function bestKnown(found: FoundReport, levels: readonly Level[]): { schedule: Schedule; proven: boolean } {
  const complete = levels.find((level) => level.complete)?.ways.get(found.event);
  if (complete !== undefined) return { schedule: complete.schedule, proven: true };
  const ways = levels.flatMap((level) => level.ways.get(found.event) ?? []);
  const [best] = ways.sort((a, b) => a.switches - b.switches || a.steps - b.steps);
  return { schedule: best?.schedule ?? found.schedule, proven: false };
}
function* shortest(
  director: Director,
  findings: Findings,
  found: FoundReport,
  levels: readonly Level[],
): Breathing<{ schedule: Schedule; proven: boolean }> {
  const known = bestKnown(found, levels);
  if (known.proven) return known;
  const most = switchesOf(known.schedule);
  // A completed search that did not meet it has shown that it takes more.
  const least = Math.min(most, (levels.find((level) => level.complete)?.switches ?? -1) + 1);
  for (let switches = least; switches <= most; switches++) {
    const { ways, complete } = yield* bounded(director, findings, UNWATCHED, {
      switches,
      budget: MINIMISE_BUDGET,
      target: {
        wanted: (event) => event === found.event,
        shorterThan: switches === most ? known.schedule.length + 1 : Infinity,
      },
    });
    const way = ways.get(found.event);
    if (way !== undefined) return { schedule: way.schedule, proven: complete };
    if (!complete) break;
  }
  return known;
}
const UNWATCHED = new Watch({ maxStates: Infinity, maxSteps: Infinity, maxMemory: Infinity, timeout: 0 });

/** Runs a schedule again from the start, and undoes it. */
export function replay(director: Director, schedule: Schedule, rounders?: readonly number[]): Trace {
  const mark = director.machine.mark();
  const trace = record(director, new Scheduled(schedule), {
    maxSteps: Infinity,
    ...(rounders === undefined ? {} : { rounders }),
  });
  director.machine.undoTo(mark);
  director.machine.news = []; // told, not searched
  return trace;
}

function sortOutcomes(outcomes: readonly Outcome[], levels: readonly Level[]): Outcome[] {
  const shortened = outcomes.map((outcome) => {
    const way = levels.flatMap((level) => level.ways.get(outcome.event) ?? [])[0];
    return way === undefined ? outcome : { ...outcome, schedule: way.schedule };
  });
  return shortened.sort((a, b) => (a.event < b.event ? -1 : 1));
}
