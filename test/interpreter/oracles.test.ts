/** The invariants of the model hold on the ways of every script that is expected to find nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../../grammar/span.ts";
import { includesOf } from "../../interpreter/commands/load.ts";
import { bindScript } from "../../interpreter/bind/script.ts";
import { drain } from "../../interpreter/breathing.ts";
import { explore } from "../../interpreter/explore.ts";
import { Findings } from "../../interpreter/findings.ts";
import { Watch } from "../../interpreter/limits.ts";
import { Seeded } from "../../interpreter/pickers.ts";
import { kernelText, type Program } from "../../interpreter/program.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { record } from "../../interpreter/trace.ts";
import { observe } from "../support/oracles.ts";

const WALKS = 6;
const STATES_MAX = 1_500;
const LIMITS = { maxStates: STATES_MAX, maxSteps: Infinity, maxMemory: Infinity, timeout: 0 };

const test = suite("the invariants, in scripts");

/** What scripts show on purpose though they expect no report: all of it must be found, and nothing else. */
const SHOWN: ReadonlyMap<string, readonly string[]> = new Map([
  // Who finds a page of a device locked does not wait for it: the fault is taken again and again, as in the kernel.
  [
    "mm-device-private-fault.hmm: v5.6 + device-private-page-ref",
    ["O6: __handle_mm_fault goes round without a change"],
  ],
  // mmu_notifier_release() comes when the pages are gone (MN-08), and this driver holds no references to them.
  [
    "001-walk-loses-its-way.hmm: mmu-notifier-v3 + mmu-notifier-spinlock + release-external-lock",
    ["O2: page is freed, but device refers to it"],
  ],
  // An update to the byte at 0 is taken for a removal.
  [
    "002-open-update-to-zero.hmm: v5.5 + interval-updates-safe",
    ["I6: release() of sub is called, which nobody has removed"],
  ],
]);

/** Scripts that expect reports are about kernels or drivers with bugs. */
const findsNothing = ({ items }: Program): boolean =>
  items.every((item) => item.kind !== "expect" || item.expectation.kind !== "report");

const readFile = includesOf("scripts/all.hmm", { readFile: (path) => readFileSync(path, "utf8") });
function programsOf(name: string): readonly Program[] {
  const path = `scripts/${name}`;
  const source = new SourceText(path, readFileSync(path, "utf8"));
  return bindScript(source, { readFile }).programs.filter(findsNothing);
}

/** Breaches on a way through a program, or on all until it becomes too many. */
function breaches(program: Program, go: (director: ReturnType<typeof simulate>) => void): string[] {
  const found = new Set<string>();
  const director = simulate(program);
  const complain = ({ oracle, message }: { oracle: string; message: string }): void =>
    void found.add(`${oracle}: ${message}`);
  observe(director.machine, { complain }).mayHoldLocks = true;
  go(director);
  return [...found];
}

let programs = 0;
for (const name of readdirSync("scripts").filter((file) => file.endsWith(".hmm")))
  for (const program of programsOf(name)) {
    programs++;
    const title = `${name}: ${kernelText(program.kernel)}`;
    test(title, () => {
      const found = new Set<string>();
      const look = (go: (director: ReturnType<typeof simulate>) => void): void =>
        breaches(program, go).forEach((breach) => found.add(breach));
      for (let seed = 1; seed <= WALKS; seed++)
        look((director) => void record(director, new Seeded(seed), { maxSteps: 5_000 }));
      look((director) => void drain(explore(director, new Findings(program), new Watch(LIMITS))));
      assert.equal([...found], SHOWN.get(title) ?? []);
    });
  }

test("there are such scripts", () => {
  assert.ok(programs > 20, String(programs));
});

test.run();
