/** The harness that the tests of the terminal stand on, with programs whose behaviour is known. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Pty, SHELL, withPty, type Ending, type PtyOptions } from "../support/pty.ts";

const SIZE = { columns: 60, rows: 10 };
const ended = (code: number): Ending => ({ code, signal: null });
const killed = (signal: string): Ending => ({ code: null, signal });

async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("expected to fail");
}
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
// ---- a program of the kind that the harness is for

const APP = `
const { stdin, stdout } = process;
const size = (why) => stdout.write("\\x1b[2;1H\\x1b[K" + why + " " + stdout.columns + "x" + stdout.rows);
const leave = (code) => {
  stdout.write("\\x1b[?25h\\x1b[?2004l\\x1b[?1l\\x1b[?1049l");
  stdin.setRawMode(false);
  process.exit(code);
};
stdout.write("started\\n\\x1b[?1049h\\x1b[?25l\\x1b[?2004h\\x1b[?1h\\x1b[H");
stdin.setRawMode(true);
size("began");
stdin.on("data", (bytes) => {
  if (String(bytes) === "q") leave(0);
  stdout.write("\\x1b[3;1H\\x1b[K" + JSON.stringify(String(bytes)));
});
stdout.on("resize", () => size("resized"));
process.on("SIGTERM", () => leave(7));
stdout.write("\\x1b[1;1Hready");
`;
const MODES = ["alternate screen", "hidden cursor", "bracketed paste", "application cursor keys"];

const node = (source: string): string[] => [process.execPath, "-e", source];

/** What is on the screen in the end. */
const screenOf = (command: readonly string[], options: PtyOptions = SIZE): Promise<string> =>
  withPty(command, options, async (pty) => {
    await pty.exit();
    return pty.screen();
  });

async function withApp(use: (pty: Pty) => Promise<void>): Promise<void> {
  await withPty(node(APP), SIZE, async (pty) => {
    await pty.until("ready");
    await use(pty);
  });
}

// ---- starting

test("the size is right from the first moment, and may be unknown", async () => {
  await withPty(["stty", "size"], SIZE, async (pty) => {
    assert.equal(await pty.exit(), ended(0));
    assert.is(pty.raw, "10 60\r\n");
  });
  assert.is(await screenOf(["stty", "size"], { columns: 0, rows: 0 }), "0 0");
});

test("arguments come through as they are, in the folder that was said", async () => {
  const args = ["a b", "", "$HOME `id`", "it's", '"', "\\n", "→\n!"];
  assert.is(await screenOf(["printf", "[%s]", ...args]), args.map((arg) => `[${arg}]`).join(""));
  assert.is(await screenOf(["pwd"], { ...SIZE, cwd: "/" }), "/");
});

test("the environment is the same wherever the test runs", async () => {
  const names = ["CI", "NO_COLOR", "FORCE_COLOR", "LC_ALL"] as const;
  const before = { ...process.env };
  for (const name of names) process.env[name] = "1";
  try {
    await withPty(["env"], { columns: 200, rows: 40, env: { EXTRA: "here", USER: undefined } }, async (pty) => {
      await pty.exit();
      const lines = pty.screen().split("\n");
      const set = new Map(lines.map((line) => line.split("=") as [string, string]));
      for (const name of [...names, "USER", "NODE_CHANNEL_FD", "PTY_KEEPER"]) assert.not.ok(set.has(name), name);
      for (const [name, value] of Object.entries({ TERM: "xterm-256color", LANG: "C.UTF-8", EXTRA: "here" })) {
        assert.is(set.get(name), value);
      }
      assert.is(set.get("HOME"), pty.home);
      assert.ok(set.get("XDG_STATE_HOME")?.startsWith(`${pty.home}/`));
    });
  } finally {
    for (const name of names) delete process.env[name];
    Object.assign(process.env, before);
  }
});

test("the program has an empty home, and it goes with it; one of the test's stays", async () => {
  const home = await withPty(["sh", "-c", "ls -A ~ | wc -l; touch ~/x"], SIZE, async (pty) => {
    await pty.exit();
    assert.is(pty.screen(), "0");
    return pty.home;
  });
  assert.not.ok(existsSync(home));
  const own = mkdtempSync(join(tmpdir(), "home-"));
  try {
    await screenOf(["sh", "-c", "touch ~/x"], { ...SIZE, env: { HOME: own } });
    assert.equal(readdirSync(own), ["x"]);
  } finally {
    rmSync(own, { recursive: true });
  }
});

test("what cannot start says so", async () => {
  assert.match(await messageOf(Pty.start(["no-such-program"], SIZE)), "spawn no-such-program ENOENT");
});

// ---- seeing

