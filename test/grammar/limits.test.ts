import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needsMore } from "../../grammar/complete.ts";
import { renderAll } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";
import { driver, race } from "./support/scripts.ts";
import { codesOf, treeOf } from "./support/tree.ts";

/** Any text is read to its end, shown and printed; what is found lies within it. */
function survives(text: string): void {
  const source = new SourceText("test.hmm", text);
  const { diagnostics } = parse(source);
  for (const { at } of diagnostics) {
    assert.ok(0 <= at.start && at.start <= at.end && at.end <= source.text.length, JSON.stringify({ text, at }));
  }
  renderAll(diagnostics.slice(0, 5));
  treeOf(text);
  needsMore(text);
}

const pieces = `${race}\n${driver}`.split(/(\s+|\b)/).filter((piece) => piece !== "");
const odd = [
  "{",
  "}",
  "(",
  ")",
  "[",
  "]",
  ";",
  "\n",
  ",",
  ":",
  "=",
  "..",
  "...",
  "until",
  "#2",
  '"',
  "/*",
  "*/",
  "-",
  "else",
];

const mutated = fc
  .array(
    fc.record({
      from: fc.nat(pieces.length - 1),
      length: fc.nat(30),
      between: fc.oneof(fc.constantFrom(...odd), fc.constantFrom(...pieces), fc.constant("")),
    }),
    { maxLength: 8 },
  )
  .map((cuts) =>
    cuts.map(({ from, length, between }) => pieces.slice(from, from + length).join("") + between).join(""),
  );

test("mutated scripts give diagnostics, never an exception", () => {
  fc.assert(fc.property(mutated, survives), { numRuns: 3000, seed: 1 });
});

test("so does anything else", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), survives), { numRuns: 2000, seed: 2 });
  const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => String.fromCharCode(...array));
  fc.assert(fc.property(bytes, survives), { numRuns: 2000, seed: 3 });
});

const SIZE = 100_000;
/** Each takes some hundred milliseconds at most; a quadratic algorithm would take minutes. */
const PATIENCE = 5000;
const deep = [
  "(",
  "[",
  "{",
  "!",
  "-",
  "(u8)",
  "f(",
  "f (",
  "a[",
  "x ? ",
  "x ? y : ",
  "if (x) ",
  "if (x) {\n",
  "cpu0: ",
];
deep.push("do {", "while (x) ", "fn f(x) {", "sizeof ", "x = { .a = ", "a + ", "a.b.", "a ||", "for (;;) ", "!(");

test("what is nested without end is refused, at once", () => {
  for (const piece of deep) {
    const started = performance.now();
    const codes = codesOf(piece.repeat(SIZE / piece.length));
    assert.ok(performance.now() - started < PATIENCE, piece);
    assert.is(codes.filter((code) => code === "E140").length, 1, piece);
    assert.ok(codes.length <= 70, `${piece} ${codes.length}`);
  }
});

test("what is deep but not too deep is read", () => {
  assert.equal(codesOf(`x = ${"(".repeat(60)}y${")".repeat(60)}`), []);
  assert.equal(codesOf(`x = ${"!".repeat(60)}y`), []);
  assert.equal(codesOf(`x = ${"f(a + ".repeat(60)}y${")".repeat(60)}`), []);
  assert.equal(codesOf(`${"if x {\n".repeat(60)}f y\n${"}\n".repeat(60)}`), []);
  assert.equal(codesOf(`if x { f y }${" else if x { f y }".repeat(3000)}`), []);
});

const wide = [
  "a\n(",
  "a:",
  "a: ",
  "}",
  ")",
  "}{",
  ")(",
  "f()",
  "@ ",
  "x = \n",
  "f a,",
  "a b ",
  "1..2 ",
  "#\n",
  "a\\\n",
  ". ",
  '"\n',
];

test("what is long takes no longer than its length", () => {
  for (const piece of wide) {
    const started = performance.now();
    parse(new SourceText("test.hmm", piece.repeat(SIZE / 2 / piece.length)));
    assert.ok(performance.now() - started < PATIENCE, JSON.stringify(piece));
  }
});

test("a script of two thousand lines is read in well under a second", () => {
  const text = race.repeat(Math.ceil(2000 / race.split("\n").length));
  parse(new SourceText("test.hmm", race));
  const started = performance.now();
  const { diagnostics } = parse(new SourceText("test.hmm", text));
  assert.ok(performance.now() - started < 1000);
  assert.equal(diagnostics, []);
});

test.run();
