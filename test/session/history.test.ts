import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ENTRIES_MAX, History, SIZE_MAX, type HistoryFiles } from "../../interpreter/session/history.ts";
import { historyFiles } from "../../interpreter/terminal/history-files.ts";

const test = suite<{ folder: string; path: string }>("history");
test.before.each((context) => {
  context.folder = fs.mkdtempSync(join(tmpdir(), "hmm-history-"));
  context.path = join(context.folder, "history");
});
test.after.each(({ folder }) => fs.rmSync(folder, { recursive: true, force: true }));

/** A session that begins. */
function begin(path: string, files = historyFiles): History {
  const history = new History({ HMM_HISTORY: path }, "", files);
  history.load();
  return history;
}
const modeOf = (path: string): string => (fs.statSync(path).mode & 0o777).toString(8);
const textOf = (path: string): string => fs.readFileSync(path, "utf8");
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `entry ${i}`);

// ---- where it is

test("the file lies where the standard says, or where it is told to", ({ folder }) => {
  const pathWith = (env: Record<string, string>, home = join(folder, "home")): string[] => {
    const history = new History(env, home, historyFiles);
    history.load();
    history.add("x");
    assert.is(history.problem, undefined);
    assert.equal(history.entries, ["x"]);
    const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const name of fs.readdirSync(folder)) fs.rmSync(join(folder, name), { recursive: true });
    return files.map((file) => join(file.parentPath, file.name).slice(folder.length + 1));
  };
  assert.equal(pathWith({}), ["home/.local/state/hmm/history"]);
  assert.equal(pathWith({ XDG_STATE_HOME: join(folder, "state") }), ["state/hmm/history"]);
  assert.equal(pathWith({ XDG_STATE_HOME: "" }), ["home/.local/state/hmm/history"]);
  assert.equal(pathWith({ XDG_STATE_HOME: "relative" }), ["home/.local/state/hmm/history"]);
  const mine = { HMM_HISTORY: join(folder, "a/b/mine"), XDG_STATE_HOME: join(folder, "state") };
  assert.equal(pathWith(mine), ["a/b/mine"]);
  assert.equal(pathWith({ ...mine, HMM_HISTORY: "" }), []);
  const told: string[] = [];
  const files: HistoryFiles = { ...historyFiles, read: (path) => void told.push(path) };
  new History({}, "", files).load(); // of nobody
  new History({ HMM_HISTORY: "here" }, "", files).load();
  assert.equal(told, ["here"]);
});

test("folder and file are for nobody else", ({ folder }) => {
  const path = join(folder, "a/b/history");
  const umask = process.umask(0);
  try {
    begin(path).add("x");
  } finally {
    process.umask(umask);
  }
  assert.equal([modeOf(dirname(path)), modeOf(dirname(dirname(path))), modeOf(path)], ["700", "700", "600"]);
  fs.chmodSync(path, 0o644);
  const history = begin(path);
  assert.is(modeOf(path), "600");
  fs.chmodSync(path, 0o640);
  history.add("y");
  assert.is(modeOf(path), "600");
  fs.chmodSync(path, 0o400); // less is fine
  begin(path);
  assert.is(modeOf(path), "400");
});

// ---- what is kept

test("entries come back in their order", ({ path }) => {
  const first = begin(path);
  assert.equal(first.entries, []);
  for (const entry of ["b", "a", "b"]) first.add(entry);
  assert.is(textOf(path), "b\na\nb\n"); // at once, not when the session ends
  const second = begin(path);
  assert.equal(second.entries, ["b", "a", "b"]);
  second.add("c");
  assert.equal(begin(path).entries, ["b", "a", "b", "c"]);
});

test("not kept: blanks, the same again, what begins with a blank", ({ path }) => {
  const history = begin(path);
  for (const entry of ["", " \n", "a", "a", " secret", " secret", "a", "\n b"]) history.add(entry);
  assert.equal(history.entries, ["a", " secret", "a", "\n b"]);
  assert.equal(begin(path).entries, ["a", "\n b"]);
  begin(path).add("\n b");
  assert.is(textOf(path), "a\na\n\\n b\n");
});

