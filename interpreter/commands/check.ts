/** `hmm check`: all schedules of a script. */
import type { Breathing } from "../breathing.ts";
import { check as search, type CheckedReport, type CheckResult } from "../check.ts";
import { checkHeadline, checkText } from "../check-text.ts";
import { worst, type ExitCode, type Io } from "../io.ts";
import { checkJson } from "../json.ts";
import type { Limits, Watch } from "../limits.ts";
import { ScriptError } from "../script-error.ts";
import { checkStatsText } from "../stats-text.ts";
import { judge } from "../verdict.ts";
import { progress } from "../progress.ts";
import type { Program } from "../program.ts";
import { loadPrograms, printDiagnostics, type ScriptChoice } from "./load.ts";

export interface CheckCommandOptions extends ScriptChoice {
  readonly full: boolean;
  readonly all: boolean;
  readonly json: boolean;
  readonly stats: boolean;
  readonly limits: Limits;
}

export function* check(options: CheckCommandOptions, io: Io): Breathing<ExitCode> {
  const programs = loadPrograms(options, io);
  if (programs.length === 0) return 2;
  const codes: ExitCode[] = [];
  const results: string[] = [];
  for (const [i, program] of programs.entries()) {
    if (i > 0 && !options.json) io.out("\n");
    codes.push(yield* checkOne(program, options, io, (json) => results.push(json)));
    if (codes.at(-1) === 130) break;
  }
  io.out(results.join(""));
  return worst(codes);
}

function* checkOne(
  program: Program,
  options: CheckCommandOptions,
  io: Io,
  json: (text: string) => void,
): Breathing<ExitCode> {
  const started = performance.now();
  const path = options.path ?? `-e '${options.text ?? ""}'`;
  const textOptions = { full: options.full, path, kernelOption: options.kernel };
  let told = false;
  const tell = (report: CheckedReport | undefined): void => {
    if (told || options.json) return;
    io.status("");
    io.out(checkHeadline(program, report, textOptions));
    told = true;
  };
  let result: CheckResult;
  let stopListening = (): void => {};
  try {
    const onWatch = (watch: Watch): void => {
      stopListening = io.onInterrupt(() => (watch.interrupted = true));
      watch.onProgress = progress((text) => io.status(text));
    };
    result = yield* search(program, { limits: options.limits, all: options.all, onWatch, onHeadline: tell });
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    printDiagnostics([error.diagnostic(program.source)], io);
    return 2;
  } finally {
    stopListening();
    io.status("");
  }
  const verdict = judge(result);
  tell(result.reports[0]);
  if (options.json) json(checkJson(result, verdict));
  else io.out(checkText(result, verdict, textOptions));
  if (options.stats) io.err(checkStatsText(result, performance.now() - started));
  return verdict.exitCode;
}
