/** The design spike's program on the real engine: director, explore, KASAN and held locks included. */
import { drain } from "../../interpreter/breathing.ts";
import { explore } from "../../interpreter/explore.ts";
import { Findings } from "../../interpreter/findings.ts";
import { DEFAULT_LIMITS, Watch } from "../../interpreter/limits.ts";
import type { Program } from "../../interpreter/program.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { SourceText } from "../../grammar/span.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { resolveBodies } from "../../runtime/patch.ts";
import { rounds, shared } from "../support/spike.ts";

const [cpus = 3, iterations = 10] = process.argv.slice(2).map(Number);
const work = kernelFunction("work", function* (_start: number): Kernel<void> {
  yield* rounds(iterations);
});
const nowhere = { start: 0, end: 0 };
const source = new SourceText("spike", "");
const program: Program = {
  name: "spike",
  source,
  kernel: { era: "v5.2", patches: [] },
  items: [
    {
      kind: "race",
      at: nowhere,
      from: source,
      programs: Array.from({ length: cpus }, (_, cpu) => ({
        cpu,
        code: { fn: work.id, places: [nowhere], statements: [0] },
        resumes: false,
      })),
    },
  ],
  invariants: [],
  barriers: 0,
  outcomeWords: [],
  cpus,
  machine: { bodies: resolveBodies("v5.2", []).bodies },
  setUp: (machine) => machine.memory.set(machine.memory.wordAt(shared.refs.addr), 1),
};

const director = simulate(program);
const started = performance.now();
const { states, transitions } = drain(explore(director, new Findings(program), new Watch(DEFAULT_LIMITS)));
const seconds = (performance.now() - started) / 1000;
console.log(JSON.stringify({ cpus, iterations, states, transitions, statesPerSecond: Math.round(states / seconds) }));
