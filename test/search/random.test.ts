import { test } from "uvu";
import * as assert from "uvu/assert";
import { bounded } from "../../interpreter/bounded.ts";
import { drain } from "../../interpreter/breathing.ts";
import { check, type CheckResult } from "../../interpreter/check.ts";
import { explore } from "../../interpreter/explore.ts";
import { Findings } from "../../interpreter/findings.ts";
import { reportLeaks } from "../../interpreter/leak.ts";
import { Watch, type Limits } from "../../interpreter/limits.ts";
import { switchesOf } from "../../interpreter/schedule.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { Machine } from "../../runtime/machine/machine.ts";
import { classOf } from "../../runtime/machine/report.ts";
import { waiters } from "../../runtime/machine/rwsem.ts";
import { brute, cheapest, loadHelpers, TooLarge, type Graph } from "../support/brute.ts";
import { randomProgram, type RandomProgram } from "./random-programs.ts";

const PROGRAMS = 500;
const STATES_MAX = 6_000; // a program with more is passed over
const LIMITS: Limits = { maxStates: Infinity, maxSteps: Infinity, maxMemory: Infinity, timeout: 0 };

/** What occurs in a program when it runs, in whatever order: not merely what stands in its text. */
interface Seen {
  readonly program: RandomProgram;
  readonly graph: Graph;
  readonly features: ReadonlySet<string>;
}

/** Everything a program can do, by the naive enumerator; undefined if that is too much. */
function enumerate(random: RandomProgram): Seen | undefined {
  const { program, scene, cpus } = random;
  const machine = new Machine(program.machine);
  program.setUp(machine);
  loadHelpers(machine);
  const [race] = program.items;
  if (race?.kind !== "race") throw new Error("no race");
  for (const { cpu, code } of race.programs) machine.load(cpu, code.fn, [0]);
  const features = new Set<string>();
  const look = (): void => {
    const queue = waiters(machine.peek(scene.shared.sem.queue.addr));
    if (queue.some((waiter, i) => i > 0 && !waiter.writer && queue.slice(0, i).some((w) => w.writer)))
      features.add("blocked reader");
    for (const actor of cpus) {
      const step = machine.nextStep(actor);
      if (step?.primitive?.name === "synchronize" && /returns$/.test(step.text(machine))) {
        const mark = machine.mark();
        if (machine.step(actor, 0) === 0) features.add("waits for readers");
        machine.undoTo(mark);
      }
      if (machine.choices(actor) > 1) features.add("choice");
    }
  };
  const outcome = (): string => program.outcomeWords.map((w) => w.show(machine, machine.peek(w.addr))).join("|");
  try {
    const graph = brute(machine, { cpus, outcome, look, atEnd: () => reportLeaks(machine), statesMax: STATES_MAX });
    for (const feature of featuresOf(graph)) features.add(feature);
    return { program: random, graph, features };
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
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
  for (const [feature, pattern] of Object.entries(kinds)) if (events.some((e) => pattern.test(e))) features.push(feature);
  if (graph.livelock) features.push("livelock");
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

function compareExplore({ program: { program }, graph }: Seen): void {
  const director = simulate(program);
  const findings = new Findings(program);
  const start = director.machine.rehash();
  const explored = drain(explore(director, findings, new Watch(LIMITS)));
  assert.equal(sorted([...findings.reports.keys(), ...finalsOf(findings.outcomes)]), sorted(graph.events), "explore");
  assert.is(explored.states, graph.states.length, "states");
  assert.is(explored.transitions, graph.transitions, "transitions");
  assert.ok(explored.mayGoRound || !graph.livelock, "explore did not see that there may be a livelock");
  assert.equal(director.machine.rehash(), start, "explore leaves the machine as it was");
}
const finalsOf = (outcomes: Findings["outcomes"]): string[] =>
  [...outcomes.values()].map((outcome) => `final ${outcome.values.join("|")}`);

function compareCheck({ program: { program }, graph }: Seen): void {
  const result = drain(check(program, { limits: LIMITS, all: true }));
  const found = [
    ...result.reports.map((r) => `report ${classOf(r.finding)}`),
    ...result.outcomes.map((outcome) => `final ${outcome.values.join("|")}`),
  ];
  assert.equal(sorted(found.filter((event) => !LIVELOCK.test(event))), sorted(graph.events), "check");
  assert.ok(result.livelockDecided, "livelock undecided");
  assert.is(
    found.some((event) => LIVELOCK.test(event)),
    graph.livelock,
    "livelock",
  );
  compareProofs(result, graph);
}
/** What check() calls proven is what the naive enumerator says; and its schedules lead where they say. */
function compareProofs(result: CheckResult, graph: Graph): void {
  const costs = cheapest(graph);
  for (const { finding, schedule, switches, full } of result.reports) {
    const event = `report ${classOf(finding)}`;
    if (LIVELOCK.test(event)) continue;
    assert.ok(full !== null && full.proven, `${event} is not proven minimal`);
    assert.equal({ switches, steps: schedule.length }, costs.get(event), event);
    assert.ok(
      full.trace.findings.some((f) => classOf(f) === classOf(finding)),
      `${event} is not where its schedule leads`,
    );
  }
}
/** With so many switches the bounded search finds the shortest way to all that takes no more of them. */
function compareBounded({ program: { program }, graph }: Seen): void {
  const costs = cheapest(graph);
  for (const switches of [0, 1, 2, 5]) {
    const director = simulate(program);
    const findings = new Findings(program);
    const { complete, ways } = drain(
      bounded(director, findings, new Watch(LIMITS), { switches, budget: Infinity }),
    );
    assert.ok(complete);
    const found = [...ways].map(([event, way]) => `${way.switches} switches, ${way.steps} steps: ${event.trim()}`);
    const within = [...costs].filter(([, cost]) => cost.switches <= switches);
    const wanted = within.map(([event, cost]) => `${cost.switches} switches, ${cost.steps} steps: ${event.trim()}`);
    assert.equal(sorted(found), sorted(wanted), `with ${switches} switches`);
    for (const way of ways.values())
      assert.equal([switchesOf(way.schedule), way.schedule.length], [way.switches, way.steps], "its own schedule");
  }
}
