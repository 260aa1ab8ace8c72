/** A half-open piece of a source text: offsets into `SourceText.text`, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A place as people count it: both start at one. Columns count UTF-16 units, a tab is one. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

const BYTE_ORDER_MARK = "\uFEFF";
const LINE_END = /\r\n|\n|\r/g;

/** A script's text and where its lines begin. Offsets are those of `text`, which has no byte order mark. */
export class SourceText {
  readonly name: string;
  readonly text: string;
  private lines: readonly Span[] | undefined;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  }

  get lineCount(): number {
    return this.lineSpans().length;
  }

  /** The place of an offset; offsets outside the text are taken as its nearest end. */
  position(offset: number): Position {
    const lines = this.lineSpans();
    const wanted = Math.max(0, Math.min(offset, this.text.length));
    let low = 0;
    let high = lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (lines[middle]!.start <= wanted) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: wanted - lines[low]!.start + 1 };
  }

  /** The span of a line (counted from one) without its line end; empty for a line that does not exist. */
  lineSpan(line: number): Span {
    return this.lineSpans()[line - 1] ?? { start: this.text.length, end: this.text.length };
  }

  lineText(line: number): string {
    return this.slice(this.lineSpan(line));
  }

  slice(at: Span): string {
    return this.text.slice(at.start, at.end);
  }

  private lineSpans(): readonly Span[] {
    if (this.lines !== undefined) return this.lines;
    const lines: Span[] = [];
    let start = 0;
    for (const match of this.text.matchAll(LINE_END)) {
      lines.push({ start, end: match.index });
      start = match.index + match[0].length;
    }
    lines.push({ start, end: this.text.length });
    this.lines = lines;
    return lines;
  }
}

/** The smallest span that holds both. */
export function cover(first: Span, last: Span): Span {
  return { start: Math.min(first.start, last.start), end: Math.max(first.end, last.end) };
}
