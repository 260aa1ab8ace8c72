/** Commands that change or keep the script as a whole. */
import { SourceText } from "../../grammar/span.ts";
import { folderOf, includesOf, reason } from "../commands/load.ts";
import { kernelText } from "../program.ts";
import { nothing, refused, told, type Answering, type Desk } from "./desk.ts";
import { restAnswer } from "./moving.ts";
import { AsWritten, Scheduled } from "../pickers.ts";
import { Refused } from "./session.ts";
import { onKernel, onOneKernel } from "./script-text.ts";

/** `save FILE`: a script that leads here; `save! FILE` also where there is a file already. */
export function* save(desk: Desk, args: string): Answering {
  const force = args.startsWith("!");
  const path = args.replace(/^!/, "").trim() || desk.path;
  if (path === undefined) return refused("`:save` takes the name of a file: `:save race.hmm`");
  const { session, io } = desk;
  const text = session.scriptToHere();
  const isMoved = folderOf(path) !== folderOf(session.source.name);
  if (isMoved && /^\s*include\s+"/m.test(text))
    return refused(
      `it includes files that lie beside ${session.source.name}: save it there, in ${folderOf(session.source.name)}`,
    );
  if (!force && path !== desk.written && io.exists(path))
    return refused(`${path} is there already: \`:save! ${path}\` writes over it`);
  try {
    io.writeFile(path, text);
  } catch (error) {
    return refused(`cannot write ${path}: ${reason(error)}`);
  }
  desk.path = path;
  desk.written = path;
  const lines = text.split("\n").length - 1;
  return told(
    `${path}: ${lines} ${lines === 1 ? "line" : "lines"}, replayed by \`hmm run ${path}\` and \`:load ${path}\``,
  );
}

/** `load FILE`: as if it had been typed, along the schedule that it has. */
export function* load(desk: Desk, args: string): Answering {
  const path = args === "" ? desk.path : args;
  if (path === undefined) return refused("`:load` takes the name of a file: `:load scripts/004-odp-dying-mm.hmm`");
  const { session, io } = desk;
  let text: string;
  try {
    text = io.readFile(path);
  } catch (error) {
    return refused(`cannot read ${path}: ${reason(error)}`);
  }
  const readFile = includesOf(path, io);
  const source = new SourceText(path, text);
  session.replace(new SourceText(path, onOneKernel(source, undefined, readFile)), true, readFile);
  const { schedule } = session.program;
  const picker = schedule === undefined ? new AsWritten() : new Scheduled(schedule.runs);
  const rest = yield* session.runOn(picker, (director) => schedule === undefined && director.inRace, []);
  const { problem } = session.timeline;
  const mismatch = picker instanceof Scheduled ? picker.mismatch : undefined;
  if (problem !== undefined || mismatch !== undefined) {
    session.undo(); // what was there stays
    if (problem !== undefined) throw new Refused(problem.message, [problem.diagnostic(source)]);
    return refused(`${path}: its schedule does not fit: ${mismatch}`);
  }
  desk.path = path;
  return restAnswer(session, rest);
}

export function* reset(desk: Desk): Answering {
  desk.session.replace(new SourceText("prompt", ""), true);
  desk.path = undefined;
  return nothing;
}

/** `kernel`: which it is; `kernel v5.2 + odp-v4`: the same statements there, from the start. */
export function* kernel({ session }: Desk, args: string): Answering {
  if (args === "") return told(`kernel ${session.kernel}`);
  const { source, isOpen } = session;
  session.replace(new SourceText(source.name, onKernel(source, args)), isOpen);
  const said = `kernel ${kernelText(session.program.kernel)}`;
  if (!isOpen) return told(said);
  const rest = yield* session.runOn(new AsWritten(), (director) => director.inRace, []);
  return told(said, ...restAnswer(session, rest).lines);
}

export function* undo({ session }: Desk): Answering {
  return session.undo() ? nothing : refused("there is nothing to undo");
}
export function* redo({ session }: Desk): Answering {
  return session.redo() ? nothing : refused("there is nothing to redo");
}

/** Nothing more comes: what `hmm run` would do at the end of the script. */
export function* end({ session }: Desk): Answering {
  return restAnswer(session, yield* session.end());
}
