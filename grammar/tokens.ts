import { createToken, Lexer, type CustomPatternMatcherFunc, type IToken, type TokenType } from "chevrotain";

/**
 * The tokens. C's keywords, `until` and `cpuN` are reserved; every other word is a `Name`, and what it means at the
 * head of a statement is the parser's affair. Mistakes that a lexer meets (`12abc`, `"abc`, an open comment, a stray
 * character) are tokens too, so that each of them gets a report of its own.
 */

/** Parents of tokens: what a recovering parser skips, what may stand after a dot, what separates statements. */
export const AnyToken = createToken({ name: "AnyToken", pattern: Lexer.NA });
export const Word = createToken({ name: "Word", pattern: Lexer.NA, categories: [AnyToken] });
export const Separator = createToken({ name: "Separator", pattern: Lexer.NA, categories: [AnyToken] });
export const AssignOperator = createToken({ name: "AssignOperator", pattern: Lexer.NA, categories: [AnyToken] });
export const InfixOperator = createToken({ name: "InfixOperator", pattern: Lexer.NA, categories: [AnyToken] });
export const PrefixOperator = createToken({ name: "PrefixOperator", pattern: Lexer.NA, categories: [AnyToken] });

// Hints of first characters, and plain strings where they do, spare chevrotain the parsing of every expression at
// start-up: a third of the time that the first `hmm` of the day takes to read a script.
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"];
const DIGITS = [..."0123456789"];
const BLANKS = [
  ..." \t\f\v\\\u00a0\u202f\u3000\ufeff",
  ...Array.from({ length: 11 }, (_, i) => String.fromCharCode(0x2000 + i)),
];

export const Name = createToken({
  name: "Name",
  pattern: /[A-Za-z_]\w*/,
  start_chars_hint: LETTERS,
  categories: [AnyToken, Word],
});

function keyword(name: string, word: string): TokenType {
  return createToken({
    name,
    pattern: word,
    label: `\`${word}\``,
    longer_alt: Name,
    categories: [AnyToken, Word],
  });
}

export const If = keyword("If", "if");
export const Else = keyword("Else", "else");
export const While = keyword("While", "while");
export const Do = keyword("Do", "do");
export const For = keyword("For", "for");
export const Goto = keyword("Goto", "goto");
export const Return = keyword("Return", "return");
export const Break = keyword("Break", "break");
export const Continue = keyword("Continue", "continue");
export const Until = keyword("Until", "until");
export const Null = keyword("Null", "NULL");
export const True = keyword("True", "true");
export const False = keyword("False", "false");

const keywords = [If, Else, While, Do, For, Goto, Return, Break, Continue, Until, Null, True, False];

export const Cpu = createToken({
  name: "Cpu",
  pattern: /[cC][pP][uU]\d+(?!\w)/,
  start_chars_hint: ["c", "C"],
  categories: [AnyToken],
});

// ---- literals, right and wrong

/** Whatever begins with a digit: `12abc` and `1.5K` are the parser's to refuse, since `v2.6.27` is a version. */
export const Numeral = createToken({ name: "Numeral", pattern: Lexer.NA, categories: [AnyToken] });
export const NumberToken = createToken({
  name: "Number",
  pattern: /(?:0[xX][0-9a-fA-F]+|0|[1-9]\d*)(?:[kKmMgG]|[uU]?[lL]{0,2}[uU]?)(?!\w)/,
  start_chars_hint: DIGITS,
  label: "a number",
  categories: [AnyToken, Numeral],
});
export const Fraction = createToken({
  name: "Fraction",
  pattern: /\d\w*\.\d\w*/,
  start_chars_hint: DIGITS,
  categories: [AnyToken, Numeral],
});
export const BadNumber = createToken({
  name: "BadNumber",
  pattern: /\d\w*/,
  start_chars_hint: DIGITS,
  categories: [AnyToken, Numeral],
});

