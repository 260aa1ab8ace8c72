/** Lines, their indentation, the blank lines between them, and the comments that stood among them. */
import type { Comment } from "./ast.ts";
import { commentLines } from "./format-comments.ts";
import type { SourceText, Span } from "./span.ts";

/** How wide a line may be before it is broken, if it can be. */
const WIDTH = 100;
const STEP = 2;
const CONTINUATION = 4;

/** In a text: a blank, or where a line that is too long goes on below. No token has one in it. */
export const BREAK = "\n";

/** What may stand between a statement and a comment that belongs to it. */
const punctuation = /^[^\S\r\n]*(?:[;,:)={][^\S\r\n]*)*$/;
const blankLine = /(?:\r\n|\n|\r)[^\S\r\n]*(?:\r\n|\n|\r)/;

interface Line {
  readonly indent: number;
  readonly text: string;
  readonly comment: string;
}

/** Where comments behind statements begin: in one column in each paragraph, two blanks behind its longest line. */
function commentColumns(lines: readonly Line[]): readonly number[] {
  const columns: number[] = [];
  let from = 0;
  for (const [i, line] of [...lines, { indent: 0, text: "", comment: "" }].entries()) {
    if (line.text !== "" || line.comment !== "") continue;
    const commented = lines.slice(from, i).filter(({ text, comment }) => text !== "" && comment !== "");
    const column = Math.max(0, ...commented.map(({ indent, text }) => indent + text.length)) + 2;
    while (columns.length <= i) columns.push(column);
    from = i + 1;
  }
  return columns;
}

export class Writer {
  /** Stands before the next line: `cpu0: `. */
  prefix = "";
  private readonly source: SourceText;
  private readonly comments: readonly Comment[];
  private readonly lines: Line[] = [];
  /** Of the comment that is next to be written. */
  private comment = 0;
  /** How far into the source everything is written. */
  private seen = 0;
  private depth = 0;
  /** Whether nothing has been written in the block at hand. */
  private fresh = true;

  constructor(source: SourceText, comments: readonly Comment[]) {
    this.source = source;
    this.comments = comments;
  }

  /** Makes ready for what begins there: the comments before it, and a blank line where the author had any. */
  before(start: number): void {
    this.flush(start);
    this.space(start);
  }

  /** A line that stands for the source up to an offset. Of its comments the last stays behind it, others go before. */
  line(text: string, to: number): void {
    const taken = this.take(to, text.endsWith("{")).map((comment) => ({ comment, lines: commentLines(comment) }));
    const last = taken.at(-1);
    const trailing = last?.lines.length === 1 ? last : undefined;
    // Those before a `}` are still inside.
    if (text.startsWith("}")) this.depth++;
    for (const { comment } of taken) if (comment !== trailing?.comment) this.own(comment);
    if (text.startsWith("}")) this.depth--;
    this.push(this.prefix + text, trailing?.lines[0] ?? "");
    this.prefix = "";
    this.seen = Math.max(this.seen, to, last?.comment.at.end ?? 0);
  }

  /** What stands between braces, of which the closing one is at `end`. */
  inner(end: number, write: () => void): void {
    this.depth++;
    this.fresh = true;
    write();
    this.flush(end);
    this.fresh = false;
    this.depth--;
  }

  /** One level out, as labels stand. */
  outdented(write: () => void): void {
    this.depth--;
    write();
    this.depth++;
  }

  /** Puts a `;` behind the last line, lest a `{` below it is read as its own. */
  terminate(): void {
    const last = this.lines.at(-1);
    if (last !== undefined && !last.text.endsWith("}"))
      this.lines[this.lines.length - 1] = { ...last, text: `${last.text};` };
  }

  /** Whether a comment is still to be written that stands there. */
  hasComment({ start, end }: Span): boolean {
    let index = this.comment;
    while ((this.comments[index]?.at.start ?? end) < start) index++;
    return (this.comments[index]?.at.start ?? end) < end;
  }

