/** What may stand where the cursor is: from the tables that say what there is. */
import { patches } from "../../runtime/kernel.ts";
import { ERAS } from "../../runtime/patch.ts";
import { ACTOR_NAMES } from "../actors.ts";
import { showWords } from "../show.ts";
import { commands, commandsCalled } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { functionNames } from "./stopping.ts";

export interface Completion {
  /** What would be replaced. */
  readonly start: number;
  readonly end: number;
  /** In alphabetical order, each once. */
  readonly candidates: readonly string[];
}

/** Completes the word before the cursor. */
export function complete(desk: Desk, text: string, cursor: number): Completion {
  const before = text.slice(0, cursor);
  const { start, words } = candidates(desk, before);
  const typed = before.slice(start);
  const fitting = [...new Set(words)].filter((word) => word.startsWith(typed)).sort();
  return { start, end: cursor, candidates: fitting };
}

interface Candidates {
  readonly start: number;
  readonly words: readonly string[];
}
function candidates(desk: Desk, before: string): Candidates {
  const command = /^\s*:(\w*)$/.exec(before);
  if (command !== null) return { start: before.lastIndexOf(":") + 1, words: commands.map(({ name }) => name) };
  const withArgument = /^\s*:(\w+)!?\s+([\s\S]*)$/.exec(before);
  if (withArgument !== null) return argument(desk, withArgument[1] ?? "", before);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const quoted = /\binclude\s+"([^"]*)$/.exec(line);
  if (quoted !== null) return files(desk, before, quoted[1] ?? "");
  if (/(^|\s)(kernel|in)\s+[^;{}]*$/.test(line) && /^\s*(for\s+)?kernel\b/.test(line)) return kernels(before);
  if (/\buntil\s+\w*$/.test(line) || /\bin\s+\w*$/.test(line)) return word(before, functionNames(desk.session));
  if (/^\s*show\s+[\w\s,]*$/.test(line)) return word(before, showWords());
  return expression(desk, before);
}
function argument(desk: Desk, name: string, before: string): Candidates {
  const [command, ...more] = commandsCalled(name);
  if (command === undefined || more.length > 0) return { start: before.length, words: [] };
  switch (command.takes) {
    case "function":
      return word(before, [...functionNames(desk.session), "returns", "if"]);
    case "expression":
      return expression(desk, before);
    case "file":
      return files(desk, before, /\S*$/.exec(before)?.[0] ?? "");
    case "kernel":
      return kernels(before);
    case "cpu":
      return word(before, ACTOR_NAMES);
    case "word":
      return word(before, command.name === "help" ? helpWords(desk) : (command.words ?? []));
    case "none":
    case "number":
      return { start: before.length, words: [] };
  }
}
function helpWords({ session }: Desk): string[] {
  return [...commands.map(({ name }) => name), ...commands.map(({ topic }) => topic), "keys", "language"].concat(
    functionNames(session),
  );
}
function word(before: string, words: readonly string[]): Candidates {
  return { start: before.length - (/[\w-]*$/.exec(before)?.[0].length ?? 0), words };
}
function kernels(before: string): Candidates {
  const start = before.length - (/[\w.-]*$/.exec(before)?.[0].length ?? 0);
  const era = ERAS.find((one) => new RegExp(`\\b${one.replace(".", "\\.")}\\s*\\+[^,]*$`).test(before));
  const fitting = patches.filter(({ eras }) => era === undefined || eras.includes(era));
  return { start, words: [...(era === undefined ? ERAS : []), ...fitting.map(({ name }) => name)] };
}
/** A name, or a member of what stands in front of it. */
function expression({ session: { program } }: Desk, before: string): Candidates {
  const member = /([A-Za-z_][\w.]*(?:(?:->|\.|\[\w+\])[\w.]*)*)(?:->|\.)(\w*)$/.exec(before);
  if (member !== null) {
    const [, owner = "", typed = ""] = member;
    return { start: before.length - typed.length, words: program.vocabulary?.members(owner) ?? [] };
  }
  return word(before, program.vocabulary?.names() ?? []);
}
function files(desk: Desk, before: string, typed: string): Candidates {
  const { io } = desk;
  const folder = typed.slice(0, typed.lastIndexOf("/") + 1);
  let names: string[] = [];
  try {
    names = io.listFolder(folder === "" ? "." : folder);
  } catch {
    // There is nothing to complete where nothing can be read.
  }
  const visible = names.filter((name) => typed.slice(folder.length).startsWith(".") || !name.startsWith("."));
  const words = visible.map((name) => folder + name);
  return {
    start: before.length - typed.length,
    words: words.map((path) => (isFolder(desk, path) ? `${path}/` : path)),
  };
}
function isFolder({ io }: Desk, path: string): boolean {
  if (/\.\w+$/.test(path)) return false; // spares a look at most of what there is
  try {
    io.listFolder(path);
    return true;
  } catch {
    return false;
  }
}
