import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Key } from "../../interpreter/terminal/keys.ts";
import { LineEditor } from "../../interpreter/terminal/line-editor.ts";
import { check, editorOf, FAMILY, FLAGS, keyOf, paste, press, shown, steps, type } from "./support/editor.ts";

// ---- typing

test("what is typed stands where the cursor is", () => {
  check([
    ["|", "a b SPC c", "ab c|"],
    ["a|c", "b", "ab|c"],
    ["|", `ü ${FAMILY} 漢`, `ü${FAMILY}漢|`],
    ["e|", "\u0301", "e\u0301|"],
  ]);
});

test("the cursor never stands inside a grapheme", () => {
  const editor = editorOf("|\u0301b");
  press(editor, "a"); // one with what follows it
  assert.is(shown(editor), "a\u0301|b");
  editor.set(`${FAMILY}b`, 3);
  assert.is(shown(editor), `${FAMILY}|b`);
  editor.set("🇩b🇪", 2);
  press(editor, "delete"); // two halves of a flag meet
  assert.is(shown(editor), "🇩🇪|");
});

test("a paste comes as it is, but for what would upset a terminal", () => {
  const editor = editorOf("(|)");
  assert.is(editor.key(paste("a\r\nb\rc\n\td\x1b[31m\0\x7f\x9b\ud800e")), "handled");
  assert.is(shown(editor), "(a\nb\nc\n  d[31me|)");
  press(editor, "C-_");
  assert.is(shown(editor), "(|)");
  press(editor, "x");
  editor.key(paste("y"));
  press(editor, "z"); // no part of what is typed around it
  assert.equal(steps(editor, "C-_ C-_ C-_"), ["(xy|)", "(x|)", "(|)"]);
});

test("keys of others change nothing", () => {
  const others =
    "return tab S-tab escape C-c C-l C-z C-g C-s C-q C-x C-o M-return M-x M-. pageup pagedown insert f1 f12 " +
    "C-up C-home";
  for (const other of others.split(" ")) {
    const editor = editorOf("ab|c");
    assert.is(editor.key(keyOf(other)), "ignored", other);
    assert.is(shown(editor), "ab|c");
    press(editor, "C-_");
    assert.is(shown(editor), "ab|c", other);
  }
  const altGr = editorOf("|");
  assert.is(altGr.key({ name: "x", ctrl: false, meta: true, shift: false, text: "x" }), "ignored");
  assert.is(altGr.text, "");
});

test("a key of others does not come between two kills", () => {
  const editor = editorOf("a b|");
  press(editor, "C-w");
  editor.key(keyOf("f5"));
  press(editor, "C-w C-y");
  assert.is(shown(editor), "a b|");
});

test("ctrl-d deletes as long as there is something", () => {
  check([
    ["a|bc", "C-d", "a|c"],
    ["ab|", "C-d", "ab|"],
  ]);
  const editor = editorOf("|");
  assert.is(editor.key(keyOf("C-d")), "ignored");
  press(editor, "C-r");
  assert.is(editor.key(keyOf("C-d")), "ignored");
  assert.equal(editor.search, { query: "", failed: false });
});

// ---- moving

test("by graphemes", () => {
  check([
    ["ab|", "left", "a|b"],
    ["ab|", "C-b C-b C-b", "|ab"],
    ["|ab", "right", "a|b"],
    ["|ab", "C-f C-f C-f", "ab|"],
    ["ab|", "S-left", "a|b"],
    [`a${FAMILY}|`, "left", `a|${FAMILY}`],
    [`|${FLAGS.join("")}`, "right", `${FLAGS[0]}|${FLAGS[1]}`],
    [`${FLAGS.join("")}|`, "left", `${FLAGS[0]}|${FLAGS[1]}`],
    ["e\u0301|", "left", "|e\u0301"],
    ["a\n|b", "left", "a|\nb"],
  ]);
});

