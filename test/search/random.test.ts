import { test } from "uvu";
import * as assert from "uvu/assert";
import { bounded } from "../../interpreter/bounded.ts";
import { drain } from "../../interpreter/breathing.ts";
import { check, type CheckedReport, type CheckResult } from "../../interpreter/check.ts";
import { explore } from "../../interpreter/explore.ts";
import { Findings } from "../../interpreter/findings.ts";
import { reportLeftovers } from "../../interpreter/at-end.ts";
import { Watch, type Limits } from "../../interpreter/limits.ts";
import { switchesOf, type Schedule } from "../../interpreter/schedule.ts";
import type { Director } from "../../interpreter/director.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { Machine, Moved } from "../../runtime/machine/machine.ts";
import { classOf, isFatal, type Finding } from "../../runtime/machine/report.ts";
import { waiters } from "../../runtime/machine/rwsem.ts";
import { brute, cheapest, loadHelpers, type Cost, type Graph } from "../support/brute.ts";
import { randomProgram, type RandomProgram } from "./random-programs.ts";

const PROGRAMS = 500;
const STATES_MAX = 6_000; // of one program; more would be a slip of the generator
/** Each of these occurs in at least so many of a hundred programs, or the comparison means little. */
const PERCENT_MIN = 5;
const FEATURES = [
  "use after free",
  "double free",
  "NULL dereference",
  "list corruption",
  "refcount",
  "lockdep",
  "leak",
  "deadlock",
  "lost wake-up",
  "blocked reader",
  "waits for readers",
  "choice",
  "retry loop",
  "livelock",
  "nothing wrong",
];
const LIMITS: Limits = { maxStates: Infinity, maxSteps: Infinity, maxMemory: Infinity, timeout: 0 };

/** What occurs in a program when it runs, in whatever order: not merely what stands in its text. */
interface Seen {
  readonly program: RandomProgram;
  readonly graph: Graph;
  readonly features: ReadonlySet<string>;
}

