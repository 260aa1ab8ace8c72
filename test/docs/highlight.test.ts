/** docs/hmm.tmLanguage.json beside our own lexer and parser: an editor shows what the tool reads. */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Script } from "../../grammar/ast.ts";
import { parse, tokenize } from "../../grammar/parse.ts";
import { SourceText, type Span } from "../../grammar/span.ts";
import { reportKinds, storageWords, tagWords, typeWords } from "../../grammar/words.ts";
import { driver, race } from "../grammar/support/scripts.ts";
import { GRAMMAR, highlighter, type Highlight } from "../support/highlighter.ts";
import { rows, type Row } from "./highlight-rows.ts";

const grammar = readFileSync(GRAMMAR, "utf8");
const highlight = await highlighter(grammar);

interface Text {
  readonly name: string;
  readonly text: string;
}
function textsUnder(folder: string): Text[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".hmm"));
  return names.sort().map((name) => ({ name, text: readFileSync(`${folder}/${name}`, "utf8") }));
}
const right: readonly Text[] = [
  ...textsUnder("scripts"),
  { name: "race", text: race },
  { name: "driver", text: driver },
];
const wrong: readonly Text[] = [
  ...textsUnder("test/errors"),
  { name: "numbers", text: "cpu0: x = 12abc\ncpu0: x = 1.5K + 0xzz\ncpu0: f 017 0x1000UL 4k 0\n" },
  { name: "strings", text: 'cpu0: f "abc\ncpu0: f "a\\"b" "c\\\\" "d\n' },
  {
    name: "comments",
    text: "#define X \\\n  race\nvar x /* 1 */ = 2 // 3 /* 4\n#2\nf #3\nx = fail #4\nf /* until\ng #1",
  },
];

// ---- the lexer

/** What each kind of token must be shown as, and which scopes nothing else may have. */
const SCOPES: Readonly<Record<string, RegExp>> = {
  HashComment: /^comment\./,
  LineComment: /^comment\./,
  BlockComment: /^comment\./,
  BadComment: /^comment\./,
  Directive: /^comment\.line\.directive/,
  String: /^string\.quoted\.double\.hmm/,
  BadString: /^string\.quoted\.double\.unterminated/,
  Number: /^constant\.numeral\.hmm/,
  Count: /^constant\.numeral\.count/,
  BadNumber: /^invalid\.illegal\.number/,
  Fraction: /^invalid\.illegal\.number/,
};
const RESERVED = /^(?:If|Else|While|Do|For|Goto|Return|Break|Continue|Until)$/;
const OURS = /^(?:comment|string|constant\.numeral|invalid)\b/;

/** Versions and names of patches are numbers to the lexer, names to everybody else. */
function kernelNames(script: Script): Span[] {
  const found: Span[] = [];
  walk(script.statements, (node) => {
    if (node["kind"] === "patch") found.push((node["name"] as { at: Span }).at);
    if (!Array.isArray(node["parts"])) return;
    for (const { at } of node["parts"] as { at: Span }[]) found.push(at);
  });
  return found;
}

type Node = Readonly<Record<string, unknown>>;

function walk(node: unknown, visit: (node: Node) => void): void {
  if (typeof node !== "object" || node === null) return;
  if (!Array.isArray(node)) visit(node as Node);
  for (const [key, child] of Object.entries(node)) if (key !== "source" && key !== "at") walk(child, visit);
}

/** Where lexer and highlighter differ. */
function differences({ name, text }: Text, show: Highlight): string[] {
  const { scopes } = show(text);
  const { script } = parse(new SourceText(name, text));
  const names = kernelNames(script);
  const { tokens, comments } = tokenize(text);
  const found: string[] = [];
  const covered = new Set<number>();
  for (const token of [...tokens, ...comments]) {
    const { startOffset: start, image } = token;
    const inName = names.some((at) => at.start <= start && start < at.end);
    const kind = token.tokenType.name;
    const wanted = inName ? /^support\.constant\./ : RESERVED.test(kind) ? /^keyword\.control/ : SCOPES[kind];
    if (wanted === undefined || (RESERVED.test(kind) && /(?:\.|->)\s*$/.test(text.slice(0, start)))) continue;
    for (let at = start; at < start + image.length; at++) {
      covered.add(at);
      if (/\s/.test(text[at]!) || wanted.test(scopes[at]!)) continue;
      found.push(`${name}: ${kind} \`${image}\` is shown as ${scopes[at] || "nothing"}`);
      break;
    }
  }
  scopes.forEach((scope, at) => {
    if (OURS.test(scope) && !covered.has(at)) found.push(`${name}: \`${text[at]}\` at ${at} is shown as ${scope}`);
  });
  return found;
}

test("comments, strings, numbers and reserved words are those of the lexer", () => {
  assert.equal(
    [...right, ...wrong].flatMap((text) => differences(text, highlight)),
    [],
  );
});

test("every text ends as it began, and nothing in a script that is right is shown as wrong", () => {
  for (const { name, text } of right) {
    const { scopes, open } = highlight(text);
    assert.is(open, 0, name);
    assert.not(
      scopes.some((scope) => scope.includes("invalid")),
      name,
    );
  }
});

// ---- the parser