test("by words, which are names of C", () => {
  check([
    ["mmu_notifier_get(&x->y2)|", "M-b", "mmu_notifier_get(&x->|y2)"],
    ["mmu_notifier_get(&x->y2)|", "M-b C-left M-left", "|mmu_notifier_get(&x->y2)"],
    ["|mmu_notifier_get(&x->y2)", "M-f", "mmu_notifier_get|(&x->y2)"],
    ["|mmu_notifier_get(&x->y2)", "C-right M-right M-F M-f", "mmu_notifier_get(&x->y2)|"],
    ["a\n  b|", "M-b M-b", "|a\n  b"],
    ["|a\n  b", "M-f M-f", "a\n  b|"],
    ["größe 漢字|", "M-b", "größe |漢字"],
    ["|12 x", "M-f", "12| x"],
    [`größe ${FAMILY} 漢字|`, "M-b M-b", `|größe ${FAMILY} 漢字`],
    ["(\u0301a|", "M-b", "(\u0301|a"],
  ]);
});

test("to the ends of the line, then of the text", () => {
  check([
    ["ab\ncd|\nef", "home", "ab\n|cd\nef"],
    ["ab\ncd|\nef", "home C-a", "|ab\ncd\nef"],
    ["ab\n|cd\nef", "end", "ab\ncd|\nef"],
    ["ab\n|cd\nef", "C-e end", "ab\ncd\nef|"],
    ["ab\ncd|\nef", "home end", "ab\ncd|\nef"],
    ["ab\ncd|\nef", "home right left home", "ab\n|cd\nef"],
    ["a\n|b", "C-a", "a\n|b"],
  ]);
});

test("by lines, keeping the column", () => {
  check([
    ["abc\nd\nefg|", "up", "abc\nd|\nefg"],
    ["abc\nd\nefg|", "up up", "abc|\nd\nefg"],
    ["abc|\nd\nefg", "C-n C-n", "abc\nd\nefg|"],
    ["abc\nd\nefg|", "C-p left up", "|abc\nd\nefg"],
    ["abc\n\nefg|", "up up down down", "abc\n\nefg|"],
    ["\nab|", "up", "|\nab"],
    ["ab|\n", "down", "ab\n|"],
    [`${FAMILY}e\u0301x\nabc|`, "up left", `${FAMILY}e\u0301|x\nabc`],
    [`ab|c\n${FAMILY}e\u0301x`, "down", `abc\n${FAMILY}e\u0301|x`],
    ["a|b", "up down", "a|b"],
  ]);
});

// ---- deleting and killing

test("backspace and delete take a grapheme", () => {
  check([
    ["ab|", "backspace", "a|"],
    ["ab|", "C-h C-h C-h", "|"],
    ["|ab", "delete", "|b"],
    ["ab|", "delete", "ab|"],
    [`a${FAMILY}|b`, "backspace", "a|b"],
    [`a|${FAMILY}b`, "delete", "a|b"],
    [`${FLAGS.join("")}|`, "backspace", `${FLAGS[0]}|`],
    ["ae\u0301|", "backspace", "a|"],
    ["a\n|b", "backspace", "a|b"],
  ]);
});

test("kills, and what comes back", () => {
  check([
    ["ab|cd\nef", "C-k", "ab|\nef"],
    ["ab|cd\nef", "C-k C-k C-k C-y", "abcd\nef|"],
    ["ab\ncd|ef", "C-u", "ab\n|ef"],
    ["ab|cd\nef", "C-k C-k", "ab|ef"],
    ["ab\ncd|ef", "C-u C-u", "ab|ef"],
    ["ab\ncd|ef", "C-u C-u C-u C-y", "ab\ncd|ef"],
    ["a mm->b|", "C-w", "a |"],
    ["a mm->b  |", "C-w C-w C-y C-y", "a mm->b  a mm->b  |"],
    ["a mm->b|", "M-backspace", "a mm->|"],
    ["a mm->b|", "M-backspace M-backspace C-y", "a mm->b|"],
    ["|a mm->b", "M-d", "| mm->b"],
    ["|a mm->b", "M-d M-d C-e C-y", "->ba mm|"],
    ["a b|c d", "C-w C-k C-y", "a bc d|"],
    ["a b|", "C-w left right C-w C-y", "a |"],
    ["a b|", "C-w C-y C-y", "a bb|"],
    ["|ab", "C-y C-u C-w M-backspace", "|ab"],
    ["ab|", "C-k M-d", "ab|"],
    ["a b|", "C-w C-k C-w C-y", "a b|"],
  ]);
});

