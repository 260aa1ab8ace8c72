import type { IToken, TokenType } from "chevrotain";
import type { SourceText } from "./span.ts";
import { Colon, Cpu, LBrace, LBracket, LParen, Name, Newline, RBrace, RBracket, RParen } from "./tokens.ts";

/** A token, the column in which its line begins, whether it begins it, and the two tokens behind it. */
export interface Item {
  readonly token: IToken;
  readonly indent: number;
  readonly first: boolean;
  readonly next: IToken | undefined;
  readonly second: IToken | undefined;
}

const TAB = 8;

/** Newline tokens belong to the line they end. */
export function splitIntoLines(source: SourceText, tokens: readonly IToken[]): Item[] {
  let indent = 0;
  let first = true;
  return tokens.map((token, index) => {
    if (first) indent = indentOf(source, token);
    const item = { token, indent, first, next: tokens[index + 1], second: tokens[index + 2] };
    first = token.tokenType === Newline;
    return item;
  });
}

function indentOf(source: SourceText, token: IToken): number {
  let start = token.startOffset;
  while (start > 0 && source.text[start - 1] !== "\n" && source.text[start - 1] !== "\r") start--;
  let column = 0;
  for (let offset = start; offset < token.startOffset; offset++) {
    column = source.text[offset] === "\t" ? column + TAB - (column % TAB) : column + 1;
  }
  return column;
}

/** Opening brackets and what closes them. */
export const closers: ReadonlyMap<TokenType, TokenType> = new Map([
  [LParen, RParen],
  [LBracket, RBracket],
  [LBrace, RBrace],
]);

const statementWords = /^(?:if|else|while|do|for|goto|return|break|continue)$/;
const headWords = /^(?:race|expect|fn|kernel|patch|static|include|always|never)$/;

/** Whether a line that begins so cannot be the middle of an argument list. */
export function beginsStatement({ token, next, second }: Item): boolean {
  if (token.tokenType === RBrace || statementWords.test(token.image)) return true;
  if (token.tokenType === Cpu) return next?.tokenType === Colon;
  // `struct gpu *gpu` may as well be the next parameter.
  if (token.image === "struct") return next?.tokenType === Name && second?.tokenType === LBrace;
  return headWords.test(token.image) && (next?.tokenType === Name || next?.tokenType === LBrace);
}

export interface Unclosed {
  /** Each `(` and `[` that does not meet its partner before its block, or what must be its statement, ends. */
  readonly parens: ReadonlySet<IToken>;
  /** Whether any `{` stays open to the end of the text. */
  readonly braces: boolean;
}

export function unclosedBrackets(items: readonly Item[]): Unclosed {
  const parens = new Set<IToken>();
  let open: IToken[] = [];
  let braces = 0;
  for (const item of items) {
    const type = item.token.tokenType;
    if (type === LBrace || type === RBrace || (item.first && beginsStatement(item))) {
      for (const token of open) parens.add(token);
      open = [];
    }
    if (type === LBrace) braces++;
    else if (type === RBrace) braces = Math.max(0, braces - 1);
    else if (type === LParen || type === LBracket) open.push(item.token);
    else if (type === RParen || type === RBracket) {
      // `(a[1)`: the inner one is the open one; `(a]` leaves the outer one alone, the `]` is a stray.
      const partner = open.findLastIndex((token) => closers.get(token.tokenType) === type);
      if (partner >= 0) for (const token of open.splice(partner).slice(1)) parens.add(token);
    }
  }
  for (const token of open) parens.add(token);
  return { parens, braces: braces > 0 };
}
