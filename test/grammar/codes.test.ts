import { test } from "uvu";
import * as assert from "uvu/assert";
import { codes, explain } from "../../grammar/codes.ts";
import { codesOf } from "./support/tree.ts";

/** Codes whose examples need no names: what the grammar alone reports. */
const textual = Object.entries(codes).filter(([code]) => /^E(?:1\d\d|20\d|21[01])$/.test(code));

test("each wrong example has the mistake that it is an example of, and no other", () => {
  for (const [code, { wrong }] of textual) assert.equal([...new Set(codesOf(wrong))], [code], code);
});

test("each right example is right", () => {
  for (const [code, { right }] of textual) assert.equal(codesOf(right), [], code);
});

test("codes explain themselves, in either case of letter", () => {
  const text = explain("e105");
  assert.ok(text?.startsWith("E105: `=` in a condition\n\n"), text);
  assert.ok(text?.includes("Wrong:\n\n    if ret = -EBUSY {\n"), text);
  assert.is(explain("E999"), undefined);
  assert.is(explain("toString"), undefined);
});

test("no line of an explanation is too long", () => {
  for (const code of Object.keys(codes)) {
    const { wrong } = codes[code]!;
    const lines = explain(code)!
      .split("\n")
      .filter((line) => !wrong.includes(line.trim()));
    for (const line of lines) assert.ok(line.length <= 80, line);
  }
});

test.run();
