/**
 * The steps of every kernel function that a script can call, on its main paths, as `hmm run --trace=steps` tells them:
 * one golden per path. What they are compared with when they are read is the description of the kernel, whose step
 * numbers stand beside them.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { main } from "../../interpreter/main.ts";
import type { Io } from "../../interpreter/io.ts";
import { stepCases, type StepCase } from "../support/step-cases.ts";

const GOLDENS = "test/golden/steps";
const UPDATE = process.env["UPDATE"] === "1";

/** What the commands print, and nothing else of the world. */
function captured(argv: readonly string[]): string {
  let printed = "";
  const none = (): never => {
    throw new Error("a case needs no files");
  };
  const io: Io = {
    out: (text) => void (printed += text),
    err: (text) => void (printed += text),
    readFile: none,
    writeFile: none,
    listFolder: none,
    exists: () => false,
    readStdin: none,
    status: () => {},
    onInterrupt: () => () => {},
  };
  main(argv, io);
  return printed;
}

/** The script, and what is printed from the first statement on that is not mere preparation. */
function steps({ kernel, setup, run }: StepCase): string {
  const script = [`kernel ${kernel}`, ...setup, ...run].join("\n");
  const lines = captured(["run", "--trace=steps", "-e", script]).split("\n");
  const start = lines.lastIndexOf(run[0] ?? "");
  return `${script}\n\n${lines.slice(Math.max(start, 0)).join("\n")}`;
}

for (const one of stepCases)
  test(one.name, () => {
    const path = `${GOLDENS}/${one.name}.txt`;
    const actual = steps(one);
    if (UPDATE) {
      mkdirSync(GOLDENS, { recursive: true });
      writeFileSync(path, actual);
    }
    assert.ok(existsSync(path), `${path} is missing; UPDATE=1 writes it`);
    assert.is(actual, readFileSync(path, "utf8"));
  });

test("every golden has a case", () => {
  const names = new Set(stepCases.map(({ name }) => `${name}.txt`));
  assert.is(names.size, stepCases.length);
  const orphans = existsSync(GOLDENS) ? readdirSync(GOLDENS).filter((file) => !names.has(file)) : [];
  if (UPDATE) for (const file of orphans) unlinkSync(`${GOLDENS}/${file}`);
  assert.equal(UPDATE ? [] : orphans, []);
});

test.run();