test("transposing", () => {
  check([
    ["a|b", "C-t", "ba|"],
    ["ab|", "C-t", "ba|"],
    ["a|bc", "C-t C-t", "bca|"],
    ["|ab", "C-t", "|ab"],
    ["a|", "C-t", "a|"],
    ["|", "C-t", "|"],
    ["ab\n|cd", "C-t", "ab\n|cd"],
    ["ab\n|", "C-t", "ab\n|"],
    ["ab|\ncd", "C-t", "ba|\ncd"],
    [`${FAMILY}|e\u0301`, "C-t", `e\u0301${FAMILY}|`],
  ]);
});

// ---- undoing

test("edits are undone in runs", () => {
  const editor = editorOf("|");
  press(editor, "a b left c d backspace backspace C-k");
  assert.is(shown(editor), "a|");
  assert.equal(steps(editor, "C-_ C-_ C-_ C-_ C-_"), ["a|b", "acd|b", "a|b", "|", "|"]);
});

test("what the owner does is undone too, but for what begins anew", () => {
  const editor = editorOf("|");
  type(editor, "ab");
  editor.insert("\n");
  type(editor, "c");
  editor.replace(0, 2, "xyz");
  assert.is(shown(editor), "xyz|\nc");
  assert.equal(steps(editor, "C-_ C-_ C-_ C-_"), ["ab\nc|", "ab\n|", "ab|", "|"]);
  type(editor, "a");
  editor.set("x");
  assert.equal(steps(editor, "y C-_ C-_"), ["xy|", "x|", "x|"]);
});

test("a key that does nothing begins no run and ends none", () => {
  const editor = editorOf("ab|");
  press(editor, "delete backspace delete backspace");
  assert.equal(steps(editor, "C-_"), ["ab|"]);
});

test("each kill, yank and transposition is undone by itself", () => {
  const editor = editorOf("a b c|");
  press(editor, "C-w C-w C-y C-t");
  assert.is(editor.text, "a bc ");
  assert.equal(steps(editor, "C-_ C-_ C-_ C-_"), ["a b c|", "a |", "a b |", "a b c|"]);
});

// ---- what the owner does

test("setting, clearing, replacing", () => {
  const editor = editorOf("ab|");
  editor.set("x\r\n\ty");
  assert.is(shown(editor), "x\n  y|");
  editor.set("abc", 99);
  assert.is(shown(editor), "abc|");
  editor.set("abc", -1);
  assert.is(shown(editor), "|abc");
  editor.replace(1, 2, "12");
  assert.is(shown(editor), "a12|c");
  editor.replace(3, 99, "\x1b!");
  assert.is(shown(editor), "a12!|");
  editor.replace(3, 1, "?"); // nothing lies between
  assert.is(shown(editor), "a12?|!");
  editor.clear();
  assert.is(shown(editor), "|");
});

test("what was killed outlives a line", () => {
  const editor = editorOf("ab|");
  press(editor, "C-u");
  editor.clear();
  press(editor, "C-y");
  assert.is(shown(editor), "ab|");
  press(editor, "C-u");
  editor.clear();
  type(editor, "x");
  press(editor, "C-u C-y"); // and does not grow by the next one's
  assert.is(shown(editor), "x|");
});

// ---- whatever is pressed