test("an array that was handed out stays as it is", ({ path }) => {
  const history = begin(path);
  history.add("a");
  const { entries } = history;
  history.add("b");
  assert.equal(entries, ["a"]);
});

test("what no file can hold is there for the session", ({ path }) => {
  const history = begin(path);
  const odd = ["a\0b", "a\rb", "\ud800", "\ufffd", "x".repeat(SIZE_MAX + 1)];
  for (const entry of odd) history.add(entry);
  assert.equal(history.entries, odd);
  assert.equal([history.problem, begin(path).entries, fs.existsSync(path)], [undefined, [], false]);
});

test("whatever is typed comes back as it was", ({ path }) => {
  const letter = fc.oneof(fc.constantFrom("\\", "n", "\n", "\t", "\u2028", "\ufeff"), fc.string({ unit: "grapheme" }));
  const fit = (entry: string): boolean => entry.trim() !== "" && !entry.startsWith(" ");
  const entry = fc
    .array(letter, { maxLength: 12 })
    .map((all) => all.join(""))
    .filter(fit);
  const holds = (entries: string[]): void => {
    fs.rmSync(path, { force: true });
    const history = begin(path);
    for (const each of entries) history.add(each);
    const kept = entries.filter((each, i) => each !== entries[i - 1]);
    assert.equal([history.entries, begin(path).entries], [kept, kept]);
    assert.is(textOf(path).split("\n").length, kept.length + 1);
  };
  fc.assert(fc.property(fc.array(entry, { minLength: 1, maxLength: 6 }), holds), { numRuns: 300, seed: 1 });
});

test("a thousand are kept, of the session's too", ({ path }) => {
  const history = begin(path);
  for (const entry of numbered(ENTRIES_MAX + 2)) history.add(entry);
  assert.equal(history.entries, numbered(ENTRIES_MAX + 2).slice(2));
  assert.equal(begin(path).entries, history.entries);
});

// ---- several sessions

test("two sessions at a time add to one file", ({ path }) => {
  const [one, two] = [begin(path), begin(path)];
  one.add("a");
  two.add("b");
  one.add("c");
  two.add("d");
  assert.equal(
    [one.entries, two.entries],
    [
      ["a", "c"],
      ["b", "d"],
    ],
  );
  assert.equal(begin(path).entries, ["a", "b", "c", "d"]);
});

test("processes that append at the same time lose nothing", async ({ path }) => {
  const module = new URL("../../interpreter/terminal/history-files.js", import.meta.url).href;
  const program = `
    const { historyFiles } = await import(${JSON.stringify(module)});
    for (let i = 0; i < 200; i++) historyFiles.append(process.argv[1], process.argv[2] + i + "\\n");`;
  const ends = ["a", "b", "c"].map((name) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program, path, name], { stdio: "inherit" });
    return new Promise((resolve) => child.on("close", resolve));
  });
  assert.equal(await Promise.all(ends), [0, 0, 0]);
  const { entries } = begin(path);
  for (const name of ["a", "b", "c"]) {
    const own = entries.filter((entry) => entry.startsWith(name));
    assert.equal(
      own,
      Array.from({ length: 200 }, (_, i) => `${name}${i}`),
    );
  }
});

test("the same line out of two sessions is one", ({ path }) => {
  const [one, two] = [begin(path), begin(path)];
  one.add("a");
  two.add("a");
  assert.equal(begin(path).entries, ["a"]);
});

test("a file that was cut off in a line spoils that line only", ({ path }) => {
  fs.writeFileSync(path, "a\nb");
  const history = begin(path);
  history.add("c");
  history.add("d");
  assert.is(textOf(path), "a\nb\nc\nd\n");
});

// ---- making it shorter

