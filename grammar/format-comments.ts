/** Comments as `#` lines: C's marks and frames go, what was said stays. */
import type { Comment } from "./ast.ts";

const TAB = 8;

/** One line or several; `#include` and its like stay as they are. */
export function commentLines({ text }: Comment): string[] {
  if (text.startsWith("//")) return [hashed(text.replace(/^\/+[ \t]?/, ""))];
  if (text.startsWith("/*")) return blockLines(text).map(hashed);
  // Only `#define` and its like have several lines. A backslash at the end would take in what follows.
  if (/^#\w/.test(text))
    return text
      .split(/\r\n|\n|\r/)
      .map(unjoined)
      .map(marked);
  return [marked(text)];
}

/** `#2` behind an `until` would be a count. */
function marked(line: string): string {
  const text = line.trimEnd();
  if (!text.startsWith("#")) return hashed(text);
  return text.replace(/^#(?=\d)/, "# ");
}

function hashed(line: string): string {
  const text = line.trimEnd();
  return text === "" ? "#" : `# ${text}`;
}

function unjoined(line: string): string {
  return line.replace(/[\\\s]+$/, "");
}

/** What a block comment says, without its stars; a diagram in it keeps its shape. */
function blockLines(text: string): string[] {
  const inner = text.slice(2, -2).replace(/^\*+(?=\s|$)/, "");
  const [first = "", ...rest] = inner.split(/\r\n|\n|\r/).map((line) => line.trimEnd());
  const lines = [first.trimStart(), ...outdented(rest)];
  while (lines.length > 1 && lines[0] === "") lines.shift();
  while (lines.length > 1 && lines.at(-1) === "") lines.pop();
  return lines;
}

function outdented(lines: readonly string[]): string[] {
  const told = lines.filter((line) => line !== "");
  if (told.every((line) => /^\s*\*/.test(line))) return lines.map((line) => line.replace(/^\s*\* ?/, ""));
  const spaced = lines.map(expanded);
  const least = Math.min(...spaced.filter((line) => line !== "").map((line) => line.search(/\S/)));
  return spaced.map((line) => line.slice(least));
}

/** With blanks for the tabs that it begins with. */
function expanded(line: string): string {
  const blanks = /^[ \t]*/.exec(line)![0];
  let column = 0;
  for (const blank of blanks) column = blank === "\t" ? column + TAB - (column % TAB) : column + 1;
  return " ".repeat(column) + line.slice(blanks.length);
}
