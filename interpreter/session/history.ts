/** What was typed at the prompt, kept from one session to the next: a file with one entry a line, the newest last. */
import { reason } from "../commands/load.ts";

/** How many entries are kept, and how many characters in all: a prompt takes whole scripts. */
export const ENTRIES_MAX = 1000;
export const SIZE_MAX = 1 << 20;

/** What a history needs of the file system. Each throws an Error that says why it cannot. */
export interface HistoryFiles {
  /** The text of a file, of a huge one the last lines; undefined: there is none. */
  read(path: string): string | undefined;
  /** Makes the file, and the folders above it, if need be. Others may append at the same time. */
  append(path: string, text: string): void;
  /** Puts a changed text in the place of the old one: whoever looks on sees the one or the other. */
  replace(path: string, change: (old: string) => string): void;
}

export class History {
  /** What is wrong with the file, in a few words. */
  problem: string | undefined;
  /** Oldest first. A new array each time, so that who holds one may go on with it. */
  entries: readonly string[] = [];
  private readonly files: HistoryFiles;
  /** undefined: nothing is kept. */
  private path: string | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>, home: string, files: HistoryFiles) {
    this.path = pathFrom(env, home);
    this.files = files;
  }

  /** Reads what earlier sessions have left. */
  load(): void {
    const { path } = this;
    if (path === undefined) return;
    const text = this.attempt("read", path, () => this.files.read(path)) ?? "";
    const { entries, lines, bad } = parse(text);
    if (bad > lines / 2) {
      // Somebody else's file: appending to it, or rewriting it, would do harm.
      this.problem = `cannot use ${path}: it is not a history`;
      this.path = undefined;
      return;
    }
    this.entries = newest(entries);
    // Seldom, for whoever is about to append to the file meanwhile would rather have it left alone.
    if (lines <= 2 * ENTRIES_MAX && text.length <= 2 * SIZE_MAX) return;
    this.attempt("write", path, () =>
      this.files.replace(path, (old) => newest(parse(old).entries).map(lineOf).join("")),
    );
  }

  /** Takes a line that was typed. What begins with a blank is for this session only, as in other shells. */
  add(entry: string): void {
    if (entry.trim() === "" || entry === this.entries.at(-1)) return;
    this.entries = [...this.entries, entry].slice(-ENTRIES_MAX);
    const { path } = this;
    if (path === undefined || entry.startsWith(" ") || UNFIT.test(entry) || entry.length > SIZE_MAX) return;
    // At once: a session that is killed loses nothing, and two at a time add to one file.
    this.attempt("write", path, () => this.files.append(path, lineOf(entry)));
  }

  private attempt<T>(what: "read" | "write", path: string, act: () => T): T | undefined {
    try {
      const result = act();
      this.problem = undefined;
      return result;
    } catch (error) {
      // "ENOSPC: no space left on device, write": the middle is for people
      this.problem = `cannot ${what} ${path}: ${reason(error).replace(/^[A-Z0-9]+: ([^,]+).*$/s, "$1")}`;
      return undefined;
    }
  }
}

function pathFrom(env: Readonly<Record<string, string | undefined>>, home: string): string | undefined {
  const named = env["HMM_HISTORY"];
  if (named !== undefined) return named === "" ? undefined : named;
  const state = env["XDG_STATE_HOME"];
  // Relative ones are to be ignored, says the standard
  if (state?.startsWith("/") === true) return `${state}/hmm/history`;
  return home === "" ? undefined : `${home}/.local/state/hmm/history`;
}

// ---- the file's text

/** What no prompt takes, or what UTF-8 does not bring back. Met in a file, the line is not ours. */
const UNFIT = /(?![\n\t])[\p{Cc}\p{Cs}\ufffd]/u;

function lineOf(entry: string): string {
  return `${entry.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`;
}
/** undefined: no history has written this. */
function entryOf(line: string): string | undefined {
  const isBad = UNFIT.test(line) || line.replace(/\\[\\n]/g, "").includes("\\");
  return isBad ? undefined : line.replace(/\\([\\n])/g, (_, letter) => (letter === "n" ? "\n" : "\\"));
}
function parse(text: string): { entries: string[]; lines: number; bad: number } {
  const lines = text.split("\n").filter((line) => line !== "");
  const read = lines.map(entryOf);
  const good = read.filter((entry) => entry !== undefined);
  const entries = good.filter((entry, i) => entry.trim() !== "" && entry !== good[i - 1]);
  return { entries, lines: lines.length, bad: read.length - good.length };
}
/** The last of them, as many as are kept. One that is too large for the others goes, not they. */
function newest(entries: readonly string[]): string[] {
  let size = 0;
  const kept: string[] = [];
  for (const entry of entries.slice(-ENTRIES_MAX).reverse()) {
    if (size + entry.length > SIZE_MAX) continue;
    size += entry.length;
    kept.push(entry);
  }
  return kept.reverse();
}