const LETTERS = ["a", "B", "_", " ", "\n", "(", "é", "漢", "각", "ᄀ", "क्ष", FAMILY, ...FLAGS];
const PARTS = ["\u0301", "\u200d", "\u0600", "👨", "🇩"]; // of what they stand beside, by turns
const PIECES = [...LETTERS, ...PARTS];
const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((all) => all.join(""));
/** Where graphemes begin, and the end, by going through them all. */
const boundariesOf = (text: string): number[] => [
  ...Array.from(new Intl.Segmenter("en").segment(text), ({ index }) => index),
  text.length,
];

test("left and right stop wherever a grapheme begins, and nowhere else", () => {
  const walkThrough = (text: string): void => {
    const editor = editorOf("");
    editor.set(text, 0);
    const right = boundariesOf(text).map(() => [editor.cursor, press(editor, "right")][0]);
    const left = boundariesOf(text).map(() => [editor.cursor, press(editor, "left")][0]);
    assert.equal(right, boundariesOf(text));
    assert.equal(left.reverse(), boundariesOf(text));
    for (let i = 0; i <= text.length; i++) {
      editor.set(text, i);
      const next = boundariesOf(text).find((at) => at >= i);
      assert.is(editor.cursor, next);
    }
  };
  fc.assert(fc.property(pieces, walkThrough), { numRuns: 500, seed: 1 });
});

const BOUND =
  "left right up down home end backspace delete return escape tab C-left C-right M-left M-right M-backspace C-a C-b " +
  "C-c C-d C-e C-f C-g C-h C-k C-l C-n C-p C-r C-s C-t C-u C-w C-y C-_ M-b M-d M-f";
type Act = Key | { text: string; start: number; end: number } | { text: string; cursor: number };
const key = fc.constantFrom(...BOUND.split(" "), ...PIECES).map(keyOf);
const text = fc.oneof(pieces, fc.string({ unit: "binary" }));
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: key },
  text.map(paste),
  fc.record({ text, start: fc.nat(9), end: fc.nat(9) }), // to be replaced
  fc.record({ text, cursor: fc.nat(9) }), // to be set
);

test("whatever is pressed, the text is fit to print and the cursor on a grapheme", () => {
  const holds = (history: readonly string[], acts: readonly Act[]): void => {
    const editor = new LineEditor(() => history);
    for (const each of acts) {
      if ("name" in each) editor.key(each);
      else if ("cursor" in each) editor.set(each.text, each.cursor);
      else editor.replace(each.start, each.end, each.text);
      assert.not.match(editor.text, /(?!\n)\p{Cc}/u);
      assert.ok(boundariesOf(editor.text).includes(editor.cursor), shown(editor));
    }
  };
  const history = fc.array(text, { maxLength: 6 });
  fc.assert(fc.property(history, fc.array(act, { maxLength: 60 }), holds), { numRuns: 1000, seed: 2 });
});

test("keys that are ignored change nothing, but for return in a search", () => {
  const holds = (keys: readonly Key[]): void => {
    const editor = new LineEditor(() => ["a", "aB\n(", "a(_"]);
    for (const each of keys) {
      const before = [shown(editor), editor.search];
      if (editor.key(each) === "handled") continue;
      if (each.name === "return") assert.is(editor.search, undefined);
      else assert.equal([shown(editor), editor.search], before);
    }
  };
  fc.assert(fc.property(fc.array(key, { maxLength: 40 }), holds), { numRuns: 500, seed: 3 });
});

test("undoing goes back to where it began", () => {
  const holds = (keys: readonly Key[]): void => {
    const editor = editorOf("begin|", ["begin 1", "a", "b a\nb"]);
    for (const each of keys) editor.key(each);
    press(editor, "C-e");
    keys.forEach(() => press(editor, "C-_ C-_"));
    assert.is(editor.text, "begin");
  };
  fc.assert(fc.property(fc.array(key, { maxLength: 40 }), holds), { numRuns: 500, seed: 4 });
});

test.run();
