import { createTokenInstance, type IToken, type TokenType } from "chevrotain";
import type { Diagnostic } from "./diagnostic.ts";
import { mendMistakes } from "./mistakes.ts";
import type { SourceText } from "./span.ts";
import {
  AssignOperator,
  Arrow,
  Colon,
  Comma,
  Cpu,
  Dot,
  Else,
  endOf,
  For,
  InfixOperator,
  isSeparator,
  LBrace,
  LBracket,
  LParen,
  Name,
  Newline,
  NumberToken,
  Question,
  RBrace,
  RBracket,
  RParen,
  Semicolon,
} from "./tokens.ts";
import { maxNesting } from "./words.ts";

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
  const lines = splitIntoLines(source, tokens);
  const filter = new LayoutFilter(source, lines, unclosedBrackets(lines), diagnostics);
  return { tokens: filter.run(), diagnostics };
}

/** A token, the column in which its line begins, and whether it begins it. */
interface Item {
  readonly token: IToken;
  readonly indent: number;
  readonly first: boolean;
  readonly next: IToken | undefined;
}

const TAB = 8;

function splitIntoLines(source: SourceText, tokens: readonly IToken[]): Item[] {
  let indent = 0;
  let first = true;
  return tokens.map((token, index) => {
    if (first) indent = indentOf(source, token);
    const item = { token, indent, first, next: tokens[index + 1] };
    first = token.tokenType === Newline;
    return item;
  });
}

function indentOf(source: SourceText, token: IToken): number {
  let start = token.startOffset;
  while (start > 0 && !/[\r\n]/.test(source.text[start - 1]!)) start--;
  let column = 0;
  for (const character of source.text.slice(start, token.startOffset)) {
    column = character === "\t" ? column + TAB - (column % TAB) : column + 1;
  }
  return column;
}

const openers: ReadonlyMap<TokenType, TokenType> = new Map([
  [LParen, RParen],
  [LBracket, RBracket],
  [LBrace, RBrace],
]);

const statementWords = /^(?:if|else|while|do|for|goto|return|break|continue)$/;
const headWords = /^(?:race|expect|fn|kernel|struct|patch|static|include|always|never)$/;

/** Whether a line that begins so cannot be the middle of an argument list. */
function beginsStatement(item: Item): boolean {
  const { token, next } = item;
  if (token.tokenType === RBrace || statementWords.test(token.image)) return true;
  if (token.tokenType === Cpu) return next?.tokenType === Colon;
  return headWords.test(token.image) && next?.tokenType === Name;
}

interface Unclosed {
  readonly parens: ReadonlySet<IToken>;
  readonly braces: boolean;
}

/** Which `(` and `[` never meet their partner within their block, and whether any `{` stays open to the end. */
function unclosedBrackets(items: readonly Item[]): Unclosed {
  const parens = new Set<IToken>();
  let open: IToken[] = [];
  let braces = 0;
  const giveUp = (): void => {
    for (const token of open) parens.add(token);
    open = [];
  };
  for (const item of items) {
    const type = item.token.tokenType;
    if (type === LBrace || type === RBrace || (item.first && beginsStatement(item))) giveUp();
    if (type === LBrace) braces++;
    else if (type === RBrace) braces = Math.max(0, braces - 1);
    else if (type === LParen || type === LBracket) open.push(item.token);
    else if (open.length > 0 && type === openers.get(open.at(-1)!.tokenType)) open.pop();
    else if (type === RParen && open.at(-2)?.tokenType === LParen) for (const token of open.splice(-2, 1)) void token;
  }
  giveUp();
  return { parens, braces: braces > 0 };
}

interface Open {
  readonly token: IToken;
  /** The column of the line it stands on. */
  readonly indent: number;
  /** Of a brace: whether the first line inside stands deeper, so that indentation says something. */
  deeper: boolean | undefined;
}