/** Everything a program can do, by the naive enumerator. */
function enumerate(random: RandomProgram): Seen {
  const { program, cpus } = random;
  const machine = new Machine(program.machine);
  program.setUp(machine);
  loadHelpers(machine);
  const [race] = program.items;
  if (race?.kind !== "race") throw new Error("no race");
  for (const { cpu, code } of race.programs) machine.load(cpu, code.fn, [0]);
  const features = new Set<string>();
  const outcome = (): string => program.outcomeWords.map((w) => w.show(machine, machine.peek(w.addr))).join("|");
  const graph = brute(machine, {
    cpus,
    outcome,
    look: () => noteWaits(machine, random, features),
    atEnd: () => reportLeftovers(machine),
    statesMax: STATES_MAX,
  });
  for (const feature of featuresOf(graph)) features.add(feature);
  return { program: random, graph, features };
}
/** What can only be seen while a program runs. */
function noteWaits(machine: Machine, { scene, cpus }: RandomProgram, features: Set<string>): void {
  const queue = waiters(machine.peek(scene.shared.sem.queue.addr));
  const firstWriter = queue.findIndex((waiter) => waiter.writer);
  if (firstWriter !== -1 && queue.slice(firstWriter).some((waiter) => !waiter.writer)) features.add("blocked reader");
  for (const actor of cpus) {
    if (machine.choices(actor) > 1) features.add("choice");
    if (!/^synchronize_s?rcu.* returns$/.test(machine.nextStep(actor)?.text(machine) ?? "")) continue;
    const mark = machine.mark();
    if (machine.step(actor, 0) === Moved.blocked) features.add("waits for readers");
    machine.undoTo(mark);
  }
}
function featuresOf(graph: Graph): string[] {
  const features: string[] = [];
  const events = [...graph.events];
  const kinds: Record<string, RegExp> = {
    "use after free": /^report use-after-free/,
    "double free": /^report double-free/,
    "NULL dereference": /^report null-deref/,
    "list corruption": /^report list-corruption/,
    refcount: /^report refcount/,
    lockdep: /^report lockdep/,
    leak: /^report leak/,
    deadlock: /^report deadlock/,
    "lost wake-up": /^report deadlock.*waits in schedule\(/,
  };
  for (const [feature, pattern] of Object.entries(kinds))
    if (events.some((e) => pattern.test(e))) features.push(feature);
  if (graph.trapped.size > 0) features.push("livelock");
  if (hasCycle(graph)) features.push("retry loop");
  if (graph.finals > 0 && events.every((e) => e.startsWith("final "))) features.push("nothing wrong");
  return features;
}
/** Whether some order of steps comes back to where it was. */
function hasCycle({ states }: Graph): boolean {
  const todo = states.map(({ edges }) => edges.filter((e) => e.to !== -1).length);
  const before: number[][] = states.map(() => []);
  for (const [from, { edges }] of states.entries()) for (const { to } of edges) before[to]?.push(from);
  const done = [...todo.keys()].filter((state) => todo[state] === 0);
  for (const state of done) for (const from of before[state] ?? []) if (--todo[from]! === 0) done.push(from);
  return done.length < states.length;
}

// ---- what is compared

const sorted = (from: Iterable<string>): string[] => [...from].sort();
const LIVELOCK = /^report livelock\|.*round for ever/; // which circle it finds first is the search's own affair
/** Which of its dependencies closes a circle of locks is the search's own affair too. */
const CIRCLE = /^report lockdep\|possible circular/;
function simulateForSearch(program: Seen["program"]["program"]): Director {
  const director = simulate(program);
  director.machine.lockOrder.remembers = true;
  return director;
}

function compareExplore({ program: { program }, graph }: Seen): void {
  const director = simulateForSearch(program);
  const findings = new Findings(program);
  const start = director.machine.rehash();
  const explored = drain(explore(director, findings, new Watch(LIMITS)));
  assert.equal(sorted([...findings.reports.keys(), ...finalsOf(findings.outcomes)]), sorted(graph.events), "explore");
  assert.is(explored.states, graph.states.length, "states");
  assert.is(explored.transitions, graph.transitions, "transitions");
  assert.ok(explored.mayGoRound || graph.trapped.size === 0, "explore did not see that there may be a livelock");
  assert.equal(director.machine.rehash(), start, "explore leaves the machine as it was");
}
const finalsOf = (outcomes: Findings["outcomes"]): string[] =>
  [...outcomes.values()].map((outcome) => `final ${outcome.values.join("|")}`);

function compareCheck({ program: { program }, graph }: Seen): void {
  let headline: CheckedReport | undefined;
  const result = drain(check(program, { limits: LIMITS, all: true, onHeadline: (report) => (headline = report) }));
  const found = [
    ...result.reports.map((r) => eventOf(r.finding)),
    ...result.outcomes.map((outcome) => `final ${outcome.values.join("|")}`),
  ];
  assert.equal(sorted(found.filter((event) => !LIVELOCK.test(event))), sorted(graph.events), "check");
  assert.ok(result.livelockDecided, "livelock undecided");
  assert.is(
    found.some((event) => LIVELOCK.test(event)),
    graph.trapped.size > 0,
    "livelock",
  );
  compareProofs(result, graph);
  compareHeadline(headline, result, graph);
}
/** What is told before the search is over: of everything fatal the cheapest, if two switches are enough for it. */
function compareHeadline(headline: CheckedReport | undefined, { reports }: CheckResult, graph: Graph): void {
  const fatal = reports.filter(({ finding }) => isFatal(finding.kind) && !LIVELOCK.test(eventOf(finding)));
  const costs = cheapest(graph);
  const least = fatal
    .map(({ finding }) => costs.get(eventOf(finding)) as Cost)
    .sort((a, b) => a.switches - b.switches || a.steps - b.steps)[0];
  if (headline === undefined) {
    assert.ok(least === undefined || least.switches > 2, "there was something to tell early");
    return;
  }
  assert.equal({ switches: headline.switches, steps: headline.schedule.length }, least);
  assert.is(
    reports[0] === undefined ? "" : eventOf(reports[0].finding),
    eventOf(headline.finding),
    "it stays the first",
  );
}
const eventOf = (finding: Finding): string => `report ${classOf(finding)}`;
/** What check() calls proven is what the naive enumerator says; and every schedule leads where it is said to. */
function compareProofs(result: CheckResult, graph: Graph): void {
  const costs = cheapest(graph);
  for (const { finding, schedule, switches, full } of result.reports) {
    const event = eventOf(finding);
    const walked = walk(graph, schedule);
    if (LIVELOCK.test(event)) {
      assert.ok(graph.trapped.has(walked.state), "from there an end can be reached");
      continue;
    }
    if (CIRCLE.test(event)) {
      assert.ok(full?.trace.findings.some((f) => classOf(f) === classOf(finding)));
      continue;
    }
    assert.ok(full !== null && full.proven, `${event} is not proven minimal`);
    assert.equal({ switches, steps: schedule.length }, costs.get(event), event);
    assert.ok(walked.last.includes(event), `${event} is not where its schedule leads`);
    assert.ok(
      full.trace.findings.some((f) => classOf(f) === classOf(finding)),
      `${event} is not in the trace of its schedule`,
    );
  }
}
/** Follows a schedule through the naive enumerator's states: where it ends, and what happens there. */
function walk({ states }: Graph, schedule: Schedule): { state: number; last: readonly string[] } {
  let state = 0;
  let last: readonly string[] = [];
  for (const { actor, choice } of schedule) {
    const edge = states[state]?.edges.find((e) => e.actor === actor && e.choice === choice);
    if (edge === undefined) throw new Error(`nobody can take the step ${actor}?${choice} there`);
    last = edge.events;
    state = edge.to;
  }
  return { state, last: [...last, ...(states[state]?.end ?? [])] };
}
/** With so many switches the bounded search finds the shortest way to all that takes no more of them. */
function compareBounded({ program: { program }, graph }: Seen): void {
  const costs = cheapest(graph);
  for (const switches of [0, 1, 2, 5]) {
    const director = simulateForSearch(program);
    const findings = new Findings(program);
    const { complete, ways } = drain(bounded(director, findings, new Watch(LIMITS), { switches, budget: Infinity }));
    assert.ok(complete);
    const found = [...ways]
      .filter(([event]) => !CIRCLE.test(event))
      .map(([event, way]) => `${way.switches} switches, ${way.steps} steps: ${event.trim()}`);
    const within = [...costs].filter(([event, cost]) => cost.switches <= switches && !CIRCLE.test(event));
    const wanted = within.map(([event, cost]) => `${cost.switches} switches, ${cost.steps} steps: ${event.trim()}`);
    assert.equal(sorted(found), sorted(wanted), `with ${switches} switches`);
    for (const way of ways.values())
      assert.equal([switchesOf(way.schedule), way.schedule.length], [way.switches, way.steps], "its own schedule");
  }
}

// ---- the tests

const programs: Seen[] = [];
test.before(() => {
  for (let seed = 1; seed <= PROGRAMS; seed++) programs.push(enumerate(randomProgram(seed)));
});
/** Says which program it is that the searches do not agree about, and what it does. */
function each(compare: (seen: Seen) => void): void {
  for (const seen of programs)
    try {
      compare(seen);
    } catch (error) {
      if (error instanceof Error) error.message += `\n${seen.program.program.name}\n${seen.program.text}`;
      throw error;
    }
}

test("in random programs everything goes wrong often enough", () => {
  const states = programs.reduce((sum, { graph }) => sum + graph.states.length, 0);
  const lines = FEATURES.map((feature) => {
    const times = programs.filter(({ features }) => features.has(feature)).length;
    return { feature, times, percent: (100 * times) / programs.length };
  });
  const census = lines.map(
    ({ feature, times, percent }) => `  ${String(times).padStart(4)}  ${percent.toFixed(1)} %  ${feature}`,
  );
  process.stdout.write(`\n${programs.length} random programs, ${states} states\n${census.join("\n")}\n`);
  for (const { feature, percent } of lines) assert.ok(percent >= PERCENT_MIN, `too little of: ${feature}`);
});

test("the full search agrees with the naive one", () => each(compareExplore));

test("the bounded search finds the shortest way to everything within its bound", () => each(compareBounded));

test("check agrees with the naive search, and what it calls proven minimal is", () => each(compareCheck));

test.run();
