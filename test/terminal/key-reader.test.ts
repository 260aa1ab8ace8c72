/** Keys out of bytes, however the bytes are cut up, and nothing out of what is no key. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KeyReader } from "../../interpreter/terminal/key-reader.ts";
import type { Key } from "../../interpreter/terminal/keys.ts";

const RUNS = 500;

/** "C-a", "M-b", "S-up"; what types something is in quotes, a paste in brackets. */
function said({ name, ctrl, meta, shift, text }: Key): string {
  const modifiers = (ctrl ? "C-" : "") + (meta ? "M-" : "") + (shift ? "S-" : "");
  if (name === "paste") return `[${text}]`;
  return text === "" ? modifiers + name : `${modifiers}"${text}"`;
}
/** What comes of pieces that arrive one after the other, with a pause at the end. */
function keysOf(...pieces: readonly (string | Buffer)[]): string {
  const reader = new KeyReader();
  const keys = pieces.flatMap((piece) => reader.read(Buffer.from(piece as string)));
  while (reader.patience !== undefined) keys.push(...reader.giveUp());
  return keys.map(said).join(" ");
}
/** The same whole, in two pieces cut anywhere, and byte by byte; and with something typed right before and behind. */
function check(rows: readonly (readonly [bytes: string, keys: string])[]): void {
  for (const [sent, keys] of rows) {
    const bytes = Buffer.from(sent);
    const what = JSON.stringify(sent);
    assert.is(keysOf(bytes), keys, what);
    assert.is(keysOf(...[...bytes].map((byte) => Buffer.of(byte))), keys, `${what} byte by byte`);
    for (let at = 1; at < bytes.length; at++)
      assert.is(keysOf(bytes.subarray(0, at), bytes.subarray(at)), keys, `${what} cut at ${at}`);
    const between = [`"<"`, keys, `">"`].filter((part) => part !== "").join(" ");
    if (!sent.endsWith("\x1b")) assert.is(keysOf(`<${sent}>`), between, `${what} between others`);
  }
}

test("what is typed", () => {
  check([
    ["a", '"a"'],
    ["A", '"A"'],
    [" ", '" "'],
    ["~", '"~"'],
    ["é漢", '"é" "漢"'],
    ["\u{1f600}", '"\u{1f600}"'],
    ["e\u0301", '"e" "\u0301"'],
    ["hmm run", '"h" "m" "m" " " "r" "u" "n"'],
    ["p\r", '"p" return'],
  ]);
});

test("control characters", () => {
  check([
    ["\r", "return"],
    ["\n", "return"],
    ["\t", "tab"],
    ["\x7f", "backspace"],
    ["\b", "backspace"],
    ["\x01\x03\x1a", "C-a C-c C-z"],
    ["\x00\x1c\x1d\x1e\x1f", "C-  C-\\ C-] C-^ C-_"],
    ["\x1b", "escape"],
  ]);
});

test("keys that are sequences", () => {
  check([
    ["\x1b[A\x1b[B\x1b[C\x1b[D", "up down right left"],
    ["\x1bOA\x1bOB\x1bOC\x1bOD", "up down right left"],
    ["\x1b[H\x1b[F\x1bOH\x1bOF\x1b[1~\x1b[4~\x1b[7~\x1b[8~", "home end home end home end home end"],
    ["\x1b[2~\x1b[3~\x1b[5~\x1b[6~", "insert delete pageup pagedown"],
    ["\x1bOP\x1bOQ\x1bOR\x1bOS\x1b[11~\x1b[14~\x1b[[A\x1b[[E", "f1 f2 f3 f4 f1 f4 f1 f5"],
    ["\x1b[15~\x1b[17~\x1b[20~\x1b[21~\x1b[23~\x1b[24~", "f5 f6 f9 f10 f11 f12"],
    ["\x1b[Z", "S-tab"],
    ["\x1b[1;2A\x1b[1;3B\x1b[1;5C\x1b[1;8D", "S-up M-down C-right C-M-S-left"],
    ["\x1b[3;5~\x1b[1;2P\x1b[1;5H", "C-delete S-f1 C-home"],
    ["\x1b[5^\x1b[5$\x1b[5@\x1bO5A", "C-pageup S-pageup C-S-pageup C-up"],
    ["\x1bOM", "return"],
  ]);
});

test("with Alt, and Esc before another key", () => {
  check([
    ["\x1bb\x1bF\x1b.", "M-b M-S-f M-."],
    ["\x1b\x7f\x1b\r\x1b\t", "M-backspace M-return M-tab"],
    ["\x1bé", "M-é"],
    ["\x1b\x01", "C-M-a"],
    ["\x1b\x1b", "escape escape"],
    ["\x1b\x1b[A", "escape up"],
    ["\x1b\x1bx", "escape M-x"],
  ]);
  // What may begin a sequence is a key if nothing more comes.
  assert.is(keysOf("\x1bO"), "M-S-o");
  assert.is(keysOf("\x1b]"), "M-]");
});

test("terminals that are set up to send codes of characters", () => {
  check([
    ["\x1b[13;2u\x1b[97;5u\x1b[65;2u", 'S-return C-a "A"'],
    ["\x1b[27u\x1b[9;5u\x1b[127;3u", "escape C-tab M-backspace"],
    ["\x1b[27;5;13~\x1b[27;6;65~", "C-return C-S-a"],
    ["\x1b[57399u\x1b[1114112u\x1b[u", ""],
  ]);
});

