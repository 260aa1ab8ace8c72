/** From what the command line names to a bound program; mistakes are printed as they are found. */
import { posix } from "node:path";
import { renderAll, type Diagnostic } from "../../grammar/diagnostic.ts";
import { SourceText } from "../../grammar/span.ts";
import { bindScript } from "../bind/script.ts";
import type { ReadFile } from "../bind/includes.ts";
import type { Io } from "../io.ts";
import type { Program } from "../program.ts";

export interface ScriptChoice {
  /** A path, or "-" for standard input; undefined with `text`. */
  readonly path: string | undefined;
  /** From -e. */
  readonly text: string | undefined;
  readonly kernel: string | undefined;
}
const SCRIPT_SIZE_MAX = 1 << 20;

/** A program for every kernel that the script names, or none after its mistakes have been printed. */
export function loadPrograms(choice: ScriptChoice, io: Io): readonly Program[] {
  const source = readSource(choice, io);
  if (source === undefined) return [];
  const readFile = choice.path === undefined || choice.path === "-" ? undefined : includesOf(choice.path, io);
  const { programs, diagnostics } = bindScript(source, {
    ...(choice.kernel === undefined ? {} : { kernel: choice.kernel }),
    ...(readFile === undefined ? {} : { readFile }),
  });
  printDiagnostics(diagnostics, io);
  return programs;
}

export function printDiagnostics(diagnostics: readonly Diagnostic[], io: Io): void {
  if (diagnostics.length > 0) io.err(`${renderAll(diagnostics)}\n`);
}

function readSource(choice: ScriptChoice, io: Io): SourceText | undefined {
  if (choice.text !== undefined) return new SourceText("-e", choice.text);
  if (choice.path === undefined) {
    io.err("hmm: no script given; name a file, `-` for standard input, or -e 'STATEMENTS'\n");
    return undefined;
  }
  const text = readText(choice.path, io);
  return text === undefined ? undefined : new SourceText(nameOf(choice.path), text);
}

/** What messages call a path. */
export function nameOf(path: string): string {
  return path === "-" ? "stdin" : path;
}

/** The text of a script, or undefined after saying why there is none. */
export function readText(path: string, io: Io): string | undefined {
  try {
    const text = path === "-" ? io.readStdin() : io.readFile(path);
    if (text.length <= SCRIPT_SIZE_MAX) return text;
    io.err(`hmm: ${path} is larger than a script can be (1 MiB)\n`);
  } catch (error) {
    io.err(`hmm: cannot read ${path}: ${reason(error)}\n`);
  }
  return undefined;
}
/** Why a file operation failed, in a few words. */
export function reason(error: unknown): string {
  const code = (error as { code?: string }).code;
  const known: Readonly<Record<string, string>> = {
    ENOENT: "no such file",
    EACCES: "permission denied",
    EISDIR: "it is a folder",
    ENOTDIR: "not a folder",
  };
  return (code === undefined ? undefined : known[code]) ?? (error instanceof Error ? error.message : String(error));
}

/** The folder of a script. */
export function folderOf(path: string): string {
  return posix.dirname(posix.normalize(path.replaceAll("\\", "/")));
}

/** Included files lie beside the script or below its folder, never above. */
export function includesOf(script: string, io: Pick<Io, "readFile">): ReadFile {
  const root = folderOf(script);
  return (path, from) => {
    if (posix.isAbsolute(path)) return { error: "the path is relative to this file" };
    const name = posix.normalize(posix.join(posix.dirname(from), path));
    const inside = posix.relative(root, name);
    if (inside.startsWith("..")) return { error: "it lies above the folder of the script" };
    try {
      return { name, text: io.readFile(name) };
    } catch (error) {
      return { error: reason(error) };
    }
  };
}
