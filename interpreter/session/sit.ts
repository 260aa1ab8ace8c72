/** From what the command line names to a session somebody can sit at. */
import { renderAll } from "../../grammar/diagnostic.ts";
import { SourceText } from "../../grammar/span.ts";
import type { Breathing } from "../breathing.ts";
import { includesOf, nameOf, readText } from "../commands/load.ts";
import type { Io } from "../io.ts";
import { AsWritten, Scheduled, Seeded } from "../pickers.ts";
import type { Program } from "../program.ts";
import { readToken } from "../schedule.ts";
import type { Picker } from "../trace.ts";
import type { Desk } from "./desk.ts";
import { onOneKernel } from "./script-text.ts";
import { Refused, Session } from "./session.ts";

export interface Seat {
  /** A path, "-" for standard input; undefined: an empty session, or `text`. */
  readonly path: string | undefined;
  /** From -e. */
  readonly text: string | undefined;
  readonly kernel: string | undefined;
  /** `run`: along one schedule, at its start; `check`: with a search under way. */
  readonly mode: "prompt" | "run" | "check";
  readonly schedule?: string | undefined;
  readonly seed?: number | undefined;
  readonly plain: boolean;
  readonly colour: "auto" | "always" | "never";
}

/** Says what is wrong and returns undefined if the script has mistakes, or cannot be read. */
export function* sitDown(seat: Seat, io: Io): Breathing<Desk | undefined> {
  const hasScript = seat.path !== undefined || seat.text !== undefined;
  const text = seat.text ?? (seat.path === undefined ? "" : readText(seat.path, io));
  if (text === undefined) return undefined;
  const name = !hasScript ? "prompt" : seat.path === undefined ? "-e" : nameOf(seat.path);
  const readFile = includesOf(seat.path ?? "prompt", io);
  let source = new SourceText(name, text);
  try {
    source = new SourceText(name, onOneKernel(source, seat.kernel, readFile));
    const session = Session.open(source, !hasScript, readFile);
    const desk: Desk = {
      session,
      io,
      depth: seat.plain ? "statements" : "steps",
      path: seat.path,
      written: undefined,
    };
    const why = yield* goAlong(session, seat);
    if (why === undefined) return desk;
    io.err(`hmm: ${why}\n`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    io.err(`${renderAll(error.diagnostics)}\n`);
  }
  return undefined;
}
/** Takes the way that was asked for, and goes back to its start. Returns what does not fit, if anything. */
function* goAlong(session: Session, seat: Seat): Breathing<string | undefined> {
  const picker = pickerOf(session.program, seat);
  if (picker === undefined) return undefined;
  if ("error" in picker) return picker.error;
  yield* session.runOn(picker, () => false);
  if (picker instanceof Scheduled && picker.mismatch !== undefined)
    return `this schedule does not fit: ${picker.mismatch}`;
  session.timeline.backTo(0);
  return undefined;
}
function pickerOf(program: Program, { mode, schedule, seed }: Seat): Picker | { readonly error: string } | undefined {
  if (schedule !== undefined) {
    const runs = readToken(program, schedule);
    return "error" in runs ? runs : new Scheduled(runs);
  }
  if (seed !== undefined) return new Seeded(seed);
  if (program.schedule !== undefined) return new Scheduled(program.schedule.runs);
  return mode === "run" ? new AsWritten() : undefined;
}
