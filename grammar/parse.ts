import type { IToken, Lexer } from "chevrotain";
import type { Comment, Script, Statement } from "./ast.ts";
import { checkContext } from "./context.ts";
import { asEnum, merged } from "./defines.ts";
import { quote, sortByPlace, type Diagnostic } from "./diagnostic.ts";
import { layOut } from "./layout.ts";
import { ScriptParser } from "./parser.ts";
import { SourceText } from "./span.ts";
import { Directive, endOf, makeLexer } from "./tokens.ts";

export interface ParseResult {
  /** Whole if no diagnostic is an error; otherwise without the statements that were mistaken. */
  readonly script: Script;
  readonly diagnostics: readonly Diagnostic[];
}

// One of each per process, built when first needed: building them takes longer than reading a script.
let lexer: Lexer | undefined;
let parser: ScriptParser | undefined;

/** The tokens of a text, comments apart; also for those who only want to know how a text ends. */
export function tokenize(text: string): { readonly tokens: IToken[]; readonly comments: IToken[] } {
  lexer ??= makeLexer(false);
  const result = lexer.tokenize(text);
  return { tokens: result.tokens, comments: result.groups["comments"] ?? [] };
}

/** Reads a script. Any text gives a script and diagnostics, never an exception. */
export function parse(source: SourceText): ParseResult {
  parser ??= new ScriptParser(false);
  const lexed = tokenize(source.text);
  const layout = layOut(source, lexed.tokens);
  const parsed = parser.parse(source, layout.tokens);
  const defines = new Map<IToken, readonly Statement[]>();
  for (const token of lexed.comments) {
    const constant = token.tokenType === Directive ? constantOf(parser, source, token) : undefined;
    if (constant !== undefined) defines.set(token, constant);
  }
  const script: Script = {
    kind: "script",
    source,
    statements: merged(parsed.statements, [...defines.values()].flat()),
    comments: lexed.comments.filter((token) => !defines.has(token)).map(commentOf),
    at: { start: 0, end: source.text.length },
  };
  const textual = withoutConsequences(source, [...layout.diagnostics, ...parsed.diagnostics]);
  const warnings = lexed.comments
    .filter((token) => token.tokenType === Directive && !defines.has(token))
    .map((token) => warn(source, token));
  return { script, diagnostics: sortByPlace([...textual, ...checkContext(script, textual), ...warnings]) };
}

/** What `#define NAME NUMBER` stands for, if that is what it is. */
function constantOf(reader: ScriptParser, source: SourceText, token: IToken): readonly Statement[] | undefined {
  const text = asEnum(source.text, { start: token.startOffset, end: endOf(token) });
  if (text === undefined) return undefined;
  const there = new SourceText(source.name, text);
  const { statements, diagnostics } = reader.parse(there, layOut(there, tokenize(text).tokens).tokens);
  return diagnostics.length === 0 ? statements : undefined;
}

function commentOf(token: IToken): Comment {
  return { text: token.image, at: { start: token.startOffset, end: endOf(token) } };
}

/** Mistakes of the lexer, whose line reads oddly without the characters in question. */
const lexical = new Set(["E100", "E116", "E118", "E135"]);

/** Drops what one mistake made of its neighbours: a line's later reports after a lexical one, all but one E140. */
function withoutConsequences(source: SourceText, diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const lines = new Set<number>();
  const seen = new Set<string>();
  const kept: Diagnostic[] = [];
  for (const diagnostic of diagnostics) {
    const { line } = source.position(diagnostic.at.start);
    const { code } = diagnostic;
    if (lexical.has(code)) lines.add(line);
    else if (lines.has(line) && !code.startsWith("E2")) continue;
    const key = code === "E140" ? code : `${code} ${diagnostic.at.start}`;
    if (seen.has(key)) continue;
    seen.add(key);
    kept.push(diagnostic);
  }
  return kept;
}

function warn(source: SourceText, token: IToken): Diagnostic {
  const word = /^#\w+/.exec(token.image)![0];
  const at = { start: token.startOffset, end: token.startOffset + word.length };
  // Both branches would run, one after the other.
  if (/^#(else|elif)$/.test(word)) {
    const message = `${quote(word)}: there is no preprocessor that would leave out one of the branches`;
    return { code: "E142", severity: "error", source, at, message, help: "take out the branch that is not meant" };
  }
  return {
    code: "E141",
    severity: "warning",
    source,
    at,
    message: `${quote(word)} is a comment here`,
    help: "there is no preprocessor; `enum { NAME = VALUE };` makes a constant",
  };
}