test("the file is made shorter when it is twice too long, and not before", ({ folder, path }) => {
  const lines = numbered(2 * ENTRIES_MAX + 1).map((entry) => `${entry}\n`);
  fs.writeFileSync(path, lines.slice(1).join(""));
  begin(path).add("new");
  assert.is(textOf(path), `${lines.slice(1).join("")}new\n`);
  const before = fs.statSync(path).ino;
  const history = begin(path);
  const kept = [...numbered(2 * ENTRIES_MAX + 1).slice(-ENTRIES_MAX + 1), "new"];
  assert.equal([history.entries, history.problem], [kept, undefined]);
  assert.is(textOf(path), kept.map((entry) => `${entry}\n`).join(""));
  assert.is.not(fs.statSync(path).ino, before);
  assert.is(modeOf(path), "600");
  assert.equal(fs.readdirSync(folder), ["history"]);
});

test("escapes, spoilt lines and repetitions while it is made shorter", ({ path }) => {
  fs.writeFileSync(path, `${"a\\\\n\\nb\n\0\na\n\na\n".repeat(ENTRIES_MAX)}`);
  const { entries } = begin(path);
  assert.is(entries.length, ENTRIES_MAX);
  assert.equal(entries.slice(-2), ["a\\n\nb", "a"]);
  assert.is(textOf(path), "a\\\\n\\nb\na\n".repeat(ENTRIES_MAX / 2));
});

test("what another session appends meanwhile is not lost", ({ path }) => {
  fs.writeFileSync(path, "x\ny\n".repeat(ENTRIES_MAX + 1));
  const files: HistoryFiles = {
    ...historyFiles,
    replace: (where, change) =>
      historyFiles.replace(where, (old) => {
        const text = change(old);
        historyFiles.append(path, "late\n"); // when it was read, and nothing is in its place yet
        return text;
      }),
  };
  begin(path, files);
  assert.is(textOf(path), `${"x\ny\n".repeat(ENTRIES_MAX / 2)}late\n`);
});

test("of two that make it shorter at a time one does", ({ folder, path }) => {
  fs.writeFileSync(path, "x\ny\n".repeat(ENTRIES_MAX + 1));
  const files: HistoryFiles = {
    ...historyFiles,
    replace: (where, change) =>
      historyFiles.replace(where, (old) => {
        begin(path).add("faster");
        return change(old);
      }),
  };
  assert.is(begin(path, files).problem, undefined);
  assert.is(textOf(path), `${"x\ny\n".repeat(ENTRIES_MAX / 2)}faster\n`);
  assert.equal(fs.readdirSync(folder), ["history"]);
});

test("a link stays a link", ({ folder, path }) => {
  const target = join(folder, "target");
  fs.writeFileSync(target, "x\ny\n".repeat(ENTRIES_MAX + 1));
  fs.symlinkSync(target, path);
  fs.writeFileSync(`${target}.${process.pid}.tmp`, "left by a session that was killed");
  begin(path).add("z");
  assert.ok(fs.lstatSync(path).isSymbolicLink());
  assert.is(textOf(target), `${"x\ny\n".repeat(ENTRIES_MAX / 2)}z\n`);
});

test("root leaves the file to its owner", ({ path }) => {
  if (process.getuid?.() !== 0) return;
  fs.writeFileSync(path, "x\ny\n".repeat(ENTRIES_MAX + 1));
  fs.chownSync(path, 1234, 1234);
  begin(path).add("z");
  const { uid, gid, size } = fs.statSync(path);
  assert.equal([uid, gid, size], [1234, 1234, 2 * ENTRIES_MAX + 2]);
});

test("a file that cannot be made shorter is read all the same", ({ folder, path }) => {
  const text = "x\ny\n".repeat(ENTRIES_MAX + 1);
  fs.writeFileSync(path, text);
  fs.mkdirSync(`${path}.${process.pid}.tmp`); // in the way
  const history = begin(path);
  assert.is(history.entries.length, ENTRIES_MAX);
  assert.match(history.problem ?? "", /^cannot write .*history: /);
  assert.is(textOf(path), text);
  assert.is(fs.readdirSync(folder).length, 2);
});

// ---- what can be wrong with it

