import { createTokenInstance, type IToken, type TokenType } from "chevrotain";
import { beginsStatement, closers, splitIntoLines, unclosedBrackets, type Item, type Unclosed } from "./brackets.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { mendMistakes, problem } from "./mistakes.ts";
import type { SourceText } from "./span.ts";
import {
  Arrow,
  AssignOperator,
  Colon,
  Comma,
  Dot,
  Else,
  endOf,
  For,
  InfixOperator,
  isSeparator,
  LBrace,
  LParen,
  Name,
  Newline,
  NumberToken,
  Question,
  RBrace,
  RBracket,
  RParen,
  Semicolon,
  Star,
} from "./tokens.ts";
import { attributes, maxNesting, storageWords, tagWords, typeWords } from "./words.ts";

/**
 * What stands between lexer and parser. It drops the newlines that end nothing, and sees to it that every bracket the
 * parser meets is closed: a missing one is reported here and put in where the indentation says, a stray one is
 * reported and dropped. So a parser in trouble can count brackets, and one missing `)` hides no later mistake.
 */
export interface Layout {
  readonly tokens: IToken[];
  readonly diagnostics: Diagnostic[];
}

/** Where a token stands: its index, how many brackets are open round it, and an opening bracket's closing one. */
export interface Place {
  readonly index: number;
  readonly parens: number;
  readonly braces: number;
  closer: number;
}

const NOWHERE: Place = { index: -1, parens: 0, braces: 0, closer: -1 };

export function placeOf(token: IToken): Place {
  const place: Place | undefined = token.payload;
  return place ?? NOWHERE;
}

export function layOut(source: SourceText, lexed: readonly IToken[]): Layout {
  const { tokens, diagnostics } = mendMistakes(source, lexed);
  const items = splitIntoLines(
    source,
    tokens.filter((token) => token.tokenType !== Name || !attributes.has(token.image)),
  );
  const filter = new LayoutFilter(source, unclosedBrackets(items), diagnostics);
  return { tokens: filter.run(items), diagnostics };
}

/** A bracket that is open, and the column of the line it stands on. */
interface Open {
  readonly token: IToken;
  readonly indent: number;
  readonly forHeader: boolean;
  /** Of a brace: whether the first line inside stands deeper, so that indentation says something. */
  deeper: boolean | undefined;
}

const leading = /^(?:&&|\|\||\?|==|!=|<=|>=|<<|>>|\||\^|%)$/;

class LayoutFilter {
  private readonly source: SourceText;
  private readonly unclosed: Unclosed;
  private readonly diagnostics: Diagnostic[];
  private readonly out: IToken[] = [];
  private readonly open: Open[] = [];
  private braces = 0;
  /** Of the line on which the statement at hand began. */
  private statementIndent = 0;
  /** Brackets that are open inside the part that is left out for being too deep. */
  private tooDeep = 0;
  private wasTooDeep = false;

  constructor(source: SourceText, unclosed: Unclosed, diagnostics: Diagnostic[]) {
    this.source = source;
    this.unclosed = unclosed;
    this.diagnostics = diagnostics;
  }

  run(items: readonly Item[]): IToken[] {
    let newline: IToken | undefined;
    for (const item of items) {
      if (item.token.tokenType === Newline) {
        newline ??= item.token;
        continue;
      }
      if (this.skipsTooDeep(item.token)) continue;
      if (newline !== undefined) this.newline(newline, item);
      newline = undefined;
      this.token(item);
    }
    while (this.open.length > 0) this.closeUnclosed(undefined);
    if (newline !== undefined && !this.separated()) this.emit(newline);
    return this.out;
  }

  private get top(): Open | undefined {
    return this.open.at(-1);
  }

  private inParens(): boolean {
    return this.top !== undefined && this.top.token.tokenType !== LBrace;
  }

  private separated(): boolean {
    const last = this.out.at(-1);
    return last === undefined || isSeparator(last) || last.tokenType === LBrace;
  }

  // ---- newlines

  private newline(newline: IToken, next: Item): void {
    const last = this.out.at(-1);
    while (this.inParens() && this.unclosed.parens.has(this.top!.token)) {
      if (last !== undefined && continues(last) && !beginsStatement(next)) return;
      this.closeUnclosed(next);
    }
    if (this.inParens()) return;
    this.mendBefore(next);
    if (this.top !== undefined) this.top.deeper ??= next.indent > this.top.indent;
    if (!this.joins(next)) this.emit(newline);
  }

  /** Whether the line before goes on with this token. */
  private joins(next: Item): boolean {
    const last = this.out.at(-1);
    if (this.separated() || last === undefined) return true;
    const type = next.token.tokenType;
    if (type === LBrace || type === Else) return true;
    if (last.tokenType === Comma || last.image === "&&" || last.image === "||") return !beginsStatement(next);
    if (leading.test(next.token.image)) return true;
    if (next.token.tokenType === Name && next.next?.tokenType === LParen && this.isType()) return true;
    return continues(last) && next.indent > this.statementIndent;
  }

  /** `static int` on a line of its own, with the name of the function below it. */
  private isType(): boolean {
    if (this.open.length > 0) return false;
    const from = this.out.findLastIndex((token) => isSeparator(token) || token.tokenType === RBrace) + 1;
    const line = this.out.slice(from);
    const [first] = line;
    if (first === undefined || !line.every(({ tokenType }) => tokenType === Name || tokenType === Star)) return false;
    const { image } = first;
    return typeWords.has(image) || storageWords.has(image) || tagWords.has(image) || image.endsWith("_t");
  }