export const StringToken = createToken({
  name: "String",
  pattern: /"[^"\\\r\n]*(?:\\[^\r\n][^"\\\r\n]*)*"/,
  start_chars_hint: ['"'],
  label: "a string",
  categories: [AnyToken],
});
export const BadString = createToken({
  name: "BadString",
  pattern: /"[^\r\n]*/,
  start_chars_hint: ['"'],
  categories: [AnyToken],
});

/** How far back, in tokens, `until` may stand before its `#2`: until a . b . c returns #2 */
const UNTIL_DISTANCE = 8;

/** `#2` is a count only in an `until` clause or after `fail NAME`; anywhere else a `#` begins a comment. */
const matchCount: CustomPatternMatcherFunc = (text, offset, tokens) => {
  const count = /#\d+(?![\w])/y;
  count.lastIndex = offset;
  const match = count.exec(text);
  if (match === null || !(followsUntil(tokens) || followsFail(tokens))) return null;
  return match;
};

function followsUntil(tokens: readonly IToken[]): boolean {
  for (let back = 1; back <= UNTIL_DISTANCE; back++) {
    const token = tokens[tokens.length - back];
    if (token === undefined || isSeparator(token)) return false;
    if (token.tokenType === Until) return true;
  }
  return false;
}

function followsFail(tokens: readonly IToken[]): boolean {
  const word = tokens[tokens.length - 2];
  if (tokens[tokens.length - 1]?.tokenType !== Name || word?.tokenType !== Name || word.image !== "fail") return false;
  const before = tokens[tokens.length - 3];
  return before === undefined || isSeparator(before) || /^(?:maybe|else|do|[:{})])$/.test(before.image);
}

export const Count = createToken({
  name: "Count",
  pattern: matchCount,
  start_chars_hint: ["#"],
  line_breaks: false,
  label: "a count",
  categories: [AnyToken],
});

// ---- blanks and comments

export const Newline = createToken({
  name: "Newline",
  pattern: /\r\n|\n|\r/,
  start_chars_hint: ["\r", "\n"],
  label: "the end of the line",
  line_breaks: true,
  categories: [AnyToken, Separator],
});
/** A backslash at the end of a line joins it to the next one. What mail programs make of blanks are blanks. */
const Blank = createToken({
  name: "Blank",
  pattern: /[ \t\f\v\u00a0\u2000-\u200a\u202f\u3000\ufeff]+|\\[ \t]*(?:\r\n|\n|\r)/,
  start_chars_hint: BLANKS,
  group: Lexer.SKIPPED,
  line_breaks: true,
});
/** What would silently mean nothing. Its continuation lines belong to it. */
const directive =
  /#(?:define|undef|ifdef|ifndef|if|elif|else(?![ \t]*[^\s/]))(?!\w)[^\r\n\\]*(?:\\(?:\r\n|[^])[^\r\n\\]*)*/;
export const Directive = createToken({
  name: "Directive",
  pattern: directive,
  start_chars_hint: ["#"],
  group: "comments",
  line_breaks: true,
});
export const HashComment = createToken({
  name: "HashComment",
  pattern: /#[^\r\n]*/,
  start_chars_hint: ["#"],
  group: "comments",
});
export const LineComment = createToken({
  name: "LineComment",
  pattern: /\/\/[^\r\n]*/,
  start_chars_hint: ["/"],
  group: "comments",
});
export const BlockComment = createToken({
  name: "BlockComment",
  pattern: /\/\*[^]*?\*\//,
  start_chars_hint: ["/"],
  group: "comments",
  line_breaks: true,
});
export const BadComment = createToken({
  name: "BadComment",
  pattern: /\/\*[^]*/,
  start_chars_hint: ["/"],
  line_breaks: true,
  categories: [AnyToken],
});

// ---- punctuation

function mark(name: string, text: string, ...categories: TokenType[]): TokenType {
  return createToken({ name, pattern: text, label: `\`${text}\``, categories: [AnyToken, ...categories] });
}

