import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";
import { driver, race } from "./support/scripts.ts";
import { reportsOf } from "./support/tree.ts";

function kindsOf(text: string): string[] {
  return parse(new SourceText("test.hmm", text)).script.statements.map(({ kind }) => kind);
}

test("a whole script is read", () => {
  assert.equal(reportsOf(race), []);
  assert.equal(kindsOf(race).slice(0, 8), [
    "kernel",
    "include",
    "declare",
    "expression",
    "expression",
    "expression",
    "fn",
    "ops",
  ]);
});

test("a driver's C is read as it stands", () => {
  assert.equal(reportsOf(driver), []);
  assert.equal(kindsOf(driver), ["struct", "expression", "fn", "ops", "fn"]);
});

test("every node's place is its text", () => {
  const text = "cpu0: ret = f(a, (b + c)) until g  # why\n";
  const { script } = parse(new SourceText("test.hmm", text));
  const statement = script.statements[0]!;
  assert.is(script.source.slice(statement.at), "cpu0: ret = f(a, (b + c)) until g");
  if (statement.kind !== "onCpu" || statement.body?.kind !== "assign") return assert.unreachable();
  const { value, until } = statement.body;
  assert.is(script.source.slice(value.at), "f(a, (b + c))");
  assert.is(until === undefined ? "" : script.source.slice(until.at), "until g");
  if (value.kind !== "call") return assert.unreachable();
  assert.is(script.source.slice(value.args[1]!.value.at), "(b + c)");
  assert.equal(script.comments, [{ text: "# why", at: { start: 35, end: 40 } }]);
});

test("a mistake leaves the other statements in the tree", () => {
  assert.equal(kindsOf("a = 1\nb = = 2\nexpect c\n"), ["assign", "expect"]);
});

test.run();
