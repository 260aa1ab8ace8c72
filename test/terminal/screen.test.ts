/** What the screen makes of a terminal; and that it is given back as it was found. */
import fc from "fast-check";
import { Box, Text } from "ink";
import { createElement, useEffect, useState, type ReactElement } from "react";
import type { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { prepareColour, type ColourChoice } from "../../interpreter/terminal/colour.ts";
import { frameText } from "../../interpreter/terminal/framer.tsx";
import type { Key } from "../../interpreter/terminal/keys.ts";
import { NarrowSegmenter } from "../../interpreter/terminal/narrow.ts";
import type { Size } from "../../interpreter/terminal/painter.ts";
import { pretendTerminal } from "../../interpreter/terminal/pretend.ts";
import { Screen } from "../../interpreter/terminal/screen.ts";
import { emulator, put, shown } from "./support/emulator.ts";

type Heard = ["key", Key] | ["resize", Size] | ["ended", string] | ["resumed"];

/** A screen on a terminal where a shell has said something. */
async function session(at: Size, real: Size = at) {
  const terminal = emulator({ columns: at.columns, rows: at.rows });
  await put(terminal, "$ before\r\n$ hmm\r\n");
  const heard: Heard[] = [];
  let written = "";
  const pretended = pretendTerminal(real, (text) => {
    written += text;
    terminal.write(text);
  });
  const screen = new Screen(pretended.stdin, pretended.stdout, {
    key: (key) => heard.push(["key", key]),
    resize: (to) => heard.push(["resize", to]),
    ended: (why) => heard.push(["ended", why]),
    resumed: () => heard.push(["resumed"]),
  });
  screen.open();
  const names = (): string[] => heard.flatMap(([what, key]) => (what === "key" ? [key.name] : []));
  const close = (): void => {
    screen.close();
    terminal.dispose();
  };
  return { terminal, screen, heard, names, close, written: () => written, ...pretended };
}
const lines = (...texts: string[]): ReactElement =>
  createElement(Box, { flexDirection: "column" }, ...texts.map((text, key) => createElement(Text, { key }, text)));
const SIZE: Size = { columns: 30, rows: 6 };

test("a frame takes the whole of the alternate screen, and the shell's comes back", async () => {
  const { terminal, screen, mode, written, close } = await session(SIZE);
  const before = ["$ before", "$ hmm"];
  for (let i = 0; i < 20; i++) screen.draw(lines("1", "2", "3", "4", "5", `6: ${i}`), { row: 5, column: 2 });
  await put(terminal, "");
  assert.equal(shown(terminal), ["1", "2", "3", "4", "5", "6: 19"]);
  assert.equal([terminal.buffer.active.cursorY, terminal.buffer.active.cursorX], [5, 2]);
  assert.is(terminal.buffer.active.type, "alternate");
  assert.is(terminal.modes.bracketedPasteMode, true);
  assert.is(mode(), "raw");
  screen.close();
  screen.close();
  await put(terminal, "");
  assert.is(terminal.buffer.active.type, "normal");
  assert.is(terminal.modes.bracketedPasteMode, false);
  assert.is(terminal.modes.wraparoundMode, true);
  assert.is(mode(), "cooked");
  assert.equal(shown(terminal).slice(0, 2), before);
  assert.equal([terminal.buffer.active.cursorY, terminal.buffer.active.cursorX], [2, 0]);
  assert.is(terminal.buffer.active.baseY, 0);
  assert.is(written().match(/\x1b\[\?1049l/g)?.length, 1);
  assert.not.match(written(), /\x1b\[[23]?J/);
  assert.match(written(), /\x1b\[\?25h\x1b\[\?1049l$/);
  screen.draw(lines("too late"));
  assert.not.match(written(), /too late/);
  close();
});

test("a terminal that does not know its size has the usual one", async () => {
  const { screen, resize, heard, close } = await session(SIZE, { columns: 0, rows: 0 });
  assert.equal(screen.size, { columns: 80, rows: 24 });
  resize({ columns: 100, rows: 30 });
  assert.equal(heard, [["resize", { columns: 100, rows: 30 }]]);
  close();
});

test("what others have written over is painted anew, if asked for", async () => {
  const { terminal, screen, close } = await session(SIZE);
  screen.draw(lines("ours", "too"));
  await put(terminal, "\x1b[Htheirs\r\ntheirs");
  screen.draw(lines("ours", "too"));
  await put(terminal, "");
  assert.is(shown(terminal)[0], "theirs");
  screen.repaint();
  await put(terminal, "");
  assert.equal(shown(terminal).slice(0, 3), ["ours", "too", ""]);
  close();
});

test("what is too wide stays in its row", async () => {
  const { terminal, screen, close } = await session({ columns: 6, rows: 2 });
  const wide = createElement(Box, { key: "wide", width: 10, flexShrink: 0 }, createElement(Text, null, "0123456789"));
  screen.draw(createElement(Box, { flexDirection: "column" }, lines("top"), wide));
  await put(terminal, "");
  assert.match(shown(terminal).join("\n"), /^top\n01234.$/);
  close();
});

test("after a resize the frame is laid out and painted anew", async () => {
  const { terminal, screen, resize, close } = await session(SIZE);
  const frame = (): ReactElement =>
    createElement(Box, { flexDirection: "column", ...wide }, ...["top", "end"].map(row));
  const wide = { width: "100%", height: "100%", justifyContent: "space-between" } as const;
  const row = (text: string): ReactElement =>
    createElement(Box, { key: text, justifyContent: "space-between" }, word("<"), word(text), word(">"));
  const word = (text: string): ReactElement => createElement(Text, { key: text }, text);
  for (const to of [SIZE, { columns: 11, rows: 3 }, { columns: 17, rows: 9 }, SIZE]) {
    terminal.resize(to.columns, to.rows);
    resize(to);
    screen.draw(frame());
    await put(terminal, "");
    const rows = shown(terminal);
    assert.is(rows.length, to.rows);
    for (const text of [rows[0], rows.at(-1)]) assert.is(text?.length, to.columns);
    assert.is(rows.slice(1, -1).join(""), "");
  }
  close();
});

test("what a component changes on its own is painted too", async () => {
  const { terminal, screen, close } = await session(SIZE);
  function Changing(): ReactElement {
    const [text, setText] = useState("first");
    useEffect(() => setText("second"), []);
    return createElement(Text, null, text);
  }
  screen.draw(createElement(Changing));
  await sleep(20);
  await put(terminal, "");
  assert.is(shown(terminal)[0], "second");
  close();
});

test("what a component throws comes out of draw, and the screen goes on", async () => {
  const { terminal, screen, close } = await session(SIZE);
  const Broken = (): ReactElement => {
    throw new RangeError("broken");
  };
  screen.draw(lines("fine"));
  assert.throws(() => screen.draw(createElement(Broken)), /^broken$/);
  assert.throws(() => frameText(createElement(Broken), SIZE), /^broken$/);
  screen.draw(lines("fine", "again"));
  await put(terminal, "");
  assert.equal(shown(terminal).slice(0, 3), ["fine", "again", ""]);
  close();
});

test("keys come one by one, Esc alone soon", async () => {
  const { type, names, heard, close } = await session(SIZE);
  type("sq\x1b[A");
  type("\x1b[200~a\x1b[A\x1b[201~");
  type("\x1b");
  await sleep(0);
  assert.equal(names(), ["s", "q", "up", "paste"]);
  await sleep(120);
  assert.equal(names(), ["s", "q", "up", "paste", "escape"]);
  assert.equal(heard[3], ["key", { name: "paste", ctrl: false, meta: false, shift: false, text: "a\x1b[A" }]);
  close();
  type("x");
  await sleep(0);
  assert.is(names().length, 5);
});

test("keys behind the one that closes the screen are nobody's", async () => {
  const pretended = pretendTerminal(SIZE);
  const names: string[] = [];
  const ignore = (): void => undefined;
  const key = ({ name }: Key): void => {
    names.push(name);
    if (name === "q") screen.close();
  };
  const screen = new Screen(pretended.stdin, pretended.stdout, { key, resize: ignore, ended: ignore, resumed: ignore });
  screen.open();
  pretended.type("aqb\x1b");
  await sleep(100);
  assert.equal(names, ["a", "q"]);
});

// ---- how it ends

const HEARD_BY_PROCESS = ["SIGTERM", "SIGHUP", "SIGINT", "SIGWINCH", "SIGCONT", "exit", "uncaughtExceptionMonitor"];
const listeners = (): number[] => HEARD_BY_PROCESS.map((event) => process.listenerCount(event));

test("signals are heard while the screen is open, and no longer", async () => {
  const before = listeners();
  const { screen, heard, names, close } = await session(SIZE);
  screen.draw(lines("x"));
  assert.ok(listeners().every((count, i) => count > (before[i] ?? 0)));
  process.emit("SIGINT", "SIGINT");
  assert.equal(names(), ["c"]);
  process.emit("SIGTERM", "SIGTERM");
  process.emit("SIGHUP", "SIGHUP");
  assert.equal(heard.slice(1), [["ended", "SIGTERM"]]);
  close();
  assert.equal(listeners(), before);
});

test("a terminal that goes away ends the session once", async () => {
  for (const away of ["end", "error", "stdout"]) {
    const { stdin, stdout, heard, close } = await session(SIZE);
    if (away === "end") (stdin as unknown as { end(): void }).end();
    else (away === "error" ? stdin : stdout).destroy(new Error("EIO"));
    await sleep(5);
    assert.equal(heard, [["ended", "input"]], away);
    close();
    await sleep(5);
  }
});

test("an exception that nobody catches leaves a terminal to work with", async () => {
  const { terminal, screen, mode, close } = await session(SIZE);
  screen.draw(lines("x"));
  (process as EventEmitter).emit("uncaughtExceptionMonitor", new Error("broken"));
  await put(terminal, "");
  assert.is(terminal.buffer.active.type, "normal");
  assert.is(mode(), "cooked");
  close();
});

test("Ctrl-Z gives the terminal to the shell, and takes it back with all that was on it", async () => {
  const { terminal, screen, mode, heard, close } = await session(SIZE);
  const sent: [number, string | number | undefined][] = [];
  const { kill } = process;
  process.kill = (pid, signal) => {
    sent.push([pid, signal]);
    return true;
  };
  try {
    screen.draw(lines("here"));
    screen.suspend();
    await put(terminal, "");
    assert.equal(sent, [[0, "SIGTSTP"]]); // the whole job, as the terminal does it
    assert.is(terminal.buffer.active.type, "normal");
    assert.is(mode(), "cooked");
    screen.draw(lines("there"));
    screen.bell();
    await put(terminal, "$ fg\r\n");
    assert.equal(shown(terminal).slice(0, 3), ["$ before", "$ hmm", "$ fg"]);
    process.emit("SIGCONT", "SIGCONT");
    await put(terminal, "");
    assert.equal(shown(terminal).slice(0, 2), ["there", ""]);
    assert.is(mode(), "raw");
    // Stopped by others, who have scribbled on our screen.
    await put(terminal, "\x1b[Hscribble\r\nscribble");
    process.emit("SIGCONT", "SIGCONT");
    await put(terminal, "");
    assert.equal(shown(terminal).slice(0, 2), ["there", ""]);
    // Without a shell nobody stops us, and no SIGCONT comes.
    screen.suspend();
    await sleep(150);
    assert.is(mode(), "raw");
    assert.equal(heard, [["resumed"], ["resumed"], ["resumed"]]);
  } finally {
    process.kill = kill;
    close();
  }
});

// ---- what ink is told

test("what counts as narrow is one column wide to ink, and splits as it would for everybody", () => {
  const narrow = "·…→↔─│┌┼╬█▶◀●✓✗";
  for (const char of narrow)
    assert.is(
      frameText(
        createElement(Box, null, ...[char, "|"].map((text, key) => createElement(Text, { key }, text))),
        SIZE,
      ).trimEnd(),
      `${char}|`,
    );
  const whole = new Intl.Segmenter();
  const ours = new NarrowSegmenter();
  const text = fc.array(
    fc.constantFrom(..."ab ", ...narrow, "\n", "\r", "\t", "\x1b[1m", "\u0301", "\ufe0f", "漢", "\u{1f600}"),
  );
  const property = fc.property(
    text.map((parts) => parts.join("")),
    (whatever) => {
      const segments = [...ours.segment(whatever)];
      assert.equal(
        segments.map(({ segment }) => segment),
        [...whole.segment(whatever)].map(({ segment }) => segment),
      );
      for (const { index, segment } of segments) assert.is(ours.segment(whatever).containing(index)?.segment, segment);
    },
  );
  fc.assert(property);
});

test("NO_COLOR goes before FORCE_COLOR, that before what was asked for, and CI says nothing", () => {
  const forced = (env: NodeJS.ProcessEnv, choice: ColourChoice): string | undefined => {
    const copy = { ...env };
    prepareColour(copy, choice);
    assert.not.ok("CI" in copy);
    return copy["FORCE_COLOR"];
  };
  assert.is(forced({ CI: "true" }, "auto"), undefined);
  assert.is(forced({ CI: "" }, "always"), "1");
  assert.is(forced({}, "never"), "0");
  assert.is(forced({ NO_COLOR: "1", FORCE_COLOR: "3" }, "always"), "0");
  assert.is(forced({ NO_COLOR: "" }, "auto"), undefined);
  assert.is(forced({ FORCE_COLOR: "2" }, "never"), "2");
});

test.run();
