/** What is typed at a prompt, and what each key makes of it. It knows no screen: who owns it shows text and cursor. */
import { HistorySearch, HistoryWalk, type Line } from "./history-search.ts";
import type { Key } from "./keys.ts";
import {
  boundary,
  clean,
  columnOf,
  inNextLine,
  lineEnd,
  lineStart,
  NAMES,
  nextGrapheme,
  NO_BLANKS,
  previousGrapheme,
  wordEnd,
  wordStart,
} from "./text-motion.ts";

/** What was done last, for what some keys do depends on it: a second `home` goes further, kills in a row are one. */
type Deed = "typed" | "erased" | "killed" | "home" | "end" | "lines" | "other";

/** "C-a", "M-b", "C-left", "up". Caps lock makes no other command of a letter. */
function chordOf({ name, ctrl, meta }: Key): string {
  return ctrl || meta ? `${ctrl ? "C-" : ""}${meta ? "M-" : ""}${name.toLowerCase()}` : name;
}
/** What a key types; undefined: it is a command. */
function typedBy({ text, ctrl, meta }: Key): string | undefined {
  return text === "" || ctrl || meta ? undefined : clean(text);
}

export class LineEditor {
  private line: Line = { text: "", cursor: 0 };
  private lastDeed: Deed = "other";
  /** Lines to go back to, the newest last. */
  private undoable: Line[] = [];
  private killed = "";
  /** Where up and down want to be, also behind a line that is too short. */
  private column = 0;
  /** Is there while the text is what the walk led to. */
  private walk: HistoryWalk | undefined;
  private searching: HistorySearch | undefined;
  private lastQuery = "";
  private readonly history: () => readonly string[];
  private readonly commands: ReadonlyMap<string, () => Deed>;

  /** `history` is asked when it is needed: oldest first. */
  constructor(history: () => readonly string[]) {
    this.history = history;
    this.commands = this.commandTable();
  }

  get text(): string {
    return this.line.text;
  }
  /** In UTF-16 units, and never inside a grapheme. */
  get cursor(): number {
    return this.line.cursor;
  }
  /** While Ctrl-R looks for something; `text` is then what it has found. */
  get search(): { readonly query: string; readonly failed: boolean } | undefined {
    return this.searching && { query: this.searching.query, failed: this.searching.failed };
  }

  /** "ignored" is for the owner to deal with: nothing has changed, but that return ends a search. */
  key(key: Key): "handled" | "ignored" {
    const chord = chordOf(key);
    const typed = typedBy(key);
    if (this.searching !== undefined && this.searchKey(this.searching, chord, typed)) return "handled";
    if (chord === "return" && typed === undefined) this.acceptSearch();
    if (typed !== undefined) {
      this.acceptSearch();
      this.lastDeed = this.edit(this.cursor, this.cursor, typed, key.name === "paste" ? "other" : "typed");
      return "handled";
    }
    const command = this.commands.get(chord);
    // Ctrl-D at an empty prompt is the end of the input
    if (command === undefined || (chord === "C-d" && this.text === "")) return "ignored";
    this.acceptSearch();
    this.lastDeed = command();
    return "handled";
  }

  /** Begins anew: what was before cannot be undone. */
  set(text: string, cursor = Infinity): void {
    const cleaned = clean(text);
    this.searching = this.walk = undefined;
    this.undoable = [];
    this.lastDeed = "other";
    this.show({ text: cleaned, cursor });
  }
  clear(): void {
    this.set("");
  }
  insert(text: string): void {
    this.replace(this.cursor, this.cursor, text);
  }
  /** Leaves the cursor behind what was put in. */
  replace(start: number, end: number, text: string): void {
    this.acceptSearch();
    const from = Math.max(0, Math.min(start, this.text.length));
    const to = Math.max(from, Math.min(end, this.text.length));
    this.lastDeed = this.edit(from, to, clean(text), "other");
  }

  private commandTable(): ReadonlyMap<string, () => Deed> {
    const table: readonly (readonly [chords: string, command: () => Deed])[] = [
      ["left C-b", () => this.move(previousGrapheme(this.text, this.cursor))],
      ["right C-f", () => this.move(nextGrapheme(this.text, this.cursor))],
      ["M-b C-left M-left", () => this.move(wordStart(this.text, this.cursor, NAMES))],
      ["M-f C-right M-right", () => this.move(wordEnd(this.text, this.cursor, NAMES))],
      ["home C-a", () => this.home()],
      ["end C-e", () => this.end()],
      ["up C-p", () => this.up()],
      ["down C-n", () => this.down()],
      ["backspace C-h", () => this.edit(previousGrapheme(this.text, this.cursor), this.cursor, "", "erased")],
      ["delete C-d", () => this.edit(this.cursor, nextGrapheme(this.text, this.cursor), "", "erased")],
      ["C-k", () => this.kill(this.cursor, this.lineEndOrNext())],
      ["C-u", () => this.kill(this.lineStartOrPrevious(), this.cursor)],
      ["C-w", () => this.kill(wordStart(this.text, this.cursor, NO_BLANKS), this.cursor)],
      ["M-backspace", () => this.kill(wordStart(this.text, this.cursor, NAMES), this.cursor)],
      ["M-d", () => this.kill(this.cursor, wordEnd(this.text, this.cursor, NAMES))],
      ["C-y", () => this.edit(this.cursor, this.cursor, this.killed, "other")],
      ["C-t", () => this.transpose()],
      ["C-_", () => this.undo()],
      ["C-r", () => this.startSearch()],
    ];
    return new Map(table.flatMap(([chords, command]) => chords.split(" ").map((chord) => [chord, command] as const)));
  }