const HEADS = new Set(
  ["kernel", "include", "race", "patch", "expect", "invariant", "show", "step", "fail", "sanitizer", "schedule"].concat(
    ["wait", "assume", "assert", "switch", "fn"],
  ),
);
const LOOPS = new Set(["forIn", "forKernel"]);
const HEAD = /^(?:keyword|storage|entity\.name\.type)\b/;
const FUNCTION = /^(?:entity\.name\.function|storage\.type\.object)/;

/** Heads of statements that are not shown as such, calls that are not shown as calls, keywords that are none. */
function misread({ name, text }: Text, show: Highlight): string[] {
  const { scopes } = show(text);
  const { script } = parse(new SourceText(name, text));
  const found: string[] = [];
  const worded: Span[] = [];
  const complain = (at: number, what: string): void => {
    const word = /^\w*/.exec(text.slice(at))![0];
    found.push(`${name}: \`${word}\` is ${what}, and shown as ${scopes[at] || "nothing"}`);
  };
  walk(script.statements, (node) => {
    const kind = node["kind"] as string;
    const at = node["at"] as Span;
    if (HEADS.has(kind) && !HEAD.test(scopes[at.start]!)) complain(at.start, "the head of a statement");
    if (HEADS.has(kind) || LOOPS.has(kind)) {
      // Other words that belong to it stand before its block.
      const { length } = /^[^\n{]*/.exec(text.slice(at.start, at.end))![0];
      worded.push({ start: at.start, end: at.start + length });
    }
    if ("what" in node) worded.push(at); // until
    const callee = calleeOf(node);
    if (callee !== undefined && !FUNCTION.test(scopes[callee]!)) complain(callee, "a function");
  });
  for (const { startOffset: at, tokenType } of tokenize(text).tokens) {
    if (tokenType.name !== "Name" || !/^keyword\.other/.test(scopes[at]!)) continue;
    if (!worded.some(({ start, end }) => start <= at && at < end)) complain(at, "an ordinary name");
  }
  return found;
}

/** Where the name of the function stands, if this statement is a call or keeps the result of one. */
function calleeOf(node: Node): number | undefined {
  const expr = node["kind"] === "assign" ? node["value"] : node["kind"] === "expression" ? node["expr"] : undefined;
  if ((expr as Node | undefined)?.["kind"] !== "call") return undefined;
  const callee = (expr as Node)["callee"] as { kind: string; at: Span };
  return callee.kind === "name" ? callee.at.start : undefined;
}

test("heads of statements and calls are those of the parser", () => {
  assert.equal(
    right.flatMap((text) => misread(text, highlight)),
    [],
  );
});

// ---- word by word

/** The rows whose word is not shown as they say. */
function wrongRows(show: Highlight, all: readonly Row[] = rows): string[] {
  return all.flatMap(([marked, scope]) => {
    const [before, word, after] = marked.split("@") as [string, string, string];
    const { scopes } = show(before + word + after);
    const shown = new Set(scopes.slice(before.length, before.length + word.length));
    const fits = shown.size === 1 && [...shown].every((names) => ` ${names}`.endsWith(` ${scope}.hmm`));
    return fits ? [] : [`${marked} is ${scope}, and shown as ${[...shown].join(", ") || "nothing"}`];
  });
}

test("words are shown for what they are where they stand", () => {
  for (const [marked] of rows) assert.is(marked.split("@").length, 3, marked);
  assert.equal(wrongRows(highlight), []);
});

test("the words of the language are all known", () => {
  const words: Row[] = [
    ...reportKinds.map((kind): Row => [`expect bug @${kind}@ in f`, "support.constant.report"]),
    ...[...typeWords].map((word): Row => [`@${word}@ x = 3;`, "storage.type"]),
    ...[...tagWords].map((word): Row => [`@${word}@ foo *x;`, "storage.type"]),
    ...[...storageWords].map((word): Row => [`@${word}@ int x = 3;`, "storage.modifier"]),
  ];
  assert.equal(wrongRows(highlight, words), []);
});

async function highlighterWithout(rule: string): Promise<Highlight> {
  const { repository, ...rest } = JSON.parse(grammar) as { repository: Readonly<Record<string, unknown>> };
  assert.ok(rule in repository, rule);
  return highlighter(JSON.stringify({ ...rest, repository: { ...repository, [rule]: { patterns: [] } } }));
}

test("no rule of the grammar can go unnoticed", async () => {
  const unnoticed: string[] = [];
  const { repository } = JSON.parse(grammar) as { repository: object };
  for (const rule of Object.keys(repository)) {
    const show = await highlighterWithout(rule);
    if (wrongRows(show).length === 0 && [...right, ...wrong].every((text) => differences(text, show).length === 0)) {
      unnoticed.push(rule);
    }
  }
  assert.equal(unnoticed, []);
});

test("each comparison sees when something is amiss", async () => {
  const text: Text = { name: "race", text: race };
  for (const rule of ["heads", "head-call", "operators"]) {
    assert.is.not(misread(text, await highlighterWithout(rule)).length, 0, rule);
  }
  for (const rule of ["comments", "strings", "numbers", "reserved-words"]) {
    assert.is.not(differences(text, await highlighterWithout(rule)).length, 0, rule);
  }
});

test.run();
