import type { SourceText, Span } from "./span.ts";

export interface Diagnostic {
  /** A key of `codes`, such as `E105`. */
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly source: SourceText;
  readonly at: Span;
  readonly message: string;
  /** A word or two behind the carets. */
  readonly label?: string;
  /** What to write instead. */
  readonly help?: string;
  readonly notes?: readonly string[];
}

/** Lines longer than this are shown as a window round the place. */
const WINDOW = 96;
const TAB = 8;
const CUT = "...";
/** What moves the cursor, hides or reorders text. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u;

/** Text that may go to a terminal: what it could not show comes out as `\x1b` or `\u{202e}`. */
export function printable(text: string): string {
  let shown = "";
  for (const character of text) shown += printableCharacter(character);
  return shown;
}

function printableCharacter(character: string): string {
  if (!UNPRINTABLE.test(character)) return character;
  const code = character.codePointAt(0)!.toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
}

/** Source text within a sentence: in backquotes, shortened, without surprises. */
export function quote(text: string, longest = 40): string {
  const characters = Array.from(text);
  const cut = characters.length > longest ? `${characters.slice(0, longest).join("")}${CUT}` : text;
  return `\`${printable(cut)}\``;
}

interface Cell {
  readonly text: string;
  readonly width: number;
  readonly offset: number;
}

/**
 * What one line looks like on a screen, at least from some way before `focus` to a window behind it: a line of a
 * megabyte is not taken apart as a whole.
 */
function cells(line: string, focus: number): Cell[] {
  const first = line.length > 4 * WINDOW ? Math.max(0, focus - 2 * WINDOW) : 0;
  const last = Math.min(line.length, focus + 2 * WINDOW);
  const result: Cell[] = [];
  let column = 0;
  let offset = first;
  for (const character of line.slice(first, last)) {
    const tab = character === "\t";
    const text = tab ? " ".repeat(TAB - (column % TAB)) : printableCharacter(character);
    const width = WIDE.test(text) ? 2 : text.length === 2 && !tab && text === character ? 1 : text.length;
    result.push({ text, width, offset });
    column += width;
    offset += character.length;
  }
  return result;
}

interface Excerpt {
  readonly text: string;
  /** Columns before the carets, and how many carets. */
  readonly indent: number;
  readonly carets: number;
}

/** The line around `start`..`end` (offsets within the line), cut to the window. */
function excerpt(line: string, start: number, end: number): Excerpt {
  const all = cells(line, start);
  const total = all.reduce((sum, cell) => sum + cell.width, 0);
  const whole = all.length > 0 && all[0]!.offset === 0 && all.at(-1)!.offset + 2 >= line.length;
  const before = all.filter((cell) => cell.offset < start).reduce((sum, cell) => sum + cell.width, 0);
  const fits = (whole || line === "") && total <= WINDOW;
  // The place stands a third into the window, so that what follows it can be read as well.
  const from = fits ? 0 : Math.max(0, before - Math.floor(WINDOW / 3));
  const until = fits ? total : from + WINDOW;
  let column = 0;
  let text = "";
  let indent = 0;
  let carets = 0;
  for (const cell of all) {
    const visible = column >= from && column + cell.width <= until;
    column += cell.width;
    if (!visible) continue;
    text += cell.text;
    if (cell.offset < start) indent += cell.width;
    else if (cell.offset < end) carets += cell.width;
  }
  const cutBefore = all.length > 0 && (from > 0 || all[0]!.offset > 0) ? CUT : "";
  const cutBehind = column > until || (all.length > 0 && all.at(-1)!.offset + 2 < line.length) ? CUT : "";
  return { text: `${cutBefore}${text}${cutBehind}`, indent: indent + cutBefore.length, carets: Math.max(1, carets) };
}

/** One diagnostic as it is shown, without a newline at the end. */
export function render(diagnostic: Diagnostic): string {
  const { source, at } = diagnostic;
  const { line, column } = source.position(at.start);
  const span = source.lineSpan(line);
  const shown = excerpt(source.lineText(line), at.start - span.start, Math.min(at.end, span.end) - span.start);
  const number = String(line);
  const margin = " ".repeat(number.length + 1);
  const label = diagnostic.label === undefined ? "" : ` ${printable(diagnostic.label)}`;
  const lines = [
    `${diagnostic.severity}[${diagnostic.code}]: ${printable(diagnostic.message)}`,
    `${margin}--> ${printable(source.name)}:${line}:${column}`,
    `${margin} |`,
    ` ${number} | ${shown.text}`.trimEnd(),
    `${margin} | ${" ".repeat(shown.indent)}${"^".repeat(shown.carets)}${label}`,
  ];
  if (diagnostic.help !== undefined) lines.push(...remark(margin, "help", diagnostic.help));
  for (const note of diagnostic.notes ?? []) lines.push(...remark(margin, "note", note));
  return lines.join("\n");
}

function remark(margin: string, what: string, text: string): string[] {
  const [first, ...rest] = text.split("\n").map(printable);
  const indent = " ".repeat(`${margin} = ${what}: `.length);
  return [`${margin} = ${what}: ${first}`, ...rest.map((line) => `${indent}${line}`)];
}

/** By file (in the order in which the files first occur), then by place; what was reported first stays first. */
export function sortByPlace(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const files = new Map<SourceText, number>();
  for (const { source } of diagnostics) if (!files.has(source)) files.set(source, files.size);
  return [...diagnostics].sort(
    (left, right) =>
      files.get(left.source)! - files.get(right.source)! ||
      left.at.start - right.at.start ||
      left.at.end - right.at.end,
  );
}

/** All of them, sorted, one blank line between; the empty text for none. */
export function renderAll(diagnostics: readonly Diagnostic[]): string {
  return sortByPlace(diagnostics).map(render).join("\n\n");
}