  // ---- moving

  private move(cursor: number, deed: Deed = "other"): Deed {
    this.line = { text: this.text, cursor };
    return deed;
  }
  private home(): Deed {
    return this.move(this.lastDeed === "home" ? 0 : lineStart(this.text, this.cursor), "home");
  }
  private end(): Deed {
    return this.move(this.lastDeed === "end" ? this.text.length : lineEnd(this.text, this.cursor), "end");
  }
  private up(): Deed {
    return this.toLine(false) ?? this.older();
  }
  private down(): Deed {
    return this.toLine(true) ?? this.newer();
  }
  private toLine(down: boolean): Deed | undefined {
    if (this.lastDeed !== "lines") this.column = columnOf(this.text, this.cursor);
    const to = inNextLine(this.text, this.cursor, down, this.column);
    return to === undefined ? undefined : this.move(to, "lines");
  }

  // ---- editing

  /** Shows a line, the cursor where a grapheme begins: what was put before a combining mark is one with it. */
  private show({ text, cursor }: Line): void {
    this.line = { text, cursor: boundary(text, cursor) };
  }
  /** Puts `text` in the place of something. Letters typed in a row are undone together, erased ones likewise. */
  private edit(start: number, end: number, text: string, deed: Deed): Deed {
    if (start === end && text === "") return this.lastDeed; // nothing was done
    const goesOn = deed === this.lastDeed && (deed === "typed" || deed === "erased");
    if (!goesOn) this.undoable.push(this.line);
    this.walk = undefined;
    this.show({ text: this.text.slice(0, start) + text + this.text.slice(end), cursor: start + text.length });
    return deed;
  }
  private undo(): Deed {
    let line = this.undoable.pop();
    while (line?.text === this.text) line = this.undoable.pop();
    if (line === undefined) return "other";
    this.walk = undefined;
    this.line = line;
    return "other";
  }
  /** Kills in a row come back as the one text that they were. */
  private kill(start: number, end: number): Deed {
    if (start === end) return this.lastDeed;
    const text = this.text.slice(start, end);
    const before = this.lastDeed === "killed" ? this.killed : "";
    this.killed = end === this.cursor ? text + before : before + text;
    return this.edit(start, end, "", "killed");
  }
  /** At the end of a line it is the line end that goes, so that a next kill gets at the next line. */
  private lineEndOrNext(): number {
    const end = lineEnd(this.text, this.cursor);
    return end === this.cursor ? nextGrapheme(this.text, end) : end;
  }
  private lineStartOrPrevious(): number {
    const start = lineStart(this.text, this.cursor);
    return start === this.cursor ? previousGrapheme(this.text, start) : start;
  }
  /** The grapheme before the cursor goes behind the next one; at the end of a line, the last two change places. */
  private transpose(): Deed {
    const { text, cursor } = this;
    const start = lineStart(text, cursor);
    const middle = cursor === lineEnd(text, cursor) && cursor > start ? previousGrapheme(text, cursor) : cursor;
    if (middle === start) return "other";
    const from = previousGrapheme(text, middle);
    const to = nextGrapheme(text, middle);
    return this.edit(from, to, text.slice(middle, to) + text.slice(from, middle), "other");
  }

  // ---- history

  private older(): Deed {
    const walk = this.walk ?? HistoryWalk.from(this.line, this.history());
    const line = walk.older();
    if (line === undefined) return "other";
    if (this.walk === undefined) this.undoable.push(this.line);
    this.walk = walk;
    this.show(line);
    return "other";
  }
  private newer(): Deed {
    const line = this.walk?.newer();
    if (line === undefined) return "other";
    this.show(line);
    if (line === this.walk?.typed) this.walk = undefined;
    return "other";
  }
  private startSearch(): Deed {
    this.searching = new HistorySearch(this.line, this.history(), this.lastQuery);
    return "other";
  }
  /** Whether a key is the search's own; the others go on with what was found. */
  private searchKey(search: HistorySearch, chord: string, typed: string | undefined): boolean {
    if (typed !== undefined) search.type(typed);
    else if (chord === "C-r") search.older();
    else if (chord === "C-s") search.newer();
    else if (chord === "backspace" || chord === "C-h") search.erase();
    else if (chord === "C-g" || chord === "escape") this.endSearch(search);
    else return false;
    this.show(search === this.searching ? search.line : search.origin);
    return true;
  }
  private acceptSearch(): void {
    const search = this.searching;
    if (search === undefined) return;
    this.endSearch(search);
    const walk = search.walk(this.walk?.typed ?? search.origin);
    if (walk === undefined) return;
    this.undoable.push(search.origin);
    this.walk = walk;
  }
  private endSearch(search: HistorySearch): void {
    this.searching = undefined;
    if (search.query !== "") this.lastQuery = search.query;
  }
}