  fits(text: string): boolean {
    return this.depth * STEP + this.prefix.length + text.length <= WIDTH;
  }

  finish(): string {
    this.before(this.source.text.length);
    const columns = commentColumns(this.lines);
    const texts = this.lines.map(({ indent, text, comment }, i) => {
      const code = " ".repeat(indent) + text;
      return (text === "" || comment === "" ? code + comment : code.padEnd(columns[i] ?? 0) + comment).trimEnd();
    });
    while (texts.at(-1) === "") texts.pop();
    return texts.map((text) => `${text}\n`).join("");
  }

  private get next(): Comment | undefined {
    return this.comments[this.comment];
  }

  /** Lines of their own for the comments before an offset. */
  private flush(to: number): void {
    for (let next = this.next; next !== undefined && next.at.start < to; next = this.next) {
      this.space(next.at.start);
      this.own(next);
      this.comment++;
      this.seen = next.at.end;
    }
  }

  /** The comments that go with a line; behind a `{` one of several lines is the first thing inside. */
  private take(to: number, opens: boolean): Comment[] {
    const taken: Comment[] = [];
    let from = to;
    for (let next = this.next; next !== undefined; next = this.next) {
      const { start, end } = next.at;
      if (start >= to && !punctuation.test(this.source.slice({ start: from, end: start }))) break;
      if (start >= to && opens && commentLines(next).length > 1) break;
      taken.push(next);
      this.comment++;
      from = Math.max(from, end);
    }
    return taken;
  }

  private own(comment: Comment): void {
    for (const line of commentLines(comment)) this.push("", line);
  }

  private space(start: number): void {
    if (this.fresh || start < this.seen || !blankLine.test(this.source.slice({ start: this.seen, end: start }))) return;
    this.lines.push({ indent: 0, text: "", comment: "" });
    this.seen = start;
  }

  private push(text: string, comment: string): void {
    this.fresh = false;
    const indent = this.depth * STEP;
    const parts = fill(text, indent);
    parts.forEach((part, index) => {
      const deeper = index === 0 ? 0 : CONTINUATION;
      this.lines.push({ indent: indent + deeper, text: part, comment: index === parts.length - 1 ? comment : "" });
    });
  }
}

/** The lines of a text: one if it fits, otherwise broken within as few brackets as will do. */
function fill(text: string, indent: number): string[] {
  if (indent + text.length <= WIDTH) return [text.replaceAll(BREAK, " ")];
  const pieces = text.split(BREAK).map((part) => ({ part, depth: 0 }));
  let depth = 0;
  for (const piece of pieces) {
    piece.depth = depth;
    for (const mark of piece.part) depth += mark === "(" || mark === "[" ? 1 : mark === ")" || mark === "]" ? -1 : 0;
  }
  const depths = [...new Set(pieces.slice(1).map((piece) => piece.depth))].sort((a, b) => a - b);
  let lines: string[] = [text];
  for (const deepest of depths) {
    lines = joined(pieces, deepest, indent);
    if (lines.every((line, index) => indent + (index === 0 ? 0 : CONTINUATION) + line.length <= WIDTH)) break;
  }
  return lines;
}

/** As much on a line as it takes, broken nowhere deeper. */
function joined(pieces: readonly { part: string; depth: number }[], deepest: number, indent: number): string[] {
  const whole: string[] = [];
  for (const { part, depth } of pieces) {
    // `cpu1 :` at the beginning of a line would be a label, even there.
    if (whole.length > 0 && (depth > deepest || /^cpu\d/i.test(part))) whole.push(`${whole.pop()} ${part}`);
    else whole.push(part);
  }
  const lines: string[] = [];
  for (const part of whole) {
    const start = indent + (lines.length > 1 ? CONTINUATION : 0);
    const line = lines.pop();
    if (line === undefined) lines.push(part);
    else if (start + line.length + 1 + part.length <= WIDTH) lines.push(`${line} ${part}`);
    else lines.push(line, part);
  }
  return lines;
}