test("a huge file is read from the end, and made shorter", ({ path }) => {
  const lines = numbered(1000).map((entry) => `${entry.padEnd(10_000, "!")}\n`);
  fs.writeFileSync(path, `${lines.join("")}${"x".repeat(SIZE_MAX + 1)}\na\nb\n`);
  const read = historyFiles.read(path) ?? "";
  assert.ok(read.length < 9 * SIZE_MAX && read.startsWith("entry "));
  const history = begin(path);
  assert.is(history.problem, undefined);
  const fitting = lines.map((line) => line.trimEnd()).slice(-Math.floor(SIZE_MAX / 10_000));
  assert.equal(history.entries, [...fitting, "a", "b"]);
  assert.equal(begin(path).entries, history.entries);
  assert.ok(fs.statSync(path).size <= 2 * SIZE_MAX);
  fs.writeFileSync(path, "x".repeat(20 * SIZE_MAX));
  assert.is(historyFiles.read(path), "");
});

test("spoilt lines are left out", ({ path }) => {
  const bad = ["\0\0\0", "a\x1b[31m", "\xff", "\\x", "a\\", "\\\\\\"];
  const good = ["a", "\\\\n", "é", "tab\t", "\\n", "x \\\\\\n y", "z"];
  const lines = good.map((line, i) => `${line}\n${bad[i] ?? ""}\n`).join("");
  fs.writeFileSync(path, Buffer.from(lines.replace("é", "\xc3\xa9"), "latin1"));
  const history = begin(path);
  assert.equal(history.entries, ["a", "\\n", "é", "tab\t", "x \\\n y", "z"]);
  assert.is(history.problem, undefined);
});

test("a file of somebody else's is left alone", ({ path }) => {
  const binary = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * i * 7 + (i >> 5)) & 0xff));
  fs.writeFileSync(path, binary);
  const history = begin(path);
  assert.equal([history.entries, history.problem], [[], `cannot use ${path}: it is not a history`]);
  history.add("x");
  assert.equal(history.entries, ["x"]);
  assert.equal(history.problem, `cannot use ${path}: it is not a history`);
  assert.ok(binary.equals(fs.readFileSync(path)));
});

test("what cannot be read or written is said, and costs the session nothing", ({ folder, path }) => {
  fs.writeFileSync(path, "a\n");
  const below = join(path, "history");
  const history = begin(below);
  assert.is(history.problem, `cannot read ${below}: not a folder`);
  history.add("x");
  assert.equal([history.entries, history.problem], [["x"], `cannot write ${below}: not a folder`]);
  const isFolder = begin(folder);
  assert.is(isFolder.problem, `cannot read ${folder}: it is a folder`);
  isFolder.add("x");
  assert.equal([isFolder.entries, isFolder.problem], [["x"], `cannot write ${folder}: it is a folder`]);
});

test("why not is told in a few words, and no longer than it lasts", ({ path }) => {
  let error: Error | undefined;
  const fails = (): undefined => {
    if (error !== undefined) throw error;
  };
  const history = begin(path, { read: fails, append: fails, replace: fails });
  const problemWith = (code: string, message: string): string | undefined => {
    error = Object.assign(new Error(message), { code });
    history.add(code);
    return history.problem;
  };
  assert.is(
    problemWith("EACCES", `EACCES: permission denied, open '${path}'`),
    `cannot write ${path}: permission denied`,
  );
  assert.is(
    problemWith("ENOSPC", "ENOSPC: no space left on device, write"),
    `cannot write ${path}: no space left on device`,
  );
  history.load();
  assert.is(history.problem, `cannot read ${path}: no space left on device`);
  error = undefined;
  history.add("x");
  assert.is(history.problem, undefined);
});

test("neither a device nor a pipe is waited for, or changed", ({ path }) => {
  const device = `${path}-device`; // as /dev/null, but none that others need
  if (spawnSync("mknod", ["-m", "666", device, "c", "1", "3"]).status === 0) {
    const nothing = begin(device);
    nothing.add("x");
    assert.equal([nothing.entries, nothing.problem, modeOf(device)], [["x"], undefined, "666"]);
  }
  if (spawnSync("mkfifo", [path]).status !== 0) return;
  const pipe = begin(path);
  pipe.add("x");
  assert.equal([pipe.entries, pipe.problem], [["x"], `cannot write ${path}: it is not a file`]);
});

test.run();
