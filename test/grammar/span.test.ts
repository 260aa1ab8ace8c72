import { test } from "uvu";
import * as assert from "uvu/assert";
import { cover, SourceText } from "../../grammar/span.ts";

test("offsets become lines and columns, whatever ends the lines", () => {
  const source = new SourceText("a.hmm", "one\r\ntwo\rthree\n\tfour");
  assert.is(source.lineCount, 4);
  const texts = [1, 2, 3, 4].map((line) => source.lineText(line));
  assert.equal(texts, ["one", "two", "three", "\tfour"]);
  assert.equal(source.position(0), { line: 1, column: 1 });
  assert.equal(source.position(5), { line: 2, column: 1 });
  assert.equal(source.position(source.text.indexOf("four")), { line: 4, column: 2 });
  assert.equal(source.position(1e9), { line: 4, column: 6 });
  assert.equal(source.position(-1), { line: 1, column: 1 });
});

test("a byte order mark is no text", () => {
  const source = new SourceText("a.hmm", "\uFEFFx");
  assert.is(source.text, "x");
  assert.equal(source.position(0), { line: 1, column: 1 });
});

test("lines that do not exist are empty", () => {
  const source = new SourceText("a.hmm", "x\n");
  assert.is(source.lineCount, 2);
  assert.is(source.lineText(2), "");
  assert.is(source.lineText(0), "");
  assert.is(source.lineText(9), "");
});

test("two spans are covered by one", () => {
  assert.equal(cover({ start: 3, end: 5 }, { start: 1, end: 2 }), { start: 1, end: 5 });
});

test.run();
