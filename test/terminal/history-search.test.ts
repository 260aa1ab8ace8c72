import { test } from "uvu";
import * as assert from "uvu/assert";
import { LineEditor } from "../../interpreter/terminal/line-editor.ts";
import { check, editorOf, FAMILY, keyOf, paste, press, shown, steps, type } from "./support/editor.ts";

// What a line editor makes of the lines that were typed before.

// ---- history

const PAST = ["mmap 1", "munmap 1", "mmap 2", "race {\n  f\n}", "munmap 1"];

test("up and down go through the history", () => {
  const editor = editorOf("", PAST);
  assert.equal(steps(editor, "up up up"), ["munmap 1|", "race {|\n  f\n}", "mmap 2|"]);
  assert.equal(steps(editor, "C-p C-p"), ["mmap 1|", "mmap 1|"]); // munmap 1 has been there
  assert.equal(steps(editor, "C-n down"), ["mmap 2|", "race {\n  f\n}|"]);
  assert.equal(steps(editor, "down down down"), ["munmap 1|", "|", "|"]);
});

test("what stands before the cursor is a filter, and comes back", () => {
  const editor = editorOf("mm|x", PAST);
  assert.equal(steps(editor, "up up up"), ["mmap 2|", "mmap 1|", "mmap 1|"]);
  assert.equal(steps(editor, "down down down"), ["mmap 2|", "mm|x", "mm|x"]);
  assert.equal(steps(editor, "left up"), ["m|mx", "munmap 1|"]); // a new walk, from where the cursor is now
  check(
    [
      ["|mm", "up", "munmap 1|"],
      ["none|", "up up down", "none|"],
      ["munmap 1|", "up", "munmap 1|"],
      ["a\nmm|", "up", "a|\nmm"],
      ["a\nmm|", "up up", "a|\nmm"],
      ["m|\nx", "up", "munmap 1|"],
      ["m|\nx", "up down", "m|\nx"],
    ],
    PAST,
  );
  check([["ab|", "up", "abc|"]], ["abc", "ab"]); // the one is shown already
});

test("an entry of several lines is gone through by lines, and left at its ends", () => {
  const editor = editorOf("", PAST);
  press(editor, "up up");
  assert.equal(steps(editor, "down down"), ["race {\n  f|\n}", "race {\n  f\n}|"]);
  assert.equal(steps(editor, "up up up"), ["race {\n  f|\n}", "race {|\n  f\n}", "mmap 2|"]);
  assert.equal(steps(editor, "down down"), ["race {\n  f\n}|", "munmap 1|"]);
});

test("moving about does not end the walk, changing does", () => {
  const editor = editorOf("m|", PAST);
  press(editor, "up left left");
  assert.equal(steps(editor, "up down down"), ["mmap 2|", "munmap 1|", "m|"]);
  press(editor, "up up backspace");
  assert.equal(steps(editor, "down up up down"), ["mmap |", "mmap 2|", "mmap 1|", "mmap 2|"]);
  assert.equal(steps(editor, "down down"), ["mmap |", "mmap |"]);
});

test("a walk is one thing to undo", () => {
  const editor = editorOf("", PAST);
  type(editor, "m");
  press(editor, "up up");
  assert.equal(steps(editor, "C-_ C-_"), ["m|", "|"]);
  type(editor, "m");
  assert.equal(steps(editor, "up down C-_"), ["munmap 1|", "m|", "|"]);
  press(editor, "up down");
  type(editor, "x");
  assert.equal(steps(editor, "C-_ C-_"), ["|", "|"]);
  type(editor, "m");
  assert.equal(steps(editor, "up C-_ home up"), ["munmap 1|", "m|", "|m", "munmap 1|"]); // it is over
});

test("the history is asked each time, and cleaned", () => {
  const past = ["a\tb\x1b[m\r\nc"];
  const editor = new LineEditor(() => past);
  press(editor, "up");
  assert.is(editor.text, "a  b[m\nc");
  editor.set("x", 0);
  past.push("new", "\x07");
  press(editor, "up");
  assert.is(editor.text, "new");
});

// ---- searching

const searchOf = ({ search }: LineEditor): string => (search ? `${search.failed ? "!" : ""}${search.query}` : "-");
/** What is searched for and what is shown, key by key. */
const hunt = (editor: LineEditor, keys: string): string[] =>
  keys.split(" ").map((key) => (press(editor, key), `${searchOf(editor)}: ${shown(editor)}`));

