/** `npm test`: all suites, the slowest one beside the others, and one sum of both. */
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = dirname(fileURLToPath(import.meta.url));
/** `hmm doc` runs every body of every kernel: it takes as long as all the rest. */
const HALVES = ["doc\\.test\\.js$", "^(?!.*doc\\.test).*\\.test\\.js$"];

interface Half {
  readonly code: number;
  readonly text: string;
}
function run(pattern: string): Promise<Half> {
  const args = ["node_modules/uvu/bin.js", FOLDER, pattern, "--no-color"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done({ code: code ?? 1, text: Buffer.concat(chunks).toString() }));
  });
}
/** Of the counts that each half ends with. */
function sum(halves: readonly Half[], label: string): number {
  return halves
    .map(({ text }) => Number(new RegExp(`^ *${label}: *(\\d+)`, "m").exec(text)?.[1] ?? 0))
    .reduce((a, b) => a + b, 0);
}

const halves = await Promise.all(HALVES.map(run));
for (const { text } of halves) process.stdout.write(text);
process.stdout.write(`\n  Total:     ${sum(halves, "Total")}\n  Passed:    ${sum(halves, "Passed")}\n`);
process.exitCode = halves.some(({ code }) => code !== 0) ? 1 : 0;
