/** Habits, kept by a machine rather than by reviewers. What each rule catches, it is shown here. */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../grammar/span.ts";
import { bindScript } from "../interpreter/bind/script.ts";
import { drain } from "../interpreter/breathing.ts";
import { explore } from "../interpreter/explore.ts";
import { Findings } from "../interpreter/findings.ts";
import { DEFAULT_LIMITS, Watch } from "../interpreter/limits.ts";
import { simulate } from "../interpreter/simulation.ts";
import { VERSION } from "../interpreter/version.ts";
import {
  codeOf,
  deadFiles,
  functionsOf,
  importsOf,
  needlessExceptions,
  rules,
  rulesForAll,
  type Rule,
  type Source,
} from "./support/tidy.ts";

const NOT_OURS = new Set(["node_modules", "dist", "coverage", ".git", ".ci"]);
const TEXT = /\.(ts|tsx|js|mjs|json|md|hmm|txt|stderr|c|h|yml|svg|html)$|^\.|^LICENSE$/;

/** Every text file of the tree. */
function filesUnder(folder: string): Source[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = folder === "." ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesUnder(path);
    return entry.isFile() && TEXT.test(entry.name) ? [{ path, text: readFileSync(path, "utf8") }] : [];
  });
}
const all = filesUnder(".");
const sources = all.filter(({ path }) => /\.tsx?$/.test(path));

function complaints(rule: Rule, files: readonly Source[]): string[] {
  return files.flatMap((file) => rule.check(file).map((complaint) => `${file.path}:${complaint}`));
}

for (const rule of rules) test(rule.name, () => assert.equal(complaints(rule, sources), []));
for (const rule of rulesForAll) test(rule.name, () => assert.equal(complaints(rule, all), []));

test("every rule catches its bad sample, and lets the good one pass", () => {
  for (const rule of [...rules, ...rulesForAll]) {
    assert.is.not(rule.check(rule.bad).length, 0, rule.name);
    assert.equal(rule.check(rule.good), [], rule.name);
  }
});

test("every file is imported by something, or is where something starts", () => {
  assert.equal(deadFiles(all), []);
  const sample = [
    { path: "grammar/a.ts", text: 'import { b } from "./b.ts";\n' },
    { path: "grammar/b.ts", text: "" },
    { path: "grammar/b.test.ts", text: 'node("dist/test/c.js");\n' },
    { path: "test/c.ts", text: "" },
    { path: "README.md", text: "" },
  ];
  assert.equal(deadFiles(sample), ["grammar/a.ts"]);
});

test("exceptions are exceptions still", () => assert.equal(needlessExceptions(sources), []));

test("versions agree", () => {
  interface Manifest {
    readonly version: string;
    readonly name: string;
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly devDependencies?: Readonly<Record<string, string>>;
    readonly engines?: Readonly<Record<string, string>>;
  }
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Manifest & {
    packages: Record<string, Manifest>;
  };
  assert.is(VERSION, manifest.version);
  const { name, version, dependencies, devDependencies, engines } = manifest;
  const own = lock.packages[""];
  assert.equal([lock.name, lock.version, own?.name, own?.version], [name, version, name, version]);
  assert.equal([own?.dependencies, own?.devDependencies, own?.engines], [dependencies, devDependencies, engines]);
  for (const [pack, wanted] of Object.entries({ ...dependencies, ...devDependencies })) {
    assert.match(wanted, /^\d+\.\d+\.\d+$/, `${pack} is pinned`);
    assert.is(lock.packages[`node_modules/${pack}`]?.version, wanted);
  }
});

const FRAME_MAX = 64; // results that a frame may remember: beyond that a body wants cutting up

test(`no function of the kernel's remembers more than ${FRAME_MAX} results in one frame`, () => {
  const path = "scripts/004-odp-dying-mm.hmm";
  const [program] = bindScript(new SourceText(path, readFileSync(path, "utf8"))).programs;
  if (program === undefined) throw new Error(`${path} does not bind`);
  const director = simulate(program);
  const { stopped } = drain(explore(director, new Findings(program), new Watch(DEFAULT_LIMITS)));
  assert.is(stopped, undefined);
  const { byFunction } = director.machine.automaton.statistics();
  assert.ok(byFunction.size > 50);
  const long = [...byFunction].filter(([, { deepest }]) => deepest > FRAME_MAX);
  assert.equal(
    long.map(([name, { deepest }]) => `${name}: ${deepest}`),
    [],
  );
});

// ---- the reader of source text itself

test("comments, strings, templates and regular expressions are no code", () => {
  const text = [
    'const a = "console.log"; // enum',
    "const b = `any ${x.map((y) => `in ${y}`)} any`;",
    "/* let x = 1;",
    "   { */ const c = /[/{]\\/{/.test(d) ? e / f : g / h;",
    "const i = 'it\\'s';",
  ].join("\n");
  const code = codeOf(text).split("\n");
  assert.equal(
    code.map((line) => line.trim().replace(/\s+/g, " ")),
    ["const a = ;", "const b = x.map((y) => y ) ;", "", "const c = .test(d) ? e / f : g / h;", "const i = ;"],
  );
  assert.is(codeOf(text).length, text.length);
});

test("imports of every form are seen, as paths from the top", () => {
  const text = [
    'import { a } from "./a.ts";',
    'import type { b } from "../b.ts";',
    "import {",
    "  c,",
    "  type d,",
    '} from "../../c.ts";',
    'export { e } from "./e.ts";',
    'import "./f.ts";',
    'const g = await import("./g.ts");',
    'let h: import("./h.ts").H;',
    'const text = "import x";',
  ].join("\n");
  const found = importsOf({ path: "p/q/r.ts", text });
  assert.equal(
    found.map(({ from, typeOnly }) => `${from}${typeOnly ? " (types)" : ""}`),
    ["p/q/a.ts", "p/b.ts (types)", "c.ts", "p/q/e.ts", "p/q/f.ts", "p/q/g.ts", "p/q/h.ts"],
  );
});

test("functions are told from blocks, classes and objects", () => {
  const text = [
    "export class A extends B {",
    "  private readonly x = { y: 1 };",
    "  constructor(a: { b: number }, c = {}) {",
    "    if (a) {",
    "    } else if (c) {",
    "    }",
    "  }",
    "  *run(): Generator<void, R> {",
    "    for (const x of y) {",
    "    }",
    "  }",
    "}",
    "const f = (a: number): void => {",
    "};",
    'const g = kernelFunction("g", function* (p: q): Kernel<void> {',
    "});",
    "switch (f(1)) {",
    "}",
    "try {",
    "} catch (error) {",
    "}",
  ].join("\n");
  assert.equal(
    functionsOf(text).map(({ line, lines }) => `${line}+${lines}`),
    ["3+5", "8+4", "13+2", "15+2"],
  );
});

test.run();
