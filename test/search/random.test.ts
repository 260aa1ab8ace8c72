import { test } from "uvu";
import * as assert from "uvu/assert";
import { bounded } from "../../interpreter/bounded.ts";
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
