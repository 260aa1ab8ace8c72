/** Brings frames onto a terminal by writing the rows that differ from what is there. */
import { isNarrow } from "./narrow.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}
/** Counted from 0. */
export interface Cursor {
  readonly row: number;
  readonly column: number;
}

// Between these two a terminal that knows them shows nothing; others ignore them.
const BEGIN_UPDATE = "\x1b[?2026h";
const END_UPDATE = "\x1b[?2026l";
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const ERASE_TO_END = "\x1b[K";
const PLAIN = "\x1b[m";

const STYLES = /\x1b\[[\d:;]*m/g;
/** All but styles: a frame has no business to move the cursor, whatever was in the text that it shows. */
const CONTROLS = /\x1b(?!\[[\d:;]*m)|[\x00-\x1a\x1c-\x1f\x7f-\x9f]/g;

const at = ({ row, column }: Cursor): string => `\x1b[${row + 1};${column + 1}H`;

export class Painter {
  readonly #write: (text: string) => void;
  /** The rows on the screen, or nothing if anything may be there. */
  #rows: readonly string[] = [];
  #size: Size = { columns: 0, rows: 0 };
  /** Where the cursor is, as it was written. */
  #place = "";

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Somebody else may have written on the screen: the next frame is painted as a whole. */
  forget(): void {
    this.#rows = [];
    this.#place = "";
  }

  /** Without a cursor it is hidden. */
  paint(frame: string, size: Size, cursor?: Cursor): void {
    // Terminals disagree about what a change of size leaves on the screen.
    if (size.columns !== this.#size.columns || size.rows !== this.#size.rows) this.forget();
    const lines = frame.split("\n");
    const rows = Array.from({ length: size.rows }, (_, row) => (lines[row] ?? "").replace(CONTROLS, ""));
    const changes = rows.map((text, row) =>
      text === this.#rows[row] ? "" : at({ row, column: 0 }) + wholeRow(text, size.columns),
    );
    const place = cursor === undefined ? HIDE_CURSOR : at(cursor) + SHOW_CURSOR;
    const change = changes.join("");
    if (change === "" && place === this.#place) return;
    // One write, so that no terminal shows half of it.
    this.#write(BEGIN_UPDATE + HIDE_CURSOR + change + place + END_UPDATE);
    this.#rows = rows;
    this.#size = size;
    this.#place = place;
  }
}

function wholeRow(text: string, columns: number): string {
  const styled = text.includes("\x1b") ? text + PLAIN : text;
  const bare = text.replace(STYLES, "");
  // Where the cursor has nowhere to go behind the last column, erasing to the end takes the last character away.
  // Erasing first may flicker, so that is done only where nobody can tell how wide the text comes out.
  if (!isNarrow(bare)) return ERASE_TO_END + styled;
  return bare.length < columns ? styled + ERASE_TO_END : styled;
}
