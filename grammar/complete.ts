import type { IToken } from "chevrotain";
import { tokenize } from "./parse.ts";
import {
  BadComment,
  Colon,
  Comma,
  Cpu,
  Do,
  Else,
  For,
  If,
  isSeparator,
  LBrace,
  LBracket,
  LParen,
  Name,
  Newline,
  RBrace,
  RBracket,
  RParen,
  While,
} from "./tokens.ts";
import { storageWords, tagWords, typeWords } from "./words.ts";

/**
 * Whether a prompt should wait for more lines: inside a bracket or comment, behind `,` `&&` `||` or a backslash, or
 * when the last line is only the head of something. A question for the tokens: what is typed so far need not parse.
 */
export function needsMore(text: string): boolean {
  if (/\\[ \t]*(?:\r\n|\n|\r)?$/.test(text)) return true;
  const lexed = tokenize(text).tokens;
  const tokens = lexed.slice(0, lexed.findLastIndex((token) => token.tokenType !== Newline) + 1);
  const last = tokens.at(-1);
  if (last === undefined) return false;
  if (last.tokenType === BadComment || isOpen(tokens)) return true;
  if (last.tokenType === Comma || last.image === "&&" || last.image === "||") return true;
  const line = lastLine(tokens);
  const before = tokens.slice(0, tokens.length - line.length);
  if (line[0]?.tokenType === While && endsInDo(before)) return false;
  return isHead(line) || endsInDo(tokens);
}

function isOpen(tokens: readonly IToken[]): boolean {
  let depth = 0;
  for (const { tokenType } of tokens) {
    if (tokenType === LParen || tokenType === LBracket || tokenType === LBrace) depth++;
    // One too many is a mistake of its own, which waiting does not mend.
    else if (tokenType === RParen || tokenType === RBracket || tokenType === RBrace) depth = Math.max(0, depth - 1);
  }
  return depth > 0;
}

/** The tokens behind the last separator at the outermost level, without CPU labels and a `}` in front. */
function lastLine(tokens: readonly IToken[]): readonly IToken[] {
  let depth = 0;
  let start = 0;
  const end = tokens.length;
  for (let index = 0; index < end; index++) {
    const { tokenType } = tokens[index]!;
    if (tokenType === LParen || tokenType === LBracket || tokenType === LBrace) depth++;
    else if (tokenType === RParen || tokenType === RBracket || tokenType === RBrace) depth--;
    const label = tokenType === Colon && tokens[index - 1]?.tokenType === Cpu;
    if ((depth <= 0 && (isSeparator(tokens[index]!) || label)) || (tokenType === RBrace && depth <= 0))
      start = index + 1;
  }
  return tokens.slice(start, end);
}

/** `if (x)`, `while (x)`, `for (...)`, `else`, `fn f(x)`, `race`, `struct gpu`, `static int f(int x)` */
function isHead(line: readonly IToken[]): boolean {
  const first = line[0];
  if (first === undefined) return false;
  const { tokenType, image } = first;
  if (tokenType === Else) return line.length === 1 || isHead(line.slice(1));
  if (tokenType === Do) return line.length === 1;
  if (tokenType === If || tokenType === While || tokenType === For) return isEnclosed(line, 1);
  if (tokenType !== Name) return false;
  if (image === "race") return line.length === 1;
  if (image === "switch" || image.includes("for_each")) return isEnclosed(line, 1);
  if (image === "fn") return line[1]?.tokenType === Name && (line.length === 2 || isEnclosed(line, 2));
  if (image === "struct" && line.length === 2) return true;
  return isFunctionHead(line);
}

/** Whether the rest of the line is one pair of parentheses and what is in it. */
function isEnclosed(line: readonly IToken[], from: number): boolean {
  if (line[from]?.tokenType !== LParen) return false;
  let depth = 0;
  for (let index = from; index < line.length; index++) {
    if (line[index]!.tokenType === LParen) depth++;
    if (line[index]!.tokenType === RParen && --depth === 0) return index === line.length - 1;
  }
  return false;
}

/** A definition in C whose brace comes on the next line; a prototype ends in `;`. */
function isFunctionHead(line: readonly IToken[]): boolean {
  const paren = line.findIndex(({ tokenType }) => tokenType === LParen);
  if (paren < 2 || !isEnclosed(line, paren) || line[paren - 1]!.tokenType !== Name) return false;
  const types = line.slice(0, paren - 1).map(({ image }) => image);
  return types.some((word) => typeWords.has(word) || tagWords.has(word)) && types.every(isTypePart);
}

function isTypePart(word: string, index: number, words: readonly string[]): boolean {
  if (word === "*" || typeWords.has(word) || tagWords.has(word) || storageWords.has(word)) return true;
  return word.startsWith("__") || tagWords.has(words[index - 1] ?? "");
}

/** `do { ... }` still lacks its `while`. */
function endsInDo(tokens: readonly IToken[]): boolean {
  const opened: boolean[] = [];
  let closedDo = false;
  tokens.forEach(({ tokenType }, index) => {
    if (tokenType === Newline) return;
    closedDo = false;
    if (tokenType === LBrace) opened.push(tokens[index - 1]?.tokenType === Do);
    if (tokenType === RBrace) closedDo = opened.pop() ?? false;
  });
  return closedDo;
}