test("the terminal echoes, edits lines, and erases a character of two bytes as one", async () => {
  await withPty(["cat"], SIZE, async (pty) => {
    pty.type("aé");
    await pty.until("aé");
    assert.equal(pty.cursor(), { row: 0, column: 2 });
    pty.press("backspace", "b", "enter");
    assert.is(await pty.until(/^ab\nab$/), "ab\nab");
    pty.press("ctrl-d");
    assert.equal(await pty.exit(), ended(0));
  });
});

test("characters may come in pieces", async () => {
  const pieces = String.raw`for b in xe2 x86 x92 n; do printf "\\$b"; sleep 0.05; done`;
  await withPty(["bash", "-c", pieces], SIZE, async (pty) => {
    await pty.exit();
    assert.is(pty.screen(), "→");
    assert.is(pty.raw, "→\r\n");
  });
});

test("the scrollback has what left the screen, until the program wipes it", async () => {
  const numbers = (from: number): string => Array.from({ length: 51 - from }, (_, i) => `${from + i}`).join("\n");
  await withPty(["bash", "-c", String.raw`seq 50; read; printf "\e[3J"`], SIZE, async (pty) => {
    await pty.until(/^50$/m);
    assert.is(pty.screen(), numbers(42));
    assert.is(pty.scrollback(), numbers(1));
    assert.not.match(pty.raw, "\x1b[3J");
    pty.press("enter");
    await pty.exit();
    assert.match(pty.raw, "\x1b[3J");
    assert.is(pty.scrollback(), numbers(43));
  });
});

test("the alternate screen comes and goes", async () => {
  await withApp(async (pty) => {
    assert.ok(pty.isAlternate());
    assert.is(pty.screen(), "ready\nbegan 60x10");
    assert.is(pty.scrollback(), "started");
    assert.equal(pty.modes(), MODES);
    pty.press("q");
    assert.equal(await pty.exit(), ended(0));
    assert.not.ok(pty.isAlternate());
    assert.is(pty.screen(), "started");
    assert.equal(pty.modes(), []);
  });
});

test("the terminal answers what it is asked", async () => {
  const ask = String.raw`stty -icanon -echo
    printf "ab\e[6n"; read -rdR at; printf "\e[c"; read -rdc is; printf "\e[18t"; read -rdt size
    printf "\n%q\n%q\n%q\n" "$at" "$is" "$size"`;
  assert.is(await screenOf(["bash", "-c", ask]), "ab\n$'\\E[1;3'\n$'\\E[?1;2'\n$'\\E[8;10;60'");
});

// ---- doing

test("keys are the bytes that xterm sends", async () => {
  const keys = {
    "a → space": "61 e28692 20",
    "enter tab shift-tab backspace": "0d 09 1b5b5a 7f",
    "up down right left home end": "1b5b41 1b5b42 1b5b43 1b5b44 1b5b48 1b5b46",
    "insert delete pageup pagedown": "1b5b327e 1b5b337e 1b5b357e 1b5b367e",
    "f1 f4 f5 f12": "1b4f50 1b4f53 1b5b31357e 1b5b32347e",
    "ctrl-a ctrl-z ctrl-[ ctrl-\\ ctrl-space": "01 1a 1b 1c 00",
    "alt-b alt-enter alt-backspace ctrl-alt-x": "1b62 1b0d 1b7f 1b18",
    "ctrl-left alt-right shift-up ctrl-delete shift-f5":
      "1b5b313b3544 1b5b313b3343 1b5b313b3241 1b5b333b357e 1b5b31353b327e",
    escape: "1b",
  };
  const show = 'process.stdin.setRawMode(true).on("data", (b) => process.stdout.write(b.toString("hex")));';
  await withPty(node(`${show} process.stdout.write(">")`), { ...SIZE, columns: 200 }, async (pty) => {
    await pty.until(">");
    let shown = ">";
    for (const [names, bytes] of Object.entries(keys)) {
      pty.press(...names.split(" "));
      shown += bytes.replaceAll(" ", "");
      await pty.until((screen) => screen.replaceAll("\n", "") === shown, names);
    }
    for (const name of ["ctrl-shift-a", "f13", "Enter", "ctrl-é", ""]) assert.throws(() => pty.press(name), "no key");
    assert.throws(() => pty.press("escape", "q"), "escape comes last");
    assert.is((await pty.settled()).replaceAll("\n", ""), shown);
  });
});

test("keys and pastes go by what the program switched on", async () => {
  await withApp(async (pty) => {
    pty.press("up");
    await pty.until(String.raw`"\u001bOA"`);
    pty.paste("a\nb");
    await pty.until(String.raw`"\u001b[200~a\rb\u001b[201~"`);
  });
  await withPty(["cat"], SIZE, async (pty) => {
    pty.paste("one\ntwo\r\n");
    await pty.until("one\ntwo\none\ntwo");
    assert.not.match(pty.raw, "200~");
  });
});

