/** Runs the command line in process: what a user would type, and what they would see. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Io } from "../../interpreter/io.ts";
import { main } from "../../interpreter/main.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export function realIo(out: (text: string) => void, err: (text: string) => void, stdin = ""): Io {
  return {
    out,
    err,
    readFile: (path) => readFileSync(path, "utf8"),
    writeFile: (path, text) => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    },
    listFolder: (path) => readdirSync(path),
    exists: (path) => existsSync(path),
    readStdin: () => stdin,
    status: () => {},
    onInterrupt: () => () => {},
  };
}

export function hmm(args: readonly string[], stdin = ""): Ran {
  let out = "";
  let err = "";
  const io = realIo(
    (text) => (out += text),
    (text) => (err += text),
    stdin,
  );
  return { code: main(args, io), out, err };
}
