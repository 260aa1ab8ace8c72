/** Rows of a panel as lines of a screen: cut or folded to its width, and the part of them that is in sight. */
import type { PanelName, Row, Tone } from "../view/view.ts";
import { endOf, startOf, widthOf } from "./width.ts";

export interface Line {
  readonly mark: string;
  readonly text: string;
  readonly tone: Tone;
  /** Which row it is of. */
  readonly row: number;
}

/** Where a row may be folded: between its cells. */
const CELLS = / {2,}(?=\S)/;
const FOLDED: ReadonlySet<PanelName> = new Set(["cpus", "mm", "notifiers", "devices", "objects", "locks"]);
const HANGING = "    ";
const CUT = "~";

/** Text of at most `width` columns; what is cut off is marked. Nothing in it moves the cursor. */
export function cut(text: string, width: number): string {
  const safe = text.replace(UNPRINTABLE, "?");
  return widthOf(safe) <= width ? safe : startOf(startOf(safe, width - CUT.length) + CUT, width);
}
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The first few characters, and as much of the end as fits. */
function cutMiddle(text: string, width: number, start: number): string {
  if (widthOf(text) <= width || width <= start + 1) return cut(text, width);
  return cut(text.slice(0, start) + CUT + endOf(text.slice(start), width - start - CUT.length), width);
}

export function linesOf(name: PanelName, rows: readonly Row[], width: number): Line[] {
  return rows.flatMap((row, i): Line[] => {
    const texts = FOLDED.has(name) && row.keepsEnd === undefined ? folded(row.text, width) : [row.text];
    return texts.map((text, part) => ({
      mark: part === 0 ? row.mark : " ",
      text: row.keepsEnd === undefined ? cut(text, width) : cutMiddle(text, width, row.keepsEnd),
      tone: row.tone,
      row: i,
    }));
  });
}
/** A row that is too long goes on in the next line, indented. */
function folded(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  const indent = /^ */.exec(text)?.[0] ?? "";
  const [first = "", ...cells] = text.trimStart().split(CELLS);
  let line = indent + first;
  for (const cell of cells) {
    const longer = `${line}  ${cell}`;
    if (longer.length <= width) line = longer;
    else {
      lines.push(line);
      line = indent + HANGING + cell;
    }
  }
  return [...lines, line];
}

/** The first line in sight: where somebody has scrolled to, or so that the focus is in sight. */
export function topOf(lines: readonly Line[], height: number, focus: number, scrolled: number | undefined): number {
  const last = Math.max(0, lines.length - height);
  if (scrolled !== undefined) return Math.min(Math.max(0, scrolled), last);
  const at = Math.max(
    0,
    lines.findIndex(({ row }) => row === focus),
  );
  // A third of the panel stands above what matters.
  return Math.min(Math.max(0, at - Math.floor(height / 3)), last);
}

/** A line of prose that is too long goes on below, indented as it is and a little more. */
export function wrapped(text: string, width: number): string[] {
  if (widthOf(text) <= width || width < 20) return [text];
  const indent = `${/^ */.exec(text)?.[0] ?? ""}    `.slice(0, Math.floor(width / 2));
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<=\S) (?=\S)/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || widthOf(longer) <= width) line = longer;
    else {
      lines.push(line);
      line = indent + word.trimStart();
    }
  }
  return [...lines, line];
}
