import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { codes } from "../../grammar/codes.ts";
import type { Param } from "../../runtime/callable.ts";
import { callables, declarableTypes } from "../../runtime/kernel.ts";
import { mm_struct } from "../../runtime/mm/mm_types.ts";
import { captured, codesIn, type Captured } from "./support/captured.ts";

// What is said about a script that is wrong. UPDATE=1 writes the expected texts anew.

const FIXTURES = "test/errors";
const fixtures = readdirSync(FIXTURES)
  .filter((name) => name.endsWith(".hmm"))
  .map((name) => name.replace(/\.hmm$/, ""))
  .sort();
/** Those that do not stop a script. */
const WARNINGS: readonly string[] = ["E231", "E236", "E243"];

/** Every code that the binder, or a run, can report. */
function codesOfInterpreter(): string[] {
  const files = readdirSync("interpreter", { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".ts"));
  const texts = files.map((file) => readFileSync(`interpreter/${file}`, "utf8"));
  return [...new Set(texts.flatMap((text) => text.match(/(?<=")E\d{3}(?=")/g) ?? []))].sort();
}

function assertNoTrace({ err, out }: Captured, what: string): void {
  assert.not.match(`${out}${err}`, /^\s+at .*[:(]|a fault of hmm itself/m, what);
}

for (const name of fixtures) {
  test(name, () => {
    const result = captured(["check", `${FIXTURES}/${name}.hmm`]);
    if (process.env["UPDATE"] !== undefined) writeFileSync(`${FIXTURES}/${name}.stderr`, result.err);
    assert.is(result.err, readFileSync(`${FIXTURES}/${name}.stderr`, "utf8"));
    const [code] = name.split("-");
    if (/^E\d/.test(name)) assert.equal([...new Set(codesIn(result.err))].includes(code ?? ""), true);
    assert.is(result.code, WARNINGS.includes(code ?? "") ? 0 : 2);
    assertNoTrace(result, name);
  });
}

test("nothing is expected of a script that is not there", () => {
  const expected = readdirSync(FIXTURES).filter((name) => name.endsWith(".stderr"));
  assert.equal(expected.map((name) => name.replace(/\.stderr$/, "")).sort(), fixtures);
});

test("every code of the binder has a script that has it", () => {
  const shown = new Set(fixtures.map((name) => name.slice(0, 4)));
  assert.equal(
    codesOfInterpreter().filter((code) => !shown.has(code)),
    [],
  );
});

test("every code is explained, and every explanation is of a code", () => {
  const used = codesOfInterpreter();
  assert.equal(
    used.filter((code) => codes[code] === undefined),
    [],
  );
  const ofBinder = Object.keys(codes).filter((code) => code >= "E212");
  assert.equal(
    ofBinder.filter((code) => !used.includes(code)),
    [],
  );
});

/** The examples may include each other's files. */
function example(text: string): Captured {
  return captured(["check", "example.hmm"], { "example.hmm": `${text}\n`, "lib/gpu.hmm": "var hits = 0\n" });
}

test("wrong examples have the mistake that they are examples of, and no other; right ones have none", () => {
  for (const code of codesOfInterpreter()) {
    const info = codes[code];
    if (info === undefined) continue;
    const wrong = example(info.wrong);
    assert.equal([...new Set(codesIn(wrong.err))], [code], `${code}: wrong`);
    assert.is(wrong.code, WARNINGS.includes(code) ? 0 : 2, code);
    const right = example(info.right);
    assert.is(right.err, "", `${code}: right`);
    assert.is.not(right.code, 2, `${code}: right`);
    assertNoTrace(right, code);
  }
});

test("a kernel on the command line is told about like one in the script", () => {
  const kernels = ["v5.2 + opd-v4", "x = 3", "v5.2; cpu0: mmput mm", "", "+", '"v5.2"'];
  for (const kernel of kernels) {
    const result = captured(["check", "-e", "cpu0: mmget mm", "--kernel", kernel]);
    assert.is(result.code, 2, kernel);
    assert.match(result.err, /^error\[E\d+\]: .*\n  --> --kernel:1:/, kernel);
  }
});

test("arguments are looked at once, however deep the calls are nested", () => {
  const deep = `${"hmm_range_fault(".repeat(40)}mm${")".repeat(40)}`;
  assert.equal(codesIn(captured(["check", "-e", `cpu0: x = ${deep}`]).err), ["E301"]);
});

test("names of JavaScript's own mean nothing", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"])
    for (const text of [name, `${name} x`, `x = ${name}`, `mm.${name}`, `mmap 0x1000.. ${name}`, `struct ${name} x`]) {
      const result = captured(["check", "-e", `cpu0: ${text}`]);
      assert.is(result.code, 2, text);
      assertNoTrace(result, text);
    }
});

// ---- whatever the text

const SEED = 20190611;
const scripts = readdirSync("scripts")
  .filter((name) => name.endsWith(".hmm"))
  .map((name) => readFileSync(`scripts/${name}`, "utf8"));