test("nothing comes of what is no key", () => {
  check([
    ["\x1b[<0;10;20M\x1b[<0;10;20m", ""], // mice
    ["\x1b[M !!", ""],
    ["\x1b[32;10;20M", ""],
    ["\x1b[I\x1b[O", ""], // the window has the focus, or not
    ["\x1b[?62;22c\x1b[24;80R\x1b[?2026;1$y\x1b[8;24;80t", ""], // answers
    ["\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\\x1b]11;rgb:0/0/0\x07", ""],
    ["\x1bP>|term 1.2\x1b\\\x1bP1+r544e\x1b\\\x1b_Gi=1;OK\x1b\\", ""],
    ["\x1b[99~\x1b[~\x1b[1;2;3;4;5X\x1b[>1;2\x24p\x1bOz", ""],
    ["\x1b[201~", ""], // the end of no paste
    ["\x80\x9b", ""], // as UTF-8
    ["\ufffd", ""],
    ["\x1b[\x01", "C-a"], // broken off
    ["\x1b[12\r", "return"],
    ["\x1b[[Z", ""],
    ["\x1b]0;x\r", "return"],
  ]);
  assert.is(keysOf("\x1b["), "");
  assert.is(keysOf("\x1b[1;", Buffer.of()), "");
  assert.is(keysOf("\x1b]11;rgb"), "");
  assert.is(keysOf("\x1b[M!"), "");
});

test("broken UTF-8 types nothing, and nothing around it is lost", () => {
  const broken = [[0xff], [0xc3], [0xe6, 0xbc], [0xf0, 0x9f, 0x98], [0x80, 0x80], [0xed, 0xa0, 0x80]];
  for (const bytes of broken) {
    assert.is(keysOf(Buffer.from([0x61, ...bytes, 0x62])), '"a" "b"', bytes.join(" "));
    assert.is(keysOf(Buffer.from([...bytes, 0x1b, 0x5b, 0x41])), "up", bytes.join(" "));
  }
});

const BEGIN = "\x1b[200~";
const END = "\x1b[201~";

test("a paste is one key, whatever is in it", () => {
  check([
    [`${BEGIN}race {${END}`, "[race {]"],
    [`${BEGIN}a\rb\r\nc\nd${END}`, "[a\nb\nc\nd]"],
    [`x${BEGIN}y${END}z`, '"x" [y] "z"'],
    [`${BEGIN}${END}`, ""],
    [`${BEGIN}a${END}${BEGIN}b${END}`, "[a] [b]"],
    [`${BEGIN}\x1b[A\x1b\x03\x7f\x1b]0;x\x07\t${END}`, "[\x1b[A\x1b\x03\x7f\x1b]0;x\x07\t]"],
    [`${BEGIN}a${BEGIN}b${END}`, `[a${BEGIN}b]`],
    [`${BEGIN}\x1b[20\x1b[201${END}`, "[\x1b[20\x1b[201]"],
    [`${BEGIN}漢\u{1f600}${END}`, "[漢\u{1f600}]"],
  ]);
});

test("a paste whose end never comes does not keep the keys for ever", () => {
  const reader = new KeyReader();
  assert.equal(reader.read(Buffer.from(`${BEGIN}a\x1b[20`)), []);
  assert.ok((reader.patience ?? 0) > 1000);
  assert.equal(reader.giveUp().map(said), ["[a\x1b[20]"]);
  assert.is(reader.patience, undefined);
  assert.equal(reader.read(Buffer.from("b")).map(said), ['"b"']);
});

test("a long paste in many pieces takes no longer than its length", () => {
  const reader = new KeyReader();
  const piece = Buffer.from("cpu0: mmput mm\n".repeat(4000));
  reader.read(Buffer.from(BEGIN));
  for (let i = 0; i < 200; i++) assert.equal(reader.read(piece), []);
  const [key] = reader.read(Buffer.from(END));
  assert.is(key?.text.length, piece.length * 200);
});

test("Esc alone need not wait long, a sequence that has begun may", () => {
  const patience = (bytes: string): number => {
    const reader = new KeyReader();
    reader.read(Buffer.from(bytes));
    return reader.patience ?? 0;
  };
  assert.ok(patience("\x1b") <= 50);
  assert.ok(patience("\x1b[1") >= 200);
  assert.is(patience("a"), 0);
});

test("any bytes at all: no exception, no control character typed, the same however they are cut", () => {
  const special = fc.constantFrom("\x1b", "[", "]", "O", "M", "P", ";", "1", "~", "<", BEGIN, END, "\x1b[A", "\x07");
  const bytes = fc
    .array(fc.oneof(fc.uint8Array({ maxLength: 4 }), special, special), { maxLength: 12 })
    .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part as string))));
  const inPieces = bytes.chain((whole) =>
    fc.tuple(fc.constant(whole), fc.array(fc.nat({ max: whole.length }), { maxLength: 4 })),
  );
  const property = fc.property(inPieces, ([whole, cuts]) => {
    const ends = [...cuts.sort((a, b) => a - b), whole.length];
    const pieces = ends.map((end, i) => whole.subarray(ends[i - 1] ?? 0, end));
    assert.is(keysOf(...pieces), keysOf(whole));
    const reader = new KeyReader();
    for (const { name, text } of [...reader.read(whole), ...reader.giveUp()])
      if (name !== "paste") assert.not.match(text, /[\x00-\x1f\x7f-\x9f\ufffd]/);
  });
  fc.assert(property, { numRuns: RUNS });
});

test.run();
