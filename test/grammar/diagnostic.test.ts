import { test } from "uvu";
import * as assert from "uvu/assert";
import { quote, render, renderAll, type Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";

function at(text: string, start: number, end: number, more: Partial<Diagnostic> = {}): Diagnostic {
  const source = new SourceText("dir/a.hmm", text);
  return { code: "E105", severity: "error", source, at: { start, end }, message: "no", ...more };
}

test("a diagnostic shows its place", () => {
  const text = "a\nif ret = 0 {\n}";
  const shown = render(
    at(text, 9, 10, { label: "here", help: "did you mean `==`?\nor not", notes: ["once", "twice"] }),
  );
  assert.is(
    shown,
    [
      "error[E105]: no",
      "  --> dir/a.hmm:2:8",
      "   |",
      " 2 | if ret = 0 {",
      "   |        ^ here",
      "   = help: did you mean `==`?",
      "           or not",
      "   = note: once",
      "   = note: twice",
    ].join("\n"),
  );
});

test("the margin is as wide as the line's number", () => {
  const lines = render(at(`${"\n".repeat(99)}abc`, 99, 102, { severity: "warning" })).split("\n");
  assert.equal(lines, ["warning[E105]: no", "    --> dir/a.hmm:100:1", "     |", " 100 | abc", "     | ^^^"]);
});

test("tabs are as wide as they are shown", () => {
  const lines = render(at("\tx\ty", 3, 4)).split("\n");
  assert.equal(lines.slice(3), [" 1 |         x       y", "   |                 ^"]);
});

test("wide characters take two columns, those of two units one", () => {
  assert.equal(render(at("\u6f22x", 1, 2)).split("\n")[4], "   |   ^");
  assert.equal(render(at("\u{1d11e}x", 2, 3)).split("\n")[4], "   |  ^");
});

test("nothing in a source reaches the terminal raw", () => {
  const text = "x\x1b[31m\u202e\u0000\ud800 = 1";
  const shown = render(at(text, 1, 2, { message: "a \x07", help: "b \x9b", label: "\x1b" }));
  assert.not.match(shown, /[^\n -~]/);
  assert.ok(shown.includes(" 1 | x\\x1b[31m\\u{202e}\\x00\\u{d800} = 1"), shown);
  assert.ok(shown.includes("   |  ^^^^"), shown);
  const source = new SourceText("a\x1b.hmm", "x");
  assert.ok(render({ ...at("x", 0, 1), source }).includes("--> a\\x1b.hmm:1:1"));
});

test("of a long line only the part around the place is shown", () => {
  for (const length of [90, 97, 200, 400, 10_000, 1_000_000]) {
    for (const place of [0, 1, 50, length - 1, length]) {
      const lines = render(at(`${"y".repeat(place)}X${"z".repeat(length - place)}`, place, place + 1)).split("\n");
      assert.ok(lines[3]!.length <= 5 + 96 + 6, `${length} ${place}: ${lines[3]!.length}`);
      assert.is(lines[3]![lines[4]!.indexOf("^")], "X", `${length} ${place}`);
    }
  }
});

test("a long span has its carets on one line", () => {
  assert.is(render(at("abc\ndef", 1, 6)).split("\n")[4], "   |  ^^");
  assert.is(render(at("abc", 3, 3)).split("\n")[4], "   |    ^");
  assert.is(render(at("", 0, 0)).split("\n")[4], "   | ^");
  assert.ok(render(at("y".repeat(5000), 0, 5000)).length < 400);
});

test("all diagnostics are shown in order of place", () => {
  const first = at("a b", 2, 3, { message: "second" });
  const shown = renderAll([first, { ...first, at: { start: 0, end: 1 }, message: "first" }]);
  const messages = shown.split("\n\n").map((one) => one.split("\n")[0]);
  assert.equal(messages, ["error[E105]: first", "error[E105]: second"]);
  assert.is(renderAll([]), "");
});

test("quoted source is short and printable", () => {
  assert.is(quote("a\nb"), "`a\\x0ab`");
  assert.is(quote("x".repeat(50), 5), "`xxxxx...`");
});

test("every mistake of a file is reported at once", () => {
  const text = "fn f(x) {\n  if x = 3 {\n    y =\n  } else {\n    z = = 1\n  }\n  g(a, , b)\n}\n3 = x\nexpect\n";
  const codes = parse(new SourceText("a.hmm", text)).diagnostics.map(({ code }) => code);
  assert.equal(codes, ["E105", "E120", "E120", "E111", "E103", "E132"]);
});

test.run();