test("much input gets through", async () => {
  const count = `let n = 0;
    process.stdin.setRawMode(true).on("data", (b) => process.stdout.write("\\r" + (n += b.length)));
    process.stdout.write("ready")`;
  await withPty(node(count), SIZE, async (pty) => {
    await pty.until("ready");
    for (let i = 0; i < 10; i++) pty.type("x".repeat(1000));
    await pty.until(/^10000\b/);
  });
});

test("a resize reaches the program and the emulator", async () => {
  await withApp(async (pty) => {
    for (const size of ["80x24", "33x24", "33x5", "120x50"]) {
      const [columns = 0, rows = 0] = size.split("x").map(Number);
      await pty.resize(columns, rows);
      await pty.until(`resized ${size}`);
      const stty = execFileSync("stty", ["-F", `/proc/${pty.pid}/fd/0`, "size"], { encoding: "utf8" });
      assert.is(stty, `${rows} ${columns}\n`);
    }
    await pty.resize(10, 5);
    await pty.until(/resized 10\nx5/);
  });
});

test("signals mean the program", async () => {
  await withApp(async (pty) => {
    pty.signal("SIGTERM");
    assert.equal(await pty.exit(), ended(7));
    assert.is(pty.screen(), "started");
    assert.equal(pty.modes(), []);
    assert.throws(() => pty.signal("SIGTERM"), "has ended");
  });
  await withApp(async (pty) => {
    pty.signal("SIGSTOP");
    pty.press("x");
    assert.not.match(await pty.settled(), '"x"');
    pty.signal("SIGCONT");
    await pty.until('"x"');
    pty.signal("SIGKILL");
    assert.equal(await pty.exit(), killed("SIGKILL"));
    assert.equal(pty.modes(), MODES);
  });
});

test("keys that are signals reach it, and leave the harness alone", async () => {
  for (const [key, signal] of Object.entries({ "ctrl-c": "SIGINT", "ctrl-\\": "SIGQUIT" })) {
    await withPty(["sh", "-c", "ulimit -c 0; exec cat"], SIZE, async (pty) => {
      pty.press(key);
      assert.equal(await pty.exit(), killed(signal));
    });
  }
});

test("a closed window is a SIGHUP", async () => {
  const wait = "trap 'exit 9' HUP; echo ready; while :; do sleep 0.05; done";
  await withPty(["bash", "-c", wait], SIZE, async (pty) => {
    await pty.until("ready");
    pty.hangUp();
    assert.equal(await pty.exit(), ended(9));
  });
});

// ---- the end

test("how the program ended is known, and 130 is not SIGINT", async () => {
  const endings = {
    "exit 0": ended(0),
    "exit 130": ended(130),
    "kill -INT $$": killed("SIGINT"),
    "kill -SEGV $$": killed("SIGSEGV"),
  };
  for (const [script, ending] of Object.entries(endings)) {
    const exit = withPty(["bash", "-c", `ulimit -c 0; ${script}`], SIZE, (pty) => pty.exit());
    assert.equal(await exit, ending, script);
  }
});

test("the last of a long output is there at the end", async () => {
  await withPty(["seq", "20000"], SIZE, async (pty) => {
    await pty.exit();
    assert.match(pty.screen(), /\n20000$/);
    assert.is(pty.raw.split("\r\n").length, 20_001);
  });
});

test("nothing survives, neither in a session of its own nor without its environment", async () => {
  const escape = "setsid sleep 1001 & env -i sleep 1002 & (trap '' HUP TERM INT; exec sleep 1003) & echo started; wait";
  let pids: number[] = [];
  await withPty(["bash", "-c", escape], SIZE, async (pty) => {
    await pty.until("started");
    // script, keeper, bash, three times sleep; each may still be a bash about to become one
    await pty.until(() => pty.processes().length === 6, "six processes");
    pids = pty.processes();
    assert.ok(pids.every(isAlive));
  });
  assert.equal(pids.filter(isAlive), []);
});

test("nothing survives a program that ended, a failing test, and a second dispose()", async () => {
  const escape = "setsid sh -c 'echo started; exec sleep 1001' & read";
  const pty = await Pty.start(["bash", "-c", escape], SIZE);
  await pty.until("started");
  pty.press("enter");
  assert.equal(await pty.exit(), ended(0));
  const [pid = 0] = pty.processes();
  assert.ok(isAlive(pid));
  await pty.dispose();
  await pty.dispose();
  assert.not.ok(isAlive(pid));

  let failed: Pty | undefined;
  const failing = withPty(["cat"], SIZE, async (it) => {
    failed = it;
    await Promise.reject(new Error("as meant"));
  });
  assert.is(await messageOf(failing), "as meant");
  assert.equal(failed?.processes(), []);
});

