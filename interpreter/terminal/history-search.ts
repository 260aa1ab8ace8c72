/** Looking through what was typed earlier: entry after entry, or for a few letters anywhere in them. */
import { clean, graphemesOf } from "./text-motion.ts";

/** What a prompt shows. */
export interface Line {
  readonly text: string;
  readonly cursor: number;
}

/** Each text once, for nobody wants to see it twice on the way back. */
function newestFirst(history: readonly string[]): string[] {
  return [...new Set(history.map(clean).reverse())].filter((entry) => entry !== "");
}

/** Where somebody stands who goes back through the history and forth again. */
export class HistoryWalk {
  /** What they come back to. */
  readonly typed: Line;
  private readonly entries: readonly string[];
  /** -1 is what was typed. */
  private at: number;

  constructor(typed: Line, entries: readonly string[], at: number) {
    this.typed = typed;
    this.entries = entries;
    this.at = at;
  }
  /** Among the entries that begin with what stands before the cursor. */
  static from(typed: Line, history: readonly string[]): HistoryWalk {
    const begin = typed.text.slice(0, typed.cursor);
    const fits = (entry: string): boolean => entry.startsWith(begin) && entry !== typed.text;
    return new HistoryWalk(typed, newestFirst(history).filter(fits), -1);
  }

  /** The cursor is left in the line from which the next step back goes on: of many lines it is the first. */
  older(): Line | undefined {
    const text = this.entries[this.at + 1];
    if (text === undefined) return undefined;
    this.at++;
    const firstEnd = text.indexOf("\n");
    return { text, cursor: firstEnd === -1 ? text.length : firstEnd };
  }
  /** With `typed` the walk is over. */
  newer(): Line {
    this.at--;
    const text = this.entries[this.at];
    return text === undefined ? this.typed : { text, cursor: text.length };
  }
}

/** How far a search has come with a letter more. To take the letter away is to be there again. */
interface Stage {
  readonly query: string;
  /** The entry that is shown; -1 is what was typed. */
  readonly at: number;
  /** Whether it has what is looked for. If not, no older one has it, and more letters will not help. */
  readonly fits: boolean;
  /** Whether the last key found nothing more. */
  readonly failed: boolean;
}

/** An incremental search: what is looked for grows letter by letter, and each letter looks on from what is shown. */
export class HistorySearch {
  readonly origin: Line;
  private readonly entries: readonly string[];
  /** What the search before this one looked for. */
  private readonly earlier: string;
  private readonly stages: Stage[] = [{ query: "", at: -1, fits: true, failed: false }];

  constructor(origin: Line, history: readonly string[], earlier: string) {
    this.origin = origin;
    this.entries = newestFirst(history);
    this.earlier = earlier;
  }

  get query(): string {
    return this.stage.query;
  }
  get failed(): boolean {
    return this.stage.failed;
  }
  /** What is found, and the cursor where it has as much of the query as was found. */
  get line(): Line {
    const text = this.entries[this.stage.at];
    if (text === undefined) return this.origin;
    const query = this.stages.findLast(({ fits }) => fits)?.query ?? "";
    return { text, cursor: text.indexOf(query) };
  }

  type(text: string): void {
    for (const letter of graphemesOf(text)) {
      const { at, fits } = this.stage;
      const query = this.stage.query + letter;
      const found = fits ? this.find(query, Math.max(at, 0), 1) : -1;
      const isFound = found !== -1;
      this.stages.push({ query, at: isFound ? found : at, fits: isFound, failed: !isFound });
    }
  }
  erase(): void {
    if (this.stages.length > 1) this.stages.pop();
  }
  /** Without a letter typed, what the last search was for. */
  older(): void {
    if (this.query === "") this.type(this.earlier);
    else this.go(1);
  }
  newer(): void {
    if (this.query !== "") this.go(-1);
  }
  /** From what was found on through the history, as if one had walked there. */
  walk(typed: Line): HistoryWalk | undefined {
    return this.stage.at === -1 ? undefined : new HistoryWalk(typed, this.entries, this.stage.at);
  }

  private get stage(): Stage {
    return this.stages.at(-1) as Stage;
  }
  private go(direction: 1 | -1): void {
    const { stage } = this;
    const found = this.find(stage.query, stage.at + direction, direction);
    this.stages[this.stages.length - 1] =
      found === -1 ? { ...stage, failed: true } : { ...stage, at: found, fits: true, failed: false };
  }
  private find(query: string, from: number, direction: 1 | -1): number {
    for (let i = from; i >= 0 && i < this.entries.length; i += direction)
      if (this.entries[i]?.includes(query) === true) return i;
    return -1;
  }
}
