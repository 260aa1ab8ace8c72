/** The view as somebody at a terminal has it: from a key to its frame, from the start to the first one, and memory. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Pty, withPty } from "../support/pty.ts";

const HMM = "dist/bin/hmm.cjs";
const ROUNDS = 15;
const STATEMENTS = 120; // of each kind: more than 5,000 steps

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Milliseconds from a key to the last byte of the frame that it makes. */
async function keyToFrame(pty: Pty, keys: string): Promise<number> {
  await pty.settled();
  const before = pty.raw.length;
  const started = performance.now();
  pty.type(keys);
  await frameAfter(pty, before);
  return performance.now() - started;
}

/** A key, and the frame that it makes. */
async function keyIn(pty: Pty, key: string): Promise<void> {
  const before = pty.raw.length;
  pty.type(key);
  await frameAfter(pty, before);
}
/** A frame ends a synchronized update. */
async function frameAfter(pty: Pty, length: number): Promise<void> {
  const started = performance.now();
  while (!pty.raw.slice(length).includes("\x1b[?2026l")) {
    if (performance.now() - started > DEADLINE_MS) throw new Error(`a key made no frame:\n${pty.screen()}`);
    await nextTurn();
  }
}

function longScript(): string {
  const path = join(mkdtempSync(join(tmpdir(), "hmm-bench-")), "long.hmm");
  const pair = "cpu0: mmap 0x1000..0x8000\ncpu0: munmap 0x1000..0x8000\n";
  writeFileSync(path, `kernel v5.2\n${pair.repeat(STATEMENTS)}`);
  return path;
}

export async function keys(): Promise<void> {
  await withPty([process.execPath, HMM, longScript()], { columns: 160, rows: 50 }, async (pty) => {
    await pty.until(/^hmm/m);
    pty.type("\t");
    await pty.until("[script");
    pty.type("c");
    const screen = await pty.until(/step (\d{4,})\/\1/);
    const steps = /step (\d+)/.exec(screen)?.[1] ?? "?";
    print(
      `keys          ${steps} steps loaded, 160x50; milliseconds from a key to its frame, median and most of ${ROUNDS}`,
    );
    const rows: readonly (readonly [string, readonly string[]])[] = [
      ["a step back", ["["]],
      ["a step forward", ["]"]],
      ["scrolling", ["\x1b[A", "\x1b[B"]],
      ["a statement back", ["N"]],
    ];
    for (const [what, sent] of rows) await row(pty, what, sent);
    pty.type("\x1b");
    await pty.until((now) => !now.includes("[script"));
    await row(pty, "a letter", ["x", "\x7f"]);
    await line(pty, ":goto start", /step 0\//);
    await line(pty, ":goto end", /step (\d{4,})\/\1/);
    await line(pty, ":print mm.mm_users", /mm.mm_users = 1/);
    await line(pty, "cpu0: mmget_not_zero mm", /mmget_not_zero\(\) = true|= true/);
  });
}
async function row(pty: Pty, what: string, sent: readonly string[]): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) times.push(await keyToFrame(pty, sent[i % sent.length] ?? ""));
  print(
    `  ${what.padEnd(34)} ${median(times).toFixed(0).padStart(4)} ${Math.max(...times)
      .toFixed(0)
      .padStart(5)}`,
  );
}
/** Enter: until the line is gone from the prompt, and until what it says is done and shown. */
async function line(pty: Pty, text: string, shown: RegExp): Promise<void> {
  pty.type(`\x15${text}`);
  await pty.until(text);
  await pty.settled();
  const before = pty.raw.length;
  const started = performance.now();
  pty.type("\r");
  await frameAfter(pty, before);
  const first = performance.now() - started;
  let at = performance.now();
  for (let { length } = pty.raw; performance.now() - at < QUIET_MS;) {
    await nextTurn();
    if (pty.raw.length === length) continue;
    ({ length } = pty.raw);
    at = performance.now();
  }
  await pty.until(shown);
  const done = (at - started).toFixed(0);
  print(`  ${`Enter: ${text}`.padEnd(34)} ${first.toFixed(0).padStart(4)}       (done: ${done})`);
}

/** Until the prompt of `hmm` is on the screen. */
export function firstFrame(): Promise<number> {
  const started = performance.now();
  return withPty([process.execPath, HMM], { columns: 80, rows: 24 }, async (pty) => {
    while (!pty.raw.includes("Ctrl-D")) await nextTurn();
    return performance.now() - started;
  });
}
/** The same of a program that does nothing but print. */
export function firstByte(): Promise<number> {
  const started = performance.now();
  return withPty([process.execPath, "-e", "process.stdout.write('Ctrl-D')"], { columns: 80, rows: 24 }, async (pty) => {
    while (!pty.raw.includes("Ctrl-D")) await nextTurn();
    return performance.now() - started;
  });
}

const DEADLINE_MS = 5000;
const QUIET_MS = 300;
const WALKED = 250; // keys of each kind in a row

/** Resident megabytes after so many rounds of 10,000 steps forward and back, and of a walk key by key. */
export async function memory(): Promise<void> {
  await withPty([process.execPath, "--expose-gc", HMM, longScript()], { columns: 100, rows: 30 }, async (pty) => {
    pty.deadlineMs = 120_000;
    await pty.until(/^hmm/m);
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pty.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
    const sizes: number[] = [];
    for (let round = 0; round < 6; round++) {
      for (const text of [":continue", ":goto start", ":goto end", ":reverse"]) {
        pty.type(`${text}\r`);
        await pty.until(/^(:continue|:goto end)$/.test(text) ? /step (\d{4,})\/\1/ : /step 0\/\d{4}/);
      }
      // And a part of it step by step, each with a frame of its own.
      pty.type("\t");
      await pty.until("[script");
      for (const [key, step] of [
        ["]", WALKED],
        ["[", 0],
      ] as const) {
        for (let i = 0; i < WALKED; i++) await keyIn(pty, key);
        await pty.until(`step ${step}/`);
      }
      pty.type("\x1b");
      await pty.until((screen) => !screen.includes("[script"));
      sizes.push(resident());
    }
    const told = sizes.map((size) => size.toFixed(0)).join(", ");
    print(`memory        MB resident after each of ${sizes.length} rounds of 10,000 steps there and back: ${told}`);
  });
}