  /** Going by the indentation, closes the blocks that must have ended before this line. */
  private mendBefore(next: Item): void {
    if (!this.unclosed.braces) return;
    const { token, indent } = next;
    const label =
      token.tokenType === Name && (next.next?.tokenType === Colon || /^(?:case|default)$/.test(token.image));
    while (this.top !== undefined && this.top.deeper === true) {
      const outside = token.tokenType === RBrace ? indent < this.top.indent : indent <= this.top.indent && !label;
      if (!outside) return;
      this.closeUnclosed(next);
    }
  }

  // ---- tokens

  private token(item: Item): void {
    const { token, indent } = item;
    const type = token.tokenType;
    if (type === LBrace || type === RBrace || (type === Semicolon && this.top?.forHeader !== true)) {
      while (this.inParens() && this.unclosed.parens.has(this.top!.token)) this.closeUnclosed(item);
    }
    if (type === Else && this.out.at(-1)?.tokenType === Semicolon) this.out.pop();
    if (this.separated() || this.out.at(-1)?.tokenType === RBrace) this.statementIndent = indent;
    if (closers.has(type)) this.opening(token, indent);
    else if (type === RParen || type === RBracket || type === RBrace) this.closing(token);
    else this.emit(token);
  }

  private opening(token: IToken, indent: number): void {
    const forHeader = this.out.at(-1)?.tokenType === For;
    this.emit(token);
    this.open.push({ token, indent, forHeader, deeper: undefined });
    if (token.tokenType === LBrace) this.braces++;
    if (this.open.length > maxNesting) this.refuseDepth(token);
  }

  private closing(token: IToken): void {
    const type = token.tokenType;
    const partner = this.open.findLastIndex((open) => closers.get(open.token.tokenType) === type);
    const brace = this.open.findLastIndex((open) => open.token.tokenType === LBrace);
    if (partner < 0 || partner < brace) return this.stray(token);
    while (this.open.length - 1 > partner) this.closeUnclosed(undefined);
    this.close(token);
  }

  private stray(token: IToken): void {
    // Where a brace was put in by indentation, one that is left over is no news.
    if (this.wasTooDeep || (token.tokenType === RBrace && this.unclosed.braces)) return;
    const at = { start: token.startOffset, end: endOf(token) };
    const brace = token.tokenType === RBrace;
    const help = brace
      ? "is there one `}` too many, or a `{` missing above?"
      : `is there one \`${token.image}\` too many?`;
    const report = problem(this.source, at, brace ? "E124" : "E116", `this \`${token.image}\` closes nothing`);
    this.diagnostics.push({ ...report, help });
  }

  /** Closes the innermost bracket where its partner is missing, and says so. */
  private closeUnclosed(next: Item | undefined): void {
    const { token } = this.top!;
    const closer = closers.get(token.tokenType)!;
    const last = this.out.at(-1)!;
    this.close(virtual(closer, endOf(last)));
    if (this.wasTooDeep) return;
    const at = { start: token.startOffset, end: endOf(token) };
    const missing = closer === RBrace ? "}" : closer === RParen ? ")" : "]";
    const code = closer === RBrace ? "E102" : "E112";
    const report = problem(this.source, at, code, `this \`${token.image}\` is never closed`);
    this.diagnostics.push({ ...report, help: this.missingHelp(missing, next) });
  }

  private missingHelp(missing: string, next: Item | undefined): string {
    if (missing !== "}" || next === undefined) return `add the missing \`${missing}\``;
    const { line } = this.source.position(next.token.startOffset);
    return `going by the indentation, its \`}\` is missing before line ${line}`;
  }

  private close(closer: IToken): void {
    const { token } = this.open.pop()!;
    if (token.tokenType === LBrace) this.braces--;
    this.emit(closer);
    placeOf(token).closer = this.out.length - 1;
  }

  private emit(token: IToken): void {
    const parens = this.open.length - this.braces;
    const place: Place = { index: this.out.length, parens, braces: this.braces, closer: -1 };
    token.payload = place;
    this.out.push(token);
  }

  // ---- depth

  private refuseDepth(token: IToken): void {
    if (!this.wasTooDeep) this.diagnostics.push(tooDeep(this.source, token));
    this.wasTooDeep = true;
    this.tooDeep = 1;
    if (token.tokenType !== LBrace) this.emit(virtual(NumberToken, endOf(token)));
  }

  /** Leaves out what stands in a bracket that is too deep; its own closing bracket counts again. */
  private skipsTooDeep(token: IToken): boolean {
    if (this.tooDeep === 0) return false;
    if (closers.has(token.tokenType)) this.tooDeep++;
    else if (token.tokenType === RParen || token.tokenType === RBracket || token.tokenType === RBrace) this.tooDeep--;
    return this.tooDeep > 0;
  }
}

export function tooDeep(source: SourceText, token: IToken): Diagnostic {
  const at = { start: token.startOffset, end: endOf(token) };
  return problem(source, at, "E140", `nested too deeply (more than ${maxNesting} levels)`);
}

/** Whether a line that ends in this token has not said all it has to say. */
function continues(token: IToken): boolean {
  const type = token.tokenType;
  if (type === Comma || type === Question || type === Dot || type === Arrow || closers.has(type)) return true;
  return [InfixOperator, AssignOperator].some((category) => category.categoryMatchesMap?.[type.tokenTypeIdx!] === true);
}

function virtual(type: TokenType, offset: number): IToken {
  return createTokenInstance(type, "", offset, offset, NaN, NaN, NaN, NaN);
}
