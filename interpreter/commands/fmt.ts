/** `hmm fmt`: scripts in their canonical spelling. */
import { format } from "../../grammar/format.ts";
import { SourceText } from "../../grammar/span.ts";
import type { ExitCode, Io } from "../io.ts";
import { nameOf, printDiagnostics, readText, reason } from "./load.ts";

export interface FmtOptions {
  /** Or "-" alone, for standard input to standard output. */
  readonly paths: readonly string[];
  /** Only say which files would change. */
  readonly check: boolean;
}

/** What stands for bytes that are no UTF-8. */
const UNREADABLE = "\ufffd";

export function fmt({ paths, check }: FmtOptions, io: Io): ExitCode {
  let failed = false;
  let differs = false;
  for (const path of paths) {
    if (path !== "-" && !check && !path.endsWith(".hmm")) {
      const help = `\`hmm fmt - < ${path}\` prints it as a script`;
      io.err(`hmm: ${nameOf(path)} is left alone: only .hmm files are rewritten; ${help}\n`);
      failed = true;
      continue;
    }
    const before = readText(path, io);
    const after = before === undefined ? undefined : formatted(path, before, io);
    if (after === undefined) failed = true;
    else if (path === "-" && !check) io.out(after);
    else if (after !== before) {
      differs = true;
      if (!check && !write(path, after, io)) failed = true;
      else io.out(`${nameOf(path)}\n`);
    }
  }
  if (failed) return 2;
  return check && differs ? 1 : 0;
}

function formatted(path: string, before: string, io: Io): string | undefined {
  if (before.includes(UNREADABLE)) {
    io.err(`hmm: ${nameOf(path)} is left alone: it is not UTF-8, and what cannot be read would be lost\n`);
    return undefined;
  }
  const result = format(new SourceText(nameOf(path), before));
  if ("text" in result) return result.text;
  printDiagnostics(result.diagnostics, io);
  return undefined;
}

function write(path: string, text: string, io: Io): boolean {
  try {
    io.writeFile(path, text);
    return true;
  } catch (error) {
    io.err(`hmm: cannot write ${path}: ${reason(error)}\n`);
    return false;
  }
}
