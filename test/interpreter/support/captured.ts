/** The command line in process: what it prints, and how it ends. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { main } from "../../../interpreter/main.ts";
import type { ExitCode, Io } from "../../../interpreter/io.ts";

export interface Captured {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** `files`: those of the given names stand in for files on disk; without it the disk is read. Nothing is written. */
export function captured(argv: readonly string[], files?: Readonly<Record<string, string>>): Captured {
  let out = "";
  let err = "";
  const io: Io = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readFile: (path) => (files === undefined ? readFileSync(path, "utf8") : given(files, path)),
    writeFile: (path) => {
      throw new Error(`a test wrote ${path}`);
    },
    listFolder: (path) => readdirSync(path),
    exists: (path) => (files === undefined ? existsSync(path) : Object.hasOwn(files, path)),
    readStdin: () => "",
    status: () => {},
    onInterrupt: () => () => {},
  };
  const code = main(argv, io);
  return { code, out, err };
}

function given(files: Readonly<Record<string, string>>, path: string): string {
  const text = files[path];
  if (text === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
  return text;
}

/** The codes of the diagnostics that were printed, in order. */
export function codesIn(text: string): string[] {
  return [...text.matchAll(/^(?:error|warning)\[(\w*)\]/gm)].map(([, code]) => code ?? "");
}
