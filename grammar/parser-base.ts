import { EmbeddedActionsParser, EOF, isRecognitionException, type IToken, type TokenType } from "chevrotain";
import { printable, quote, type Diagnostic } from "./diagnostic.ts";
import { placeOf, tooDeep } from "./layout.ts";
import { SourceText, type Span } from "./span.ts";
import {
  allTokens,
  AssignOperator,
  Comma,
  DotDot,
  For,
  Else,
  endOf,
  InfixOperator,
  isSeparator,
  Name,
  Newline,
  PrefixOperator,
  RBrace,
  Semicolon,
} from "./tokens.ts";
import { maxChain, maxNesting } from "./words.ts";

/** Thrown at a mistake within a statement, caught where statements are read. Not an Error: nobody reads its stack. */
class Failure {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    this.diagnostic = diagnostic;
  }
}

export function hasCategory(type: TokenType, category: TokenType): boolean {
  return category.categoryMatchesMap?.[type.tokenTypeIdx!] === true;
}

/**
 * What every rule needs: places, reports, limits. While chevrotain records the rules, actions run on dummies: `fail`
 * does nothing then, and rules take offsets from tokens rather than from nodes.
 */
export abstract class ParserBase extends EmbeddedActionsParser {
  protected source = new SourceText("", "");
  protected diagnostics: Diagnostic[] = [];
  /** How many statements, operators and parentheses are being read, one within another. */
  protected depth = 0;
  /** How many loops of the body at hand are being read: what `continue` means depends on it. */
  protected loops = 0;
  /** Within a condition, where `=` is a slip for `==`. */
  protected inCondition = false;

  protected constructor(validate: boolean) {
    super(allTokens, { maxLookahead: 1, recoveryEnabled: false, skipValidations: !validate });
  }

  protected begin(source: SourceText, tokens: IToken[]): void {
    this.source = source;
    this.diagnostics = [];
    this.depth = 0;
    this.loops = 0;
    this.inCondition = false;
    this.input = tokens;
  }

  // ---- looking at tokens

  protected next(type: TokenType, ahead = 1): boolean {
    return this.LA(ahead).tokenType === type;
  }

  protected nextIs(category: TokenType, ahead = 1): boolean {
    return hasCategory(this.LA(ahead).tokenType, category);
  }

  protected nextWord(word: string, ahead = 1): boolean {
    const token = this.LA(ahead);
    return token.tokenType === Name && token.image === word;
  }

  /** Whether white space stands before the token so far ahead. */
  protected spaced(ahead = 1): boolean {
    const before = this.LA(ahead - 1);
    const token = this.LA(ahead);
    return isSeparator(before) || before.tokenType === EOF || endOf(before) < token.startOffset;
  }

  /** Whether nothing more of a statement can follow. */
  protected atEnd(ahead = 1): boolean {
    const token = this.LA(ahead);
    const type = token.tokenType;
    return type === EOF || type === RBrace || type === Else || isSeparator(token);
  }

  /** How far ahead the token behind the bracket's partner is, for an opening bracket so far ahead. */
  protected behindBracket(ahead = 1): number {
    const { index, closer } = placeOf(this.LA(ahead));
    return closer < 0 ? ahead + 1 : ahead + closer - index + 1;
  }

  /** An operator that, going by the white space round it, belongs to what follows and not to what stands before. */
  protected looksPrefix(ahead = 1): boolean {
    return this.nextIs(PrefixOperator, ahead) && this.spaced(ahead) && !this.spaced(ahead + 1);
  }

  protected looksInfix(ahead = 1): boolean {
    return this.nextIs(InfixOperator, ahead) || this.next(DotDot, ahead);
  }

