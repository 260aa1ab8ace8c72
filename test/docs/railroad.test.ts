/** docs/railroad.html is made from the parser; UPDATE=1 writes it, and so does `npm run railroad`. */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { railroadPage } from "../../docs/railroad.ts";
import { syntaxRules, type Piece } from "../../docs/syntax.ts";

const PAGE = "docs/railroad.html";
const LARGEST = 400_000;

test("the page shows the grammar as it is", () => {
  const page = railroadPage();
  if (process.env["UPDATE"] === "1") writeFileSync(PAGE, page);
  assert.ok(readFileSync(PAGE, "utf8") === page, `${PAGE} is out of date; npm run railroad writes it`);
});

test("the page needs nothing but itself", () => {
  const page = railroadPage();
  assert.not.match(page, /<script|<link|<img|@import|url\(|https?:/);
  assert.ok(page.length < LARGEST, `${page.length} bytes`);
  const targets = new Set([...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
  for (const [, target] of page.matchAll(/ href="#([^"]+)"/g)) assert.ok(targets.has(target), target);
  assert.not.match(page, / href="[^#]|undefined|NaN/);
  for (const tag of ["svg", "g", "a", "text", "div"]) {
    const count = (pattern: string): number => page.match(new RegExp(pattern, "g"))?.length ?? 0;
    assert.is(count(`<${tag}[ >]`), count(`</${tag}>`), tag);
  }
});

// ---- what the diagrams are drawn from

function shown(piece: Piece): string {
  switch (piece.kind) {
    case "text":
      return `"${piece.name}"`;
    case "token":
    case "rule":
      return piece.name;
    case "sequence":
      return piece.parts.map(shown).join(" ");
    case "choice":
      return `(${piece.parts.map(shown).join(" | ")})`;
    case "optional":
      return `[${shown(piece.part)}]`;
    case "repeated":
      return `{${[piece.part, ...(piece.separator ? [piece.separator] : [])].map(shown).join(" / ")}}`;
  }
}

test("words are words, and what only serves reports is left out", () => {
  const rules = new Map(syntaxRules().map(({ name, piece }) => [name, shown(piece)]));
  const wanted: readonly (readonly [string, string])[] = [
    ["script", "statements"],
    ["statements", "[{(END | statement)}]"],
    ["kernelLine", '"kernel" kernelName'],
    ["kernelName", '{patchName / "+"}'],
    ["cpus", 'CPU [{("," | "..") CPU}] ":"'],
    ["race", '"race" block'],
    ["conditionLine", '("wait" | "assume" | "assert") expression [until]'],
    ["failLine", '["maybe"] "fail" NAME [COUNT]'],
    ["include", '"include" STRING ["as" NAME]'],
    ["range", '".." [("+" binary | binary)]'],
    ["ifArm", '"if" condition body'],
  ];
  for (const [name, text] of wanted) assert.is(rules.get(name), text);
  for (const name of ["guarded", "junk", "nothing", "spacedCpu", "functionBody"]) assert.not(rules.has(name), name);
});

test.run();
