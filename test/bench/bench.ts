/**
 * `npm run bench`: figures as ratios within one run, medians of several, each in a process of its own.
 *
 *   --view   the terminal and start-up only
 *   --long   also the first race with four CPUs (minutes)
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstByte, firstFrame, keys, memory } from "./terminal.ts";

const HMM = "dist/bin/hmm.cjs";
const SCRIPT = "scripts/004-odp-dying-mm.hmm";
const SPIKE = ["4", "9"];
const SPIKE_STATES = 2_985_472;
const RUNS = 5;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

function node(args: readonly string[]): { ms: number; out: string; err: string } {
  const started = performance.now();
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  return { ms: performance.now() - started, out: stdout, err: stderr };
}
/** Milliseconds until `text` has been printed. */
function until(args: readonly string[], text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    let out = "";
    const child = spawn(process.execPath, args);
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (!out.includes(text)) return;
      resolve(performance.now() - started);
      child.kill("SIGKILL");
    });
    child.on("close", () => reject(new Error(`never printed: ${text}`)));
  });
}

function engine(): void {
  const ratios: number[] = [];
  const rates: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const spike = JSON.parse(node(["--stack-size=60000", "test/bench/spike.mjs", ...SPIKE]).out);
    const ours = JSON.parse(node(["dist/test/bench/engine.js", ...SPIKE]).out);
    if (ours.states !== SPIKE_STATES || ours.transitions !== spike.transitions)
      throw new Error(`the engine counts ${ours.states} states, the spike ${SPIKE_STATES}`);
    ratios.push(ours.statesPerSecond / spike.statesPerSecond);
    rates.push(ours.statesPerSecond);
  }
  print(`engine        ${SPIKE_STATES} states, exactly; ${(median(rates) / 1e6).toFixed(2)} M states/s,`);
  print(`              ${median(ratios).toFixed(2)} of the design spike's rate in the same minute (target 0.8)`);
}

async function startUp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "hmm-bench-"));
  const ten = join(folder, "ten.hmm");
  writeFileSync(ten, `kernel v5.2\n${"cpu0: mmap 0x1000..\ncpu0: munmap 0x1000..\n".repeat(4)}cpu0: mmap 0x1000..\n`);
  const over = async (what: string, target: number, measure: () => Promise<number> | number): Promise<void> => {
    const extra: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      const empty = node(["-e", "0"]).ms;
      extra.push((await measure()) - empty);
    }
    print(`${what.padEnd(14)}${median(extra).toFixed(0)} ms more than \`node -e 0\` (target ${target})`);
  };
  await over("run", 120, () => node([HMM, "run", ten]).ms);
  const frames: number[] = [];
  for (let i = 0; i < RUNS; i++) frames.push((await firstFrame()) - (await firstByte()));
  print(`first frame   ${median(frames).toFixed(0)} ms more than \`node -e 0\`, both in a terminal (target 250)`);
  await over("check", 250, () => until([HMM, "check", SCRIPT], "proven minimal"));
}

function race(cpus: number): void {
  const folder = mkdtempSync(join(tmpdir(), "hmm-bench-"));
  for (const fix of ["", " + odp-mmget-not-zero", " + hmm-range-mmget"]) {
    if (cpus > 3 && fix === "") continue;
    const path = join(folder, "race.hmm");
    const text = readFileSync(SCRIPT, "utf8")
      .replace(/^expect.*$/gm, "")
      .replace(/cpu1:/, cpus > 2 ? `cpu1..cpu${cpus - 1}:` : "cpu1:")
      .replace("0x1000..0x3000", "0x1000..0x2000");
    writeFileSync(path, text);
    const args = [
      HMM,
      "check",
      path,
      "--kernel",
      `v5.2 + odp-v4${fix}`,
      "--max-states",
      "400000000",
      "--max-memory",
      "16000",
    ];
    const { ms, out } = node(args);
    const states = /([\d,]+) states/.exec(out.split("\n").at(-2) ?? "")?.[1] ?? "?";
    print(`${String(cpus)} CPUs        ${(ms / 1000).toFixed(1)} s, ${states} states: v5.2 + odp-v4${fix}`);
  }
}

if (!process.argv.includes("--view")) engine();
await startUp();
await keys();
await memory();
if (!process.argv.includes("--view"))
  for (const cpus of process.argv.includes("--long") ? [2, 3, 4] : [2, 3]) race(cpus);
