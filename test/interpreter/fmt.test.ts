/** `hmm fmt`: what it writes, prints and answers. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readdirSync, readFileSync } from "node:fs";
import { format } from "../../grammar/format.ts";
import { SourceText } from "../../grammar/span.ts";
import { bindScript } from "../../interpreter/bind/script.ts";
import type { Io } from "../../interpreter/io.ts";
import { main } from "../../interpreter/main.ts";

const test = suite("fmt");

interface World {
  readonly files: Map<string, string>;
  readonly run: (...args: string[]) => { readonly code: number; readonly out: string; readonly err: string };
}

/** Some files, standard input, and the command line over them. */
function world(given: Readonly<Record<string, string>>, stdin = ""): World {
  const files = new Map(Object.entries(given));
  const run: World["run"] = (...args) => {
    let out = "";
    let err = "";
    const io: Io = {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      readFile: (path) => {
        const text = files.get(path);
        if (text === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
        return text;
      },
      writeFile: (path, text) => {
        if (path.startsWith("locked")) throw Object.assign(new Error(path), { code: "EACCES" });
        files.set(path, text);
      },
      listFolder: () => [],
      exists: (path) => files.has(path),
      readStdin: () => stdin,
      status: () => {},
      onInterrupt: () => () => {},
    };
    return { code: main(["fmt", ...args], io), out, err };
  };
  return { files, run };
}

test("it rewrites what is not in form, and names that", () => {
  const { files, run } = world({
    "a.hmm": "mmput(mm); // why\n",
    "b.hmm": "mmput mm\n",
    "c.hmm": "\ufeffmmput mm\r\n",
  });
  assert.equal(run("a.hmm", "b.hmm", "c.hmm"), { code: 0, out: "a.hmm\nc.hmm\n", err: "" });
  assert.is(files.get("a.hmm"), "mmput mm  # why\n");
  assert.is(files.get("c.hmm"), "mmput mm\n");
  assert.equal(run("a.hmm", "b.hmm", "c.hmm"), { code: 0, out: "", err: "" });
});

test("--check changes nothing and exits with 1 if anything would change", () => {
  const { files, run } = world({ "a.hmm": "mmput(mm)\n", "b.hmm": "mmput mm\n" }, "f( )");
  assert.equal(run("--check", "a.hmm", "b.hmm"), { code: 1, out: "a.hmm\n", err: "" });
  assert.is(files.get("a.hmm"), "mmput(mm)\n");
  assert.equal(run("--check", "b.hmm"), { code: 0, out: "", err: "" });
  assert.equal(run("--check", "-"), { code: 1, out: "stdin\n", err: "" });
});

test("standard input goes to standard output", () => {
  assert.equal(world({}, "if (x)\n\tf();\n").run("-"), { code: 0, out: "if x {\n  f()\n}\n", err: "" });
  const { code, out, err } = world({}, "if x = 3 {}\n").run("-");
  assert.equal([code, out], [2, ""]);
  assert.match(err, /^error\[E105\]: .*\n +--> stdin:1:6\n/);
});

test("a script with errors is left alone, the others are not", () => {
  const { files, run } = world({
    "bad.hmm": "f(\n",
    "a.hmm": "mmput(mm)\n",
    "odd.hmm": "f # \ufffd\n",
    "locked.hmm": "f( )",
  });
  const { code, out, err } = run("bad.hmm", "missing.hmm", "odd.hmm", "locked.hmm", "a.hmm");
  assert.equal([code, out], [2, "a.hmm\n"]);
  assert.is(files.get("bad.hmm"), "f(\n");
  assert.match(err, /E112[^]*cannot read missing\.hmm: no such file\n/);
  assert.match(err, /odd\.hmm is left alone: it is not UTF-8/);
  assert.match(err, /cannot write locked\.hmm: permission denied\n/);
  assert.is(run("--check", "bad.hmm", "a.hmm").code, 2);
});

test("a name or `-`, but not both", () => {
  const { run } = world({ "a.hmm": "" });
  for (const args of [[], ["-", "a.hmm"], ["--bogus"]]) assert.is(run(...args).code, 2);
  assert.match(run().err, /usage: hmm fmt/);
  const help = run("--help");
  assert.is(help.code, 0);
  assert.match(help.out, /^usage: hmm fmt FILE/);
});

/** What a script comes to: the kinds of its items, or how many mistakes it has. */
function bound(text: string): unknown {
  const { programs, diagnostics } = bindScript(new SourceText("a.hmm", text), {});
  return { mistakes: diagnostics.length, items: programs.map(({ items }) => items.map(({ kind }) => kind)) };
}

test("the scripts are as it writes them", () => {
  const names = readdirSync("scripts", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".hmm"));
  for (const name of names) {
    const text = readFileSync(`scripts/${name}`, "utf8");
    assert.equal(format(new SourceText(name, text)), { text }, name);
  }
});

test("what it has written is the same program, or as mistaken as before", () => {
  let count = 0;
  for (const folder of ["scripts", "test/errors"]) {
    for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".hmm"))) {
      const text = readFileSync(`${folder}/${name}`, "utf8");
      const result = format(new SourceText(name, text));
      if (!("text" in result)) continue;
      assert.equal(bound(result.text), bound(text), name);
      count++;
    }
  }
  assert.ok(count > 30);
});

test.run();
