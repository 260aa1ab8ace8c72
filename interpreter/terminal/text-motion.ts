/**
 * Where things begin and end in a text that is edited: graphemes, words, lines. All are offsets in UTF-16 units, and
 * every offset that goes in is where a grapheme begins, but for `boundary`, which makes it so.
 */

/** What a text may hold here: line ends are `\n`, a tab is two spaces, and nothing else can upset a terminal. */
export function clean(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/\t/g, "  ")
    .replace(/(?!\n)[\p{Cc}\p{Cs}]/gu, ""); // Cs: half of a surrogate pair
}

// ---- graphemes

// Made when first wanted: it takes longer than all else at start-up, and texts in ASCII do without.
let segmenter: Intl.Segmenter | undefined;
function segments(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return segmenter.segment(text);
}

const LINE_FEED = 10;
/**
 * Whether graphemes part at an offset for a reason that two units can tell. Between such places the segmenter decides:
 * it copies what it is given, so it had better not be the whole text.
 */
function parts(text: string, at: number): boolean {
  if (at <= 0 || at >= text.length) return true;
  const [before, after] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
  return (before < 0x80 && after < 0x80) || before === LINE_FEED || after === LINE_FEED;
}

/** The first offset from `at` on where a grapheme begins; the end of the text is one too. */
export function boundary(text: string, at: number): number {
  const inside = Math.max(0, Math.min(at, text.length));
  if (parts(text, inside)) return inside;
  let start = inside;
  while (!parts(text, start)) start--;
  let end = inside;
  while (!parts(text, end)) end++;
  const found = segments(text.slice(start, end)).containing(inside - start);
  if (found === undefined || start + found.index === inside) return inside;
  return start + found.index + found.segment.length;
}
export function nextGrapheme(text: string, at: number): number {
  let end = at + 1;
  if (parts(text, end)) return Math.min(end, text.length);
  while (!parts(text, end)) end++;
  return at + (segments(text.slice(at, end)).containing(0)?.segment.length ?? 0);
}
export function previousGrapheme(text: string, at: number): number {
  let start = at - 1;
  if (parts(text, start)) return Math.max(start, 0);
  while (!parts(text, start)) start--;
  return start + (segments(text.slice(start, at)).containing(at - 1 - start)?.index ?? 0);
}
export function graphemesOf(text: string): string[] {
  const all: string[] = [];
  for (let at = 0; at < text.length; at += all.at(-1)?.length ?? 0) all.push(text.slice(at, nextGrapheme(text, at)));
  return all;
}

// ---- words

/** Names of C are one word, `mmu_notifier_register` too; what else there is stands between words. */
export const NAMES = /[\p{L}\p{N}_]/u;
export const NO_BLANKS = /\S/u;

export function wordEnd(text: string, from: number, letters: RegExp): number {
  let at = from;
  while (at < text.length && !startsWith(letters, text, at)) at = nextGrapheme(text, at);
  while (at < text.length && startsWith(letters, text, at)) at = nextGrapheme(text, at);
  return at;
}
export function wordStart(text: string, from: number, letters: RegExp): number {
  let at = from;
  const back = (wanted: boolean): void => {
    while (at > 0) {
      const before = previousGrapheme(text, at);
      if (startsWith(letters, text, before) !== wanted) return;
      at = before;
    }
  };
  back(false);
  back(true);
  return at;
}
function startsWith(letters: RegExp, text: string, at: number): boolean {
  return letters.test(String.fromCodePoint(text.codePointAt(at) ?? 0));
}

// ---- lines

export function lineStart(text: string, at: number): number {
  return at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1;
}
export function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}
/** How many graphemes stand before an offset in its line. */
export function columnOf(text: string, at: number): number {
  let column = 0;
  for (let i = lineStart(text, at); i < at; i = nextGrapheme(text, i)) column++;
  return column;
}
/** That column of the line above or below, or where the line ends before it; undefined: there is no such line. */
export function inNextLine(text: string, at: number, down: boolean, column: number): number | undefined {
  const edge = down ? lineEnd(text, at) : lineStart(text, at);
  if (edge === (down ? text.length : 0)) return undefined;
  let to = down ? edge + 1 : lineStart(text, edge - 1);
  const end = lineEnd(text, to);
  for (let i = 0; i < column && to < end; i++) to = nextGrapheme(text, to);
  return to;
}