export const Ellipsis = createToken({
  name: "Ellipsis",
  pattern: /\.\.\.|\u2026/,
  start_chars_hint: [".", "\u2026"],
  categories: [AnyToken],
});
export const DotDot = mark("DotDot", "..");
export const Dot = mark("Dot", ".");
export const Arrow = mark("Arrow", "->");
export const PlusPlus = mark("PlusPlus", "++", PrefixOperator);
export const MinusMinus = mark("MinusMinus", "--", PrefixOperator);
export const Assign = mark("Assign", "=", AssignOperator);
const assignments = ["<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="].map((text, index) =>
  mark(`AssignWith${index}`, text, AssignOperator),
);
const pureInfix = ["||", "&&", "==", "!=", "<=", ">=", "<<", ">>", "<", ">", "|", "^", "/", "%"].map((text, index) =>
  mark(`Infix${index}`, text, InfixOperator),
);
export const Plus = mark("Plus", "+", InfixOperator, PrefixOperator);
export const Minus = mark("Minus", "-", InfixOperator, PrefixOperator);
export const Star = mark("Star", "*", InfixOperator, PrefixOperator);
export const Ampersand = mark("Ampersand", "&", InfixOperator, PrefixOperator);
export const Not = mark("Not", "!", PrefixOperator);
export const Tilde = mark("Tilde", "~", PrefixOperator);
export const Question = mark("Question", "?");
export const Colon = mark("Colon", ":");
export const Semicolon = mark("Semicolon", ";", Separator);
export const Comma = mark("Comma", ",");
export const LParen = mark("LParen", "(");
export const RParen = mark("RParen", ")");
export const LBracket = mark("LBracket", "[");
export const RBracket = mark("RBracket", "]");
export const LBrace = mark("LBrace", "{");
export const RBrace = mark("RBrace", "}");
export const Dollar = mark("Dollar", "$");

/** One of each bucket into which chevrotain sorts first characters; a pattern for anything needs them all. */
function everyFirstCharacter(): number[] {
  const codes = Array.from({ length: 257 }, (_, code) => code);
  for (let code = 510; code <= 0xffff; code += 255) codes.push(code);
  return codes;
}

/** A character that means nothing here. */
export const Stray = createToken({
  name: "Stray",
  pattern: /[\ud800-\udbff][\udc00-\udfff]|[^]/,
  start_chars_hint: everyFirstCharacter(),
  line_breaks: false,
  categories: [AnyToken],
});

/** In the order in which the lexer tries them: longer ones before their beginnings. */
export const allTokens: TokenType[] = [
  AnyToken,
  Word,
  Separator,
  AssignOperator,
  InfixOperator,
  PrefixOperator,
  Numeral,
  Blank,
  Newline,
  Count,
  Directive,
  HashComment,
  LineComment,
  BlockComment,
  BadComment,
  StringToken,
  BadString,
  Cpu,
  ...keywords,
  Name,
  Fraction,
  NumberToken,
  BadNumber,
  Ellipsis,
  DotDot,
  Dot,
  Arrow,
  PlusPlus,
  MinusMinus,
  ...assignments,
  ...pureInfix.slice(0, 4),
  Assign,
  ...pureInfix.slice(4),
  Plus,
  Minus,
  Star,
  Ampersand,
  Not,
  Tilde,
  Question,
  Colon,
  Semicolon,
  Comma,
  LParen,
  RParen,
  LBracket,
  RBracket,
  LBrace,
  RBrace,
  Dollar,
  Stray,
];

export function makeLexer(validate: boolean): Lexer {
  return new Lexer(allTokens, {
    positionTracking: "onlyOffset",
    skipValidations: !validate,
    ensureOptimizations: validate,
    // Newlines are tokens, so the lexer itself never needs to count lines.
    lineTerminatorsPattern: /\r\n|\n|\r/g,
    lineTerminatorCharacters: ["\n", "\r"],
  });
}

export function isSeparator(token: IToken): boolean {
  return token.tokenType === Newline || token.tokenType === Semicolon;
}

/** One past the last character: chevrotain's own `endOffset` is not kept when only offsets are tracked. */
export function endOf(token: IToken): number {
  return token.startOffset + token.image.length;
}