const words = [
  ..."cpu0: cpu1: cpu2: cpu9: race { } { } ( ) [ ] ; , . -> = == != < > + - * / % << >> & | ^ ! ~ ? :".split(" "),
  ..."&& || ++ -- += .. ..+ ... if else while do for goto return break continue switch case default until".split(" "),
  ..."blocked returns #2 kernel v5.2 odp-v4 expect sometimes no bug in on use-after-free deadlock leak show".split(" "),
  ..."locks vmas step wait assume assert var fn x y again again: mm m umem range r NULL true $ 0 1 3 -1 4K".split(" "),
  ..."0x1000 0x2000 0x1000.. 0x1000..0x3000 rw write EBUSY mm.mm_users mm->mmap_sem mm.mmap mm.pgd choose".split(" "),
  ..."READ_ONCE WRITE_ONCE kfree WARN_ON hmm_mirror ib_umem_odp hmm_range always never include".split(" "),
  ...['"find_vma"', "find_vma", "exit_mmap", "\n", "\n", "\n", "\n"],
  ...new Set(callables.map(({ name }) => name)),
];

const soup = fc
  .array(fc.constantFrom(...words), { maxLength: 60 })
  .map((list) => list.join(" ").replaceAll(" \n ", "\n"));
const declared = Object.entries(declarableTypes).map(([name, type]) => ({ name: `${name}0`, type: name, cls: type() }));
/** An argument of the kind that a parameter takes; mostly. */
function argument({ of }: Param): fc.Arbitrary<string> {
  switch (of.kind) {
    case "object": {
      const fitting = declared.filter(({ cls }) => cls === of.type()).map(({ name }) => name);
      return fc.constantFrom(...(of.type() === mm_struct ? ["mm", "x"] : fitting), "NULL");
    }
    case "range":
      return fc.constantFrom("0x1000..0x3000", "0x1000..", "0x2000..0x9000", "...");
    case "flags":
      return fc.constantFrom("", ...Object.keys(of.words));
    case "lock":
      return fc.constantFrom(
        of.lock === "rwsem" ? "mm.mmap_sem" : of.lock === "mutex" ? "ib_umem_odp0.umem_mutex" : "mm.page_table_lock",
      );
    case "atomic":
      return fc.constantFrom("mm.mm_users", "mm.mm_count");
    default:
      return fc.constantFrom("0", "1", "0x1000", "0x2000", "y");
  }
}
const callText = fc
  .constantFrom(...callables)
  .chain((entry) =>
    fc
      .tuple(...entry.params.filter(({ of }) => of.kind !== "current-mm").map(argument))
      .map((args) => `${entry.result.kind === "number" ? "y = " : ""}${entry.name}(${args.join(" ")})`),
  );
const line = fc
  .tuple(fc.constantFrom("cpu0: ", "cpu0: ", "cpu1: ", "cpu2: "), callText, fc.nat(12))
  .map(([cpu, text, more]) => {
    if (more === 0) return `${cpu}continue`;
    if (more === 1) return `${cpu}step 3`;
    return cpu + text + ([, , " until blocked", " until find_vma"][more] ?? "");
  });
/** Statements that could be right, one by one: most of these scripts run. */
const statements = fc
  .tuple(fc.array(line, { maxLength: 5 }), fc.array(fc.tuple(fc.nat(2), callText), { maxLength: 4 }))
  .map(([before, inside]) =>
    [
      "kernel v5.2 + odp-v4",
      ...declared.map(({ name, type }) => `${type} ${name}`),
      "cpu0, cpu1, cpu2: { x = mm; y = 0 }",
      "cpu0: mmap 0x1000..0x5000",
      ...before,
      "race {",
      "  cpu0: y = 1",
      ...inside.map(([cpu, text]) => `  cpu${cpu}: ${text}`),
      "}",
      "show locks, vmas, pagetables, mm, notifiers, refs",
    ].join("\n"),
  );
/** A script with some of its words changed, dropped, doubled or swapped. */
const mutated = fc
  .tuple(
    fc.constantFrom(...scripts),
    fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...words), fc.nat(3)), { minLength: 1, maxLength: 4 }),
  )
  .map(([script, changes]) => {
    const parts = script.replace(/^#.*$/gm, "").match(/\w+|\s+|./g) ?? [];
    for (const [i, j, word, what] of changes) {
      const [a, b] = [i % parts.length, j % parts.length];
      if (what === 0) parts[a] = word;
      else if (what === 1) parts[a] = "";
      else if (what === 2) parts.splice(a, 0, parts[b] ?? "");
      else [parts[a], parts[b]] = [parts[b] ?? "", parts[a] ?? ""];
    }
    return parts.join("");
  });
const bytes = fc
  .uint8Array({ maxLength: 200 })
  .map((array) => Buffer.from(array).toString(array.length % 2 === 0 ? "utf8" : "latin1"));

function survives(text: string): void {
  for (const argv of [
    ["check", "-e", text, "--max-states", "2000"],
    ["run", "-e", text, "--max-steps", "2000"],
  ]) {
    const result = captured(argv);
    assert.is.not(result.code, 70, `${argv[0]}: ${JSON.stringify(text)}\n${result.err}`);
    assertNoTrace(result, JSON.stringify(text));
    for (const code of codesIn(result.err)) assert.ok(codes[code] !== undefined, `${code}: ${JSON.stringify(text)}`);
  }
}

for (const [what, texts, numRuns] of [
  ["random bytes", bytes, 200],
  ["a soup of words", soup, 300],
  ["random calls", statements, 150],
  ["a script with mutations", mutated, 150],
] as const)
  test(`${what} is no fault of the tool`, () => {
    fc.assert(fc.property(texts, survives), { seed: SEED, numRuns });
  });

test.run();