test("nothing survives a test that forgets, and one that dies", async () => {
  const harness = JSON.stringify(new URL("../support/pty.js", import.meta.url).href);
  const home = mkdtempSync(join(tmpdir(), "home-"));
  const start = `import(${harness}).then(async ({ Pty }) => {
    const pty = await Pty.start(["sleep", "1001"], { columns: 80, rows: 24, env: { HOME: ${JSON.stringify(home)} } });
    process.stdout.write(pty.processes().join(" "));
    DIE
  })`;
  try {
    for (const die of ["", "process.kill(process.pid, 'SIGKILL')"]) {
      const [file = "", ...args] = node(start.replace("DIE", die));
      const run = promisify(execFile)(file, args, { timeout: 20_000 });
      const { stdout } = await run.catch((error: { stdout: string }) => error);
      const pids = stdout.split(" ").map(Number);
      assert.is(pids.length, 3, stdout);
      const end = performance.now() + 20_000;
      while (pids.some(isAlive) && performance.now() < end) await sleep(10);
      assert.equal(pids.filter(isAlive), []);
    }
  } finally {
    rmSync(home, { recursive: true });
  }
});

// ---- waiting

test("a wait that fails shows the screen", async () => {
  await withPty(["cat"], SIZE, async (pty) => {
    pty.type("hello");
    await pty.until("hello");
    pty.deadlineMs = 300;
    assert.is(await messageOf(pty.until("world")), '0.3 s went by waiting for "world"\n| hello\n[no modes]');
    assert.match(await messageOf(pty.until(() => false, "better times")), "waiting for better times");
    assert.match(await messageOf(pty.exit()), "waiting for the program to end");
  });
  await withPty(["echo", "bye"], SIZE, async (pty) => {
    assert.is(await messageOf(pty.until("world")), 'the program ended (0) waiting for "world"\n| bye\n[no modes]');
  });
});

test("until() takes patterns that remember, and gives the screen", async () => {
  await withPty(["echo", "one two"], SIZE, async (pty) => {
    const pattern = /two/g;
    assert.is(await pty.until(pattern), "one two");
    assert.is(await pty.until(pattern), "one two");
  });
});

test("until() does not look at half an update", async () => {
  const halves = String.raw`printf "\e[?2026hhalf"; sleep 0.3; printf "\rdone\e[?2026l"; read`;
  await withPty(["bash", "-c", halves], SIZE, async (pty) => {
    assert.is(await pty.until(/half|done/), "done");
  });
});

test("settled() outlasts a long output", async () => {
  await withPty(["bash", "-c", "for ((i = 1; i <= 30000; i++)); do echo $i; done; read"], SIZE, async (pty) => {
    await pty.until(/\d/);
    assert.match(await pty.settled(), /^30000$/m);
  });
});

// ---- around the program

test("a shell stops a program and goes on with it", async () => {
  await withPty(SHELL, SIZE, async (pty) => {
    await pty.until(/^\$$/);
    pty.type("sed -u s/^/got:/\none\n");
    await pty.until(/^got:one\n?$/m);
    pty.press("ctrl-z");
    await pty.until(/Stopped +sed[^]*\n\$$/);
    pty.type("fg\ntwo\n");
    await pty.until(/^got:two\n?$/m);
    pty.press("ctrl-c");
    await pty.until(/\^C\n\$$/);
    pty.type("exit 4\n");
    assert.equal(await pty.exit(), ended(4));
  });
});

test("less works as it does anywhere", async () => {
  const folders = process.env["PATH"]?.split(":") ?? [];
  if (!folders.some((folder) => existsSync(join(folder, "less")))) return; // the rest stands without it
  await withPty(["sh", "-c", "seq 100 | less"], { ...SIZE, env: { LESS: "", LESSHISTFILE: "-" } }, async (pty) => {
    await pty.until(/^1\n[^]*\n9\n:$/);
    assert.ok(pty.isAlternate());
    pty.press("pagedown");
    await pty.until(/^10\n[^]*\n18\n:$/);
    pty.press("up");
    await pty.until(/^9\n[^]*\n17\n:$/);
    await pty.resize(60, 5);
    await pty.until(/^9\n10\n11\n12\n:$/);
    pty.press("q");
    assert.equal(await pty.exit(), ended(0));
    assert.equal(pty.modes(), []);
    assert.is(pty.screen(), "");
  });
});

test.run();
