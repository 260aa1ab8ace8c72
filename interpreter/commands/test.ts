/** `hmm test [DIR]`: every script of a folder against its golden, what `hmm check` printed when somebody read it. */
import { posix } from "node:path";
import { drain } from "../breathing.ts";
import type { ExitCode, Io } from "../io.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { check } from "./check.ts";
import { reason } from "./load.ts";
import { differenceLines } from "../difference.ts";

export interface TestOptions {
  readonly folder: string;
  /** Where the goldens are; for a user's folder, `golden/` in it. */
  readonly goldens: string;
  readonly update: boolean;
}

export function test(options: TestOptions, io: Io): ExitCode {
  let scripts: string[];
  try {
    scripts = io.listFolder(options.folder).filter((name) => name.endsWith(".hmm"));
  } catch (error) {
    io.err(`hmm: cannot read ${options.folder}: ${reason(error)}\n`);
    return 2;
  }
  if (scripts.length === 0) {
    io.err(`hmm: there are no scripts (*.hmm) in ${options.folder}\n`);
    return 2;
  }
  let passed = 0;
  const failures: string[] = [];
  for (const name of scripts.sort()) {
    const problem = testOne(name, options, io);
    if (problem === undefined) passed++;
    else failures.push(problem);
  }
  for (const orphan of orphans(scripts, options, io)) failures.push(orphan);
  for (const failure of failures) io.out(`${failure}\n`);
  io.out(`${passed} passed, ${failures.length} failed\n`);
  return failures.length === 0 ? 0 : 1;
}

/** What a golden holds: all that `hmm check` prints, and its exit code. */
function transcript(script: string, io: Io): string {
  let out = "";
  let err = "";
  const inner: Io = { ...io, out: (text) => (out += text), err: (text) => (err += text) };
  const code = drain(
    check(
      {
        path: script,
        text: undefined,
        kernel: undefined,
        full: false,
        all: false,
        json: false,
        stats: false,
        limits: DEFAULT_LIMITS,
      },
      inner,
    ),
  );
  return `${err}${out}exit ${code}\n`;
}

function testOne(name: string, options: TestOptions, io: Io): string | undefined {
  const got = transcript(posix.join(options.folder, name), io);
  const golden = posix.join(options.goldens, name.replace(/\.hmm$/, ".check.txt"));
  if (options.update) {
    io.writeFile(golden, got);
    return undefined;
  }
  if (!io.exists(golden))
    return `${name}: no golden ${golden}; read the output of \`hmm check\`, then \`hmm test --update\``;
  const wanted = io.readFile(golden);
  if (wanted === got) return undefined;
  return [`${name}: differs from ${golden}`, ...differenceLines(wanted, got)].join("\n");
}
function orphans(scripts: readonly string[], options: TestOptions, io: Io): string[] {
  if (!io.exists(options.goldens)) return [];
  return io
    .listFolder(options.goldens)
    .filter((name) => name.endsWith(".check.txt"))
    .filter((name) => !scripts.includes(name.replace(/\.check\.txt$/, ".hmm")))
    .map((name) => `${posix.join(options.goldens, name)}: there is no script of this name any more`);
}
