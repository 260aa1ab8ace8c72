/** The part of what was typed that fits beside the prompt, with the cursor in it. */
import { endOf, startOf, widthOf } from "./width.ts";

export interface InputWindow {
  readonly lines: readonly string[];
  /** Of the cursor, within them. */
  readonly row: number;
  readonly column: number;
}

const LEFT = "<"; // there is more at the left

export function inputWindow(text: string, cursor: number, width: number): InputWindow {
  const lines = text.split("\n");
  const before = text.slice(0, cursor).split("\n");
  const row = before.length - 1;
  const left = before.at(-1) ?? "";
  const room = Math.max(4, width);
  // So much of what stands before the cursor is in sight.
  const kept = widthOf(left) < room ? left : endOf(left, Math.floor(room * 0.75));
  const isShifted = kept !== left;
  const seen = lines.map((line, i) => {
    if (i !== row || !isShifted) return startOf(line, room);
    return LEFT + startOf(kept + line.slice(left.length), room - LEFT.length);
  });
  return { lines: seen, row, column: widthOf(kept) + (isShifted ? LEFT.length : 0) };
}
