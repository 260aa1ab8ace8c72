import type { IToken, TokenType } from "chevrotain";
import { quote, type Diagnostic } from "./diagnostic.ts";
import type { SourceText, Span } from "./span.ts";
import { BadComment, BadString, endOf, Stray, StringToken } from "./tokens.ts";

const quotes = /^[\u2018-\u201f\u00ab\u00bb'`]+$/;

/** Reports the tokens that are mistakes in themselves and puts something harmless in their place, or nothing. */
export function mendMistakes(
  source: SourceText,
  lexed: readonly IToken[],
): { readonly tokens: IToken[]; readonly diagnostics: Diagnostic[] } {
  const tokens: IToken[] = [];
  const diagnostics: Diagnostic[] = [];
  let strays: IToken[] = [];
  const reportStrays = (): void => {
    if (strays.length > 0) diagnostics.push(strayCharacters(source, strays));
    strays = [];
  };
  for (const token of lexed) {
    const previous = strays.at(-1);
    if (token.tokenType === Stray && (previous === undefined || endOf(previous) === token.startOffset)) {
      strays.push(token);
      continue;
    }
    reportStrays();
    if (token.tokenType === Stray) strays.push(token);
    else if (token.tokenType === BadComment) diagnostics.push(openComment(source, token));
    else if (token.tokenType === BadString) {
      diagnostics.push(openString(source, token));
      tokens.push(as(token, StringToken));
    } else tokens.push(token);
  }
  reportStrays();
  return { tokens, diagnostics };
}

function as(token: IToken, tokenType: TokenType): IToken {
  return { ...token, tokenType, tokenTypeIdx: tokenType.tokenTypeIdx! };
}

function strayCharacters(source: SourceText, strays: readonly IToken[]): Diagnostic {
  const at: Span = { start: strays[0]!.startOffset, end: endOf(strays.at(-1)!) };
  const text = source.slice(at);
  const diagnostic = problem(source, at, "E100", `${quote(text, 12)} means nothing here`);
  if (quotes.test(text)) return { ...diagnostic, help: 'use a plain `"`' };
  if (text === "\\") return { ...diagnostic, help: "a `\\` joins two lines only as the last character of the first" };
  return diagnostic;
}

function openComment(source: SourceText, token: IToken): Diagnostic {
  const at = { start: token.startOffset, end: token.startOffset + 2 };
  return { ...problem(source, at, "E135", "this comment is never closed"), help: "add the missing `*/`" };
}

function openString(source: SourceText, token: IToken): Diagnostic {
  const at = { start: token.startOffset, end: endOf(token) };
  return { ...problem(source, at, "E118", "the string is not closed on its line"), help: 'add the missing `"`' };
}

export function problem(source: SourceText, at: Span, code: string, message: string): Diagnostic {
  return { code, severity: "error", source, at, message };
}