  /** Where reading can go on after a mistake in what began with `first`: the end of that, or of its block. */
  protected atBoundary(first: IToken, commas: boolean): boolean {
    const token = this.LA(1);
    if (token.tokenType === EOF) return true;
    const { braces, parens } = placeOf(token);
    const outer = placeOf(first).braces;
    if (braces !== outer) return braces < outer;
    if (parens > 0) return false;
    // In a `for` without its parentheses the semicolons end nothing.
    if (token.tokenType === Semicolon) return first.tokenType !== For;
    return token.tokenType === Newline || (commas && token.tokenType === Comma);
  }

  // ---- places

  protected offset(): number {
    return this.LA(1).startOffset;
  }

  /** From an offset to the end of the token read last. */
  protected since(start: number): Span {
    return { start, end: Math.max(start, endOf(this.LA(0))) };
  }

  protected spanOf(token: IToken): Span {
    if (token.tokenType === EOF || isSeparator(token)) return this.emptySpan();
    return { start: token.startOffset, end: endOf(token) };
  }

  /** Just behind the token read last: where something is missing. */
  private emptySpan(): Span {
    const last = this.LA(0);
    const end = last.tokenType === EOF ? 0 : endOf(last);
    return { start: end, end };
  }

  // ---- reports

  protected report(code: string, at: Span, message: string, help?: string): void {
    if (this.RECORDING_PHASE) return;
    this.diagnostics.push(this.diagnostic(code, at, message, help));
  }

  /** Gives up the statement at hand. */
  protected fail(code: string, at: Span, message: string, help?: string): never {
    if (this.RECORDING_PHASE) return undefined as never;
    throw new Failure(this.diagnostic(code, at, message, help));
  }

  private diagnostic(code: string, at: Span, message: string, help: string | undefined): Diagnostic {
    const diagnostic: Diagnostic = { code, severity: "error", source: this.source, at, message };
    return help === undefined ? diagnostic : { ...diagnostic, help };
  }

  /** Fails unless the token stands there; the sentence goes on "..., found `x`". */
  protected require(type: TokenType, code: string, expected: string, help?: string): void {
    if (this.RECORDING_PHASE || this.next(type)) return;
    this.fail(code, this.spanOf(this.LA(1)), `${expected}, found ${this.describe(this.LA(1))}`, help);
  }

  protected describe(token: IToken): string {
    if (token.tokenType === EOF) return "the end of the script";
    if (token.image === "" || /^[\r\n]/.test(token.image)) return "the end of the line";
    return quote(token.image);
  }

  /** Reports what a rule threw; what is no mistake in the text is thrown on. */
  protected reportThrown(thrown: unknown): void {
    if (thrown instanceof Failure) {
      this.diagnostics.push(thrown.diagnostic);
    } else if (thrown instanceof Error && isRecognitionException(thrown)) {
      const found = this.describe(this.LA(1));
      this.report("E115", this.spanOf(this.LA(1)), `${found} does not fit here`);
    } else throw thrown;
  }

  /** A bracket that was missing, or what stands for a part that was too deep. */
  protected isPutIn(token: IToken): boolean {
    return token.image === "" && token.tokenType !== EOF;
  }

  // ---- limits

  /** Runs what may nest without bound; deeper than the limit it fails, once per file. */
  protected nested<T>(read: () => T): T {
    if (this.depth >= maxNesting && !this.RECORDING_PHASE) throw new Failure(tooDeep(this.source, this.LA(1)));
    this.depth++;
    const result = read();
    this.depth--;
    return result;
  }

  /** `a + b + ...` makes a tree as deep as it is long, which those who walk it must not pay for. */
  protected limitChain(links: number): void {
    if (links > maxChain && !this.RECORDING_PHASE) throw new Failure(tooDeep(this.source, this.LA(1)));
  }

  // ---- small things that several rules share

  /** The source text of a span, fit for a sentence. */
  protected text(at: Span): string {
    return printable(this.source.slice(at).replace(/\s+/g, " "));
  }

  protected isAssignment(ahead = 1): boolean {
    return this.nextIs(AssignOperator, ahead);
  }
}
