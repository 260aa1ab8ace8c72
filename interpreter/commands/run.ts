/** `hmm run`: one schedule of a script, told as it goes. */
import { ScriptError } from "../script-error.ts";
import { fits } from "../expectation.ts";
import { worst, type ExitCode, type Io } from "../io.ts";
import { learn } from "../lock-circle.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { AsWritten, GoesRound, Scheduled, Seeded } from "../pickers.ts";
import { kernelText, type ExpectItem, type Program } from "../program.ts";
import { runText, type TraceDepth } from "../run-text.ts";
import { readBefore, readToken } from "../schedule.ts";
import { showLines } from "../show.ts";
import { simulate } from "../simulation.ts";
import { record, type Picker } from "../trace.ts";
import type { Trace } from "../trace-events.ts";
import { runJson } from "../json.ts";
import { statsText } from "../stats-text.ts";
import { loadPrograms, printDiagnostics, type ScriptChoice } from "./load.ts";

export interface RunOptions extends ScriptChoice {
  readonly trace: TraceDepth;
  readonly schedule: string | undefined;
  readonly seed: number | undefined;
  readonly maxSteps: number | undefined;
  readonly json: boolean;
  readonly stats: boolean;
}

export function run(options: RunOptions, io: Io): ExitCode {
  const programs = loadPrograms(options, io);
  if (programs.length === 0) return 2;
  const { schedule } = options;
  // A schedule belongs to one kernel of several.
  const fitting = schedule === undefined ? programs : programs.filter((p) => !("error" in readToken(p, schedule)));
  const chosen = fitting.length === 0 ? programs.slice(0, 1) : fitting;
  const codes: ExitCode[] = [];
  const results: string[] = [];
  for (const program of chosen) {
    if (chosen.length > 1 && !options.json)
      io.out(`${codes.length === 0 ? "" : "\n"}kernel ${kernelText(program.kernel)}\n`);
    codes.push(runOne(program, options, io, (json) => results.push(json)));
  }
  io.out(results.join(""));
  return worst(codes);
}

function runOne(program: Program, options: RunOptions, io: Io, json: (text: string) => void): ExitCode {
  const picker = choosePicker(program, options);
  if ("error" in picker) {
    io.err(`hmm: ${picker.error}\n`);
    return 2;
  }
  const started = performance.now();
  const director = simulate(program);
  if (options.schedule !== undefined) learn(director, readBefore(options.schedule));
  const maxSteps = options.maxSteps ?? DEFAULT_LIMITS.maxSteps;
  let trace: Trace;
  try {
    trace = record(director, picker, { maxSteps, show: showLines });
  } catch (error) {
    if (error instanceof ScriptError) {
      printDiagnostics([error.diagnostic(program.source)], io);
      return 2;
    }
    if (!(error instanceof GoesRound)) throw error;
    const who = error.actors.map((actor) => director.nameOf(actor));
    io.err(`hmm: ${who.join(" and ")} only ${who.length === 1 ? "goes" : "go"} round: livelock on this schedule\n`);
    return 1;
  }
  if (picker instanceof Scheduled && picker.mismatch !== undefined) {
    const { schedule } = program;
    if (schedule !== undefined && options.schedule === undefined) {
      const message = `this schedule does not fit: ${picker.mismatch}`;
      const help = "it was made for another script or kernel, or before something was changed: leave it out";
      const diagnostic = new ScriptError("E244", schedule.at, message, help).in(schedule.from);
      printDiagnostics([diagnostic.diagnostic(program.source)], io);
      return 2;
    }
    io.err(`hmm: this schedule does not fit: ${picker.mismatch}\n`);
    return 2;
  }
  const judged = judgeRun(program, trace);
  if (options.json) json(runJson(program, trace, judged));
  else {
    io.out(runText(program, trace, options.trace));
    for (const line of judged.lines) io.out(`${line}\n`);
  }
  if (options.stats) io.err(statsText(director, performance.now() - started));
  return judged.exitCode;
}

function choosePicker(program: Program, options: RunOptions): Picker | { readonly error: string } {
  if (options.schedule !== undefined) {
    const schedule = readToken(program, options.schedule);
    return "error" in schedule ? schedule : new Scheduled(schedule);
  }
  if (options.seed !== undefined) return new Seeded(options.seed);
  return program.schedule === undefined ? new AsWritten() : new Scheduled(program.schedule.runs);
}

export interface RunJudgement {
  readonly lines: readonly string[];
  readonly exitCode: ExitCode;
}

/** What one run can say about the expectations; about other interleavings it says nothing. */
function judgeRun(program: Program, trace: Trace): RunJudgement {
  const items = program.items.filter((item): item is ExpectItem => item.kind === "expect");
  const oneOfMany = program.items.some((item) => item.kind === "race");
  const lines: string[] = [];
  let failed = false;
  for (const item of items) {
    const { expectation } = item;
    const text = item.text.replace(/\s+/g, " ");
    if (expectation.kind === "condition" || expectation.kind === "blocked") {
      const told = trace.events.find((event) => event.kind === "expect" && event.item === item);
      const holds = told?.kind === "expect" && told.holds;
      if (holds) continue;
      if (told === undefined && trace.end === "limit") {
        lines.push(`?     ${text}  (not reached: --max-steps)`);
        continue;
      }
      const others = oneOfMany && (expectation.kind === "blocked" || expectation.sometimes || told === undefined);
      lines.push(others ? `?     ${text}  (not decided by one run)` : `FAIL  ${text}`);
      if (!others) failed = true;
    } else if (expectation.kind === "report") {
      if (trace.findings.some((finding) => fits(expectation, finding))) lines.push(`ok    ${text}`);
      else if (oneOfMany) lines.push(`?     ${text}  (not decided by one run)`);
      else {
        lines.push(`FAIL  ${text}`);
        failed = true;
      }
    } else if (trace.findings.some((finding) => fits(expectation, finding))) {
      lines.push(`FAIL  ${text}`);
      failed = true;
    }
  }
  const named = (finding: Trace["findings"][number]): boolean =>
    items.some(({ expectation }) => {
      if (expectation.kind === "blocked") return finding.kind === "deadlock";
      return expectation.kind === "report" && fits(expectation, finding);
    });
  if (trace.findings.some((finding) => !named(finding))) failed = true;
  const exitCode = failed ? 1 : trace.end === "limit" ? 3 : 0;
  return { lines, exitCode };
}
