/**
 * Whole sessions in a real pseudo-terminal, with the screens they show: a race is typed, walked through, taken back,
 * its report hit, saved, and replayed.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hmm } from "../support/cli.ts";
import { SHELL, withPty, type Pty } from "../support/pty.ts";

const HMM = [process.execPath, join(process.cwd(), "dist/bin/hmm.cjs")];
const PROMPT = /^hmm( cpu\d)?>/m;

async function shows(pty: Pty, size: string, name: string): Promise<void> {
  const path = `test/golden/screens/${size}-${name}.txt`;
  const screen = `${await pty.settled()}\n`;
  if (process.env["UPDATE"] === "1") writeFileSync(path, screen);
  else assert.is(screen, readFileSync(path, "utf8"), path);
}

const RACE = ["race {", "  cpu0: mmput mm", "  cpu1: ret = pagefault_mr umem 0x1000..0x3000", "}"];

for (const [columns, rows] of [
  [80, 24],
  [160, 50],
] as const)
  test(`a session of ${columns}x${rows}`, () =>
    withPty(HMM, { columns, rows }, async (pty) => {
      const size = `${columns}x${rows}`;
      const line = async (text: string, until: string | RegExp): Promise<void> => {
        pty.type(text);
        pty.press("enter");
        await pty.until(until);
      };
      await pty.until(PROMPT);
      await shows(pty, size, "1-empty");
      await line(":kernel v5.2 + odp-v4", "kernel v5.2 + odp-v4");
      await line("ib_umem_odp umem", "ib_umem_odp umem");
      await line("cpu0: mmap 0x1000..0x4000", "step 8/8");
      await line("cpu0: ib_umem_odp_get umem 0x1000..0x4000", /step \d\d\/\d\d/);
      for (const text of RACE) await line(text, text);
      await pty.until("moves one CPU");
      await shows(pty, size, "2-race");
      await line("cpu1: continue until find_vma", "next mm->mm_rb.rb_node");
      await line(":step cpu0 8", "next hmm->dead = true");
      await shows(pty, size, "3-between");
      pty.press("tab");
      await pty.until("[script");
      pty.press("[", "[");
      await pty.until(/step (\d+)\/(?!\1)\d+/);
      await shows(pty, size, "4-back");
      pty.press("]", "]", "0");
      await pty.until(/step (\d+)\/\1\b/);
      pty.press("escape");
      await pty.until((screen) => !screen.includes("[script"));
      await line(":break remove_vma", "breakpoint 1");
      await line(":c", "breakpoint 1: remove_vma");
      await line(":step cpu0 3", /step \d+/);
      await line("cpu1: continue", "BUG: KASAN: use-after-free in find_vma");
      await shows(pty, size, "5-report");
      const saved = join(pty.home, "race.hmm");
      await line(`:save ${saved}`, /replayed by/);
      // What was saved leads to the same report, from the command line too.
      assert.match(hmm(["run", saved]).out, /BUG: KASAN: use-after-free in find_vma/);
      await line(":reset", "step 0/0");
      await line(`:load ${saved}`, "BUG: KASAN: use-after-free in find_vma");
      await line(":undo", "step 0/0");
      await line(":undo", "BUG: KASAN: use-after-free in find_vma");
      pty.press("ctrl-d");
      assert.equal(await pty.exit(), { code: 0, signal: null });
      leavesNothing(pty);
      const history = join(pty.home, ".local/state/hmm/history");
      const path = existsSync(history) ? history : join(pty.home, "hmm/history");
      assert.is(statSync(path).mode & 0o777, 0o600);
      assert.match(readFileSync(path, "utf8"), /^cpu1: continue until find_vma$/m);
    }));

/** The terminal is as it was found, and nobody has cleared what was there before. */
function leavesNothing(pty: Pty): void {
  assert.equal(pty.modes(), []);
  assert.is(pty.isAlternate(), false);
  assert.not.match(pty.raw, /\x1b\[[23]J/);
}

const SIZE = { columns: 90, rows: 30 };
const opened = async (pty: Pty): Promise<void> => void (await pty.until(PROMPT));

test("every size is filled and no more than filled, and small ones say what they need", () =>
  withPty([...HMM, "scripts/004-odp-dying-mm.hmm"], SIZE, async (pty) => {
    await opened(pty);
    pty.press("tab", "c");
    await pty.until("the end of the script");
    for (const [columns, rows] of [
      [80, 24],
      [40, 10],
      [39, 9],
      [200, 60],
      [132, 20],
      [60, 50],
      [90, 30],
    ] as const) {
      await pty.resize(columns, rows);
      const wanted = columns < 40 ? "hmm needs 40x10" : /step \d+\/\d+ *$/m;
      await pty.until((screen) => {
        const lines = screen.split("\n");
        const isWhole = columns < 40 || (lines.length >= rows - 1 && lines[0]?.length === columns - 1);
        return isWhole && (typeof wanted === "string" ? screen.includes(wanted) : wanted.test(screen));
      }, `a frame of ${columns}x${rows}`);
    }
    pty.press("ctrl-d");
    await pty.exit();
    leavesNothing(pty);
  }));

/** A search of some seconds. */
const THREE_CPUS = readFileSync("scripts/004-odp-dying-mm.hmm", "utf8")
  .replace("cpu1:", "cpu1..cpu2:")
  .replace(/^expect.*$/gm, "");

test("Ctrl-C drops a line, closes an answer, stops a search; it never ends the session", () =>
  withPty([...HMM, "-e", THREE_CPUS], SIZE, async (pty) => {
    await opened(pty);
    pty.type("cpu0: mmap {");
    await pty.until("cpu0: mmap {");
    pty.press("enter");
    await pty.until(/^ *\.\.\. *$/m);
    pty.press("ctrl-c");
    await pty.until((screen) => !screen.includes("cpu0: mmap {"));
    pty.press("ctrl-c");
    await pty.until("Ctrl-D, or :quit, leaves");
    pty.type(":help\r");
    await pty.until("Moving through time");
    pty.press("ctrl-c");
    await pty.until((screen) => !screen.includes("Moving through time"));
    pty.type(":check\r");
    await pty.until(/states in \d+ s, depth/);
    pty.press("ctrl-c");
    await pty.until(/^─ (answer|no)/m);
    pty.press("ctrl-c", "ctrl-d");
    assert.equal(await pty.exit(), { code: 0, signal: null });
    leavesNothing(pty);
  }));

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  test(`${signal} leaves the terminal as it was, and the history saved`, () =>
    withPty(HMM, SIZE, async (pty) => {
      await opened(pty);
      pty.type("cpu0: mmap 0x1000..0x2000\r");
      await pty.until("step 8/8");
      pty.type("cpu1: half a li");
      await pty.until("half a li");
      pty.signal(signal);
      const ending = await pty.exit();
      assert.ok(ending.code === code || ending.signal === signal, JSON.stringify(ending));
      leavesNothing(pty);
      assert.match(readFileSync(join(pty.home, ".local/state/hmm/history"), "utf8"), /^cpu0: mmap 0x1000..0x2000$/m);
    }));

test("a window that is closed ends the session", () =>
  withPty(HMM, SIZE, async (pty) => {
    await opened(pty);
    pty.type("cpu0: mmap 0x1000..0x2000\r");
    await pty.until("step 8/8");
    pty.hangUp();
    await pty.exit();
    assert.match(readFileSync(join(pty.home, ".local/state/hmm/history"), "utf8"), /^cpu0: mmap/m);
  }));

test("Ctrl-Z gives the shell its terminal, fg brings the session back, and the scrollback is whole", () =>
  withPty(SHELL, SIZE, async (pty) => {
    await pty.until(/\$$/);
    pty.type("echo before the session\n");
    await pty.until(/^before the session$/m);
    pty.type(`${HMM.join(" ")}\n`);
    await opened(pty);
    pty.type("cpu0: mmap 0x1000..0x2000\r");
    await pty.until("step 8/8");
    pty.press("ctrl-z");
    await pty.until(/Stopped/);
    assert.match(pty.screen(), /^before the session$/m);
    pty.type("echo $((6 * 7))\n");
    await pty.until(/^42$/m);
    pty.type("fg\n");
    await pty.until("step 8/8");
    pty.type(":back\r");
    await pty.until("step 7/8");
    pty.press("ctrl-d");
    await pty.until((screen) => !screen.includes("step 7/8"));
    pty.type("echo after $?\n");
    await pty.until(/^after 0$/m);
    assert.match(pty.scrollback(), /before the session[^]*42[^]*after 0/);
    assert.equal(pty.modes(), ["bracketed paste"]); // the shell's own
    assert.not.match(pty.raw, /\x1b\[[23]J/);
  }));

test("garbage and pasted text do no harm", () =>
  withPty(HMM, SIZE, async (pty) => {
    await opened(pty);
    pty.type("\x1b[99;99~\x1b[M !!\x1b]0;title\x07\x00\x01\x02\x1bOZ\xff\xfe\x1b[<0;1;1M");
    pty.type("\x1b[");
    await pty.settled();
    pty.press("ctrl-c");
    pty.paste("cpu0: mmap 0x1000..0x2000\ncpu1: mmget_not_zero mm\n\x1b[31m:back\n");
    await pty.settled();
    assert.match(pty.screen(), /cpu1: mmget_not_zero mm/);
    pty.press("ctrl-c");
    pty.paste("hmm> cpu0: mmap 0x1000..0x2000\nhmm> cpu1: mmget_not_zero mm\n");
    await pty.until("cpu1: mmget_not_zero mm");
    pty.press("enter");
    await pty.until("step 9/9");
    pty.press("ctrl-d");
    assert.equal(await pty.exit(), { code: 0, signal: null });
    leavesNothing(pty);
  }));

test("without a terminal to draw on it is lines, without a code", () =>
  withPty(HMM, { ...SIZE, env: { TERM: "dumb" } }, async (pty) => {
    await pty.until(/hmm>$/);
    pty.type("cpu0: mmap 0x1000..0x2000\n");
    await pty.until(/= 0x1000\nhmm>$/);
    pty.type("race {\n");
    await pty.until(/\.\.\.$/);
    pty.press("ctrl-c");
    await pty.until(/hmm>$/);
    pty.type(":back\n");
    await pty.until("step 7 of 8");
    pty.press("ctrl-d");
    assert.equal(await pty.exit(), { code: 0, signal: null });
    assert.not.match(pty.raw, /\x1b/);
  }));

test("NO_COLOR and --color are heard", async () => {
  const coloured = async (args: readonly string[], env: Record<string, string>): Promise<boolean> =>
    withPty([...HMM, ...args], { ...SIZE, env }, async (pty) => {
      await opened(pty);
      await pty.settled();
      pty.press("ctrl-d");
      await pty.exit();
      return /\x1b\[3\dm/.test(pty.raw);
    });
  assert.is(await coloured([], {}), true);
  assert.is(await coloured([], { CI: "true" }), true);
  assert.is(await coloured([], { NO_COLOR: "1" }), false);
  assert.is(await coloured(["--color", "never"], {}), false);
  assert.is(await coloured(["--color", "always"], { NO_COLOR: "1" }), false);
});

test.run();