test("ctrl-r finds letter by letter, and further back", () => {
  const editor = editorOf("ty|ped", PAST);
  assert.equal(hunt(editor, "C-r m m"), [": ty|ped", "m: |munmap 1", "mm: |mmap 2"]);
  assert.equal(hunt(editor, "backspace a p"), ["m: |munmap 1", "ma: mun|map 1", "map: mun|map 1"]);
  assert.equal(hunt(editor, "C-r C-r C-r"), ["map: m|map 2", "map: m|map 1", "!map: m|map 1"]);
  assert.equal(hunt(editor, "C-s C-s C-s"), ["map: m|map 2", "map: mun|map 1", "!map: mun|map 1"]);
  assert.equal(hunt(editor, "SPC 2 C-h C-h"), [
    "map : mun|map 1",
    "map 2: m|map 2",
    "map : mun|map 1",
    "!map: mun|map 1",
  ]);
  assert.equal(hunt(editor, "C-g"), ["-: ty|ped"]);
});
test("a search that finds no more shows what it had found", () => {
  const editor = editorOf("x|", PAST);
  assert.equal(hunt(editor, "C-r m m q"), [": x|", "m: |munmap 1", "mm: |mmap 2", "!mmq: |mmap 2"]);
  assert.equal(hunt(editor, "z C-r C-s"), ["!mmqz: |mmap 2", "!mmqz: |mmap 2", "!mmqz: |mmap 2"]);
  assert.equal(hunt(editor, "backspace backspace a"), ["!mmq: |mmap 2", "mm: |mmap 2", "mma: |mmap 2"]);
  assert.equal(hunt(editor, "backspace backspace"), ["mm: |mmap 2", "m: |munmap 1"]);
  assert.equal(hunt(editor, "a p q C-s"), ["ma: mun|map 1", "map: mun|map 1", "!mapq: mun|map 1", "!mapq: mun|map 1"]);
  assert.equal(hunt(editor, "C-g C-r q escape"), ["-: x|", ": x|", "!q: x|", "-: x|"]);
  assert.is(editor.key(keyOf("C-g")), "ignored");
  assert.is(editor.key(keyOf("escape")), "ignored");
});
test("what only newer entries have is found by ctrl-s", () => {
  const editor = editorOf("|", ["one", "two one"]);
  assert.equal(hunt(editor, "C-r o n C-r"), [": |", "o: tw|o one", "on: two |one", "on: |one"]);
  editor.key(paste("e"));
  assert.equal(hunt(editor, "C-s"), ["one: two |one"]);
  press(editor, "C-r");
  const beyond = editorOf("|", ["one", "two one x"]);
  press(beyond, "C-r o n C-r e SPC");
  assert.equal(hunt(beyond, "C-s x"), ["one : two |one x", "one x: two |one x"]);
});
test("keys at the start of a search", () => {
  const editor = editorOf("x|", PAST);
  assert.equal(hunt(editor, "C-r C-r C-s backspace"), [": x|", ": x|", ": x|", ": x|"]); // nothing was searched for yet
  press(editor, "m m C-g C-r C-g C-r");
  assert.equal(hunt(editor, "C-r C-r backspace"), ["mm: |mmap 2", "mm: |mmap 1", "m: |munmap 1"]);
});
test("return takes what was found, and is the owner's", () => {
  const editor = editorOf("x|", PAST);
  press(editor, "C-r m m");
  assert.is(editor.key(keyOf("return")), "ignored");
  assert.is(`${searchOf(editor)}: ${shown(editor)}`, "-: |mmap 2");
  assert.equal(steps(editor, "C-_"), ["x|"]);
});
test("editing keys take what was found and go on with it", () => {
  const rows: readonly (readonly [keys: string, then: string])[] = [
    ["C-r end", "mmap 2|"],
    ["left", "munm|ap 1"],
    ["C-k", "munma|"],
    ["C-d", "munma| 1"],
    ["delete C-_ C-_", "x|"],
    ["C-_ C-_", "x|"],
    ["C-y", "munma|p 1"],
    ["up", "race {|\n  f\n}"], // on from what was found, whatever stands before the cursor
    ["C-r up up", "mmap 1|"],
    ["C-r down", "race {\n  f\n}|"],
    ["down", "x|"],
  ];
  for (const [keys, then] of rows) {
    const editor = editorOf("x|", PAST);
    press(editor, `C-r p SPC ${keys}`);
    assert.is(`${searchOf(editor)}: ${shown(editor)}`, `-: ${then}`, keys);
  }
});
test("a search out of a walk", () => {
  const editor = editorOf("m|", PAST);
  assert.equal(hunt(editor, "up up C-r C-g"), ["-: munmap 1|", "-: mmap 2|", ": mmap 2|", "-: mmap 2|"]);
  // A search that found nothing leaves the walk where it was.
  assert.equal(hunt(editor, "C-r C-e up down"), [": mmap 2|", "-: mmap 2|", "-: mmap 1|", "-: mmap 2|"]);
  press(editor, "up");
  assert.equal(hunt(editor, "C-r f end down"), [
    ": mmap 1|",
    "f: race {\n  |f\n}",
    "-: race {\n  f|\n}",
    "-: race {\n  f\n}|",
  ]);
  assert.equal(hunt(editor, "down down"), ["-: munmap 1|", "-: m|"]);
});
test("keys of others and what the owner does during a search", () => {
  const editor = editorOf("x|", PAST);
  press(editor, "C-r m m");
  for (const other of ["tab", "C-c", "C-l", "f1", "pageup", "M-return"]) {
    assert.is(editor.key(keyOf(other)), "ignored");
    assert.is(`${searchOf(editor)}: ${shown(editor)}`, "mm: |mmap 2");
  }
  editor.insert("\n");
  assert.is(`${searchOf(editor)}: ${shown(editor)}`, "-: \n|mmap 2");
  assert.equal(steps(editor, "C-_ C-_"), ["|mmap 2", "x|"]);
  press(editor, "C-r m m");
  editor.set("y");
  assert.is(`${searchOf(editor)}: ${shown(editor)}`, "-: y|");
});
test("what is pasted is searched for, and taken away by graphemes", () => {
  const editor = editorOf("|", [`ab\n${FAMILY}c`, "ab"]);
  press(editor, "C-r");
  editor.key(paste(`\x1bb\r\n${FAMILY}`));
  assert.is(`${searchOf(editor)}: ${shown(editor)}`, `b\n${FAMILY}: a|b\n${FAMILY}c`);
  assert.equal(hunt(editor, "backspace backspace"), [`b\n: a|b\n${FAMILY}c`, "b: a|b"]);
});

test.run();
