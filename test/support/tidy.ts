/** The habits of this house as functions of a source file, for tidy.test.ts to hold everybody to. */
import { posix } from "node:path";

export interface Source {
  /** From the top of the tree: "runtime/machine/step.ts". */
  readonly path: string;
  readonly text: string;
}
export interface Rule {
  readonly name: string;
  /** What is wrong with a file, each with a line number where there is one. */
  readonly check: (file: Source) => string[];
  /** Something that breaks the rule, and something close to it that does not. */
  readonly bad: Source;
  readonly good: Source;
}

// ---- reading source text

const blank = (text: string): string => text.replace(/[^\n]/g, " ");

const NO_CODE = [
  /\/\/[^\n]*|\/\*[\s\S]*?\*\//, // comments
  /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/, // strings
  /`/, // a template begins
  // a regular expression: where an operand is wanted, for elsewhere it is a division
  /(?<=(?:[(,=:[!&|?{};+\n]|return|=>)\s*)\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/,
]
  .map(({ source }) => source)
  .join("|");

/** The program text alone: what stands in comments, strings and regular expressions is blanked, the lines stay. */
export function codeOf(text: string): string {
  const pattern = new RegExp(NO_CODE, "g");
  let code = "";
  let at = 0;
  for (pattern.lastIndex = 0; ;) {
    const match = pattern.exec(text);
    if (match === null) return code + text.slice(at);
    code += text.slice(at, match.index);
    const end = match[0] === "`" ? endOfTemplate(text, match.index + 1) : match.index + match[0].length;
    code += match[0] === "`" ? templateCode(text.slice(match.index, end)) : blank(text.slice(match.index, end));
    at = pattern.lastIndex = end;
  }
}
/** Behind the closing backquote of the template whose text begins at `from`. */
function endOfTemplate(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "`") return i + 1;
    else if (text.startsWith("${", i)) i = endOfHole(text, i + 2) - 1;
  }
  return text.length;
}
function endOfHole(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === "`") i = endOfTemplate(text, i + 1) - 1;
    else if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0) return i + 1;
  }
  return text.length;
}
/** Keeps what stands in the holes of a template. */
function templateCode(template: string): string {
  let code = "";
  for (let i = 0; i < template.length;) {
    if (!template.startsWith("${", i)) {
      code += blank(template[i] as string);
      i++;
      continue;
    }
    const end = endOfHole(template, i + 2);
    code += `  ${codeOf(template.slice(i + 2, end - 1))} `;
    i = end;
  }
  return code;
}

export interface Import {
  /** A path from the top of the tree, or the name of a package. */
  readonly from: string;
  readonly typeOnly: boolean;
  readonly line: number;
}
export function importsOf({ path, text }: Source): Import[] {
  const pattern = /^\s*(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return [...text.matchAll(pattern)].map((match) => {
    const from = match[2] ?? match[3] ?? "";
    const inTree = from.startsWith(".") ? posix.join(posix.dirname(path), from) : from;
    return { from: inTree, typeOnly: match[1] !== undefined, line: lineAt(text, match.index) };
  });
}
function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** The bodies of functions: where each begins, and how many lines it takes, braces included. */
export function functionsOf(text: string): { line: number; lines: number; head: string }[] {
  const code = codeOf(text);
  const open: { index: number; head: string | undefined }[] = [];
  const found: { line: number; lines: number; head: string }[] = [];
  let headStart = 0;
  for (let i = 0; i < code.length; i++) {
    const char = code[i];
    if (char === "{") {
      const head = code.slice(headStart, i).trim();
      open.push({ index: i, head: isFunctionHead(head) ? head : undefined });
    } else if (char === "}") {
      const block = open.pop();
      if (block?.head !== undefined) {
        const line = lineAt(code, block.index);
        const head = block.head.split("\n").at(-1)?.trim() ?? "";
        found.push({ line, lines: lineAt(code, i) - line + 1, head });
      }
    }
    if (char === "{" || char === "}" || char === ";") headStart = i + 1;
  }
  return found.sort((a, b) => a.line - b.line);
}
/** Whether a `{` behind this opens the body of a function rather than a block, an object or a class. */
function isFunctionHead(head: string): boolean {
  if (/=>$/.test(head)) return true;
  if (/^(?:\} *)?(?:else\s+)?(?:if|for|while|switch|catch|do|try|else|finally|with)\b/.test(head)) return false;
  return /\)(?:\s*:[^=]*)?$/.test(head);
}

function linesMatching(text: string, pattern: RegExp, say: (match: string) => string): string[] {
  return text.split("\n").flatMap((line, i) => {
    const match = pattern.exec(line);
    return match === null ? [] : [`${i + 1}: ${say(match[0].trim())}`];
  });
}

// ---- who may know whom

/** What files under a prefix may import, by pattern. The first prefix that fits counts. */
const KNOWS: readonly (readonly [prefix: RegExp, may: RegExp])[] = [
  [/^grammar\//, /^(grammar\/|chevrotain$)/],
  [/^runtime\/machine\//, /^runtime\/machine\//],
  [/^runtime\/mm\//, /^runtime\/(mm\/|machine\/|(errno|image)\.ts$)/],
  [/^runtime\/drivers\//, /^runtime\/(drivers\/|mm\/|machine\/|(errno|image)\.ts$)/],
  [/^runtime\/kernels\//, /^runtime\/(kernels\/|drivers\/|mm\/|machine\/|(errno|image|patch)\.ts$)/],
  [/^runtime\/callables\//, /^runtime\/(callables\/|drivers\/|mm\/|machine\/|(errno|image|callable)\.ts$)/],
  [/^runtime\/kernel\.ts$/, /^runtime\//],
  [/^runtime\/[^/]+$/, /^runtime\/(machine\/|(errno|image)\.ts$)/],
  [/^interpreter\/bind\//, /^(grammar|runtime|interpreter)\//],
  [
    /^interpreter\/commands\//,
    /^(grammar\/(span|diagnostic|codes|suggest|complete|format)\.ts$|runtime\/|interpreter\/|node:)/,
  ],
  // The helpers' domains, and tables to print: elsewhere the interpreter knows the machine, not what runs on it.
  [
    /^interpreter\/(director|show-mm|show-tlb|doc-\w+)\.ts$/,
    /^(grammar\/(span|diagnostic)\.ts$|runtime\/(machine|mm)\/|interpreter\/)/,
  ],
  [/^interpreter\/show-device\.ts$/, /^(runtime\/(machine|drivers)\/|interpreter\/)/],
  // What somebody types is parsed and completed; what is shown of it comes from the interpreter's own tables.
  [/^interpreter\/session\//, /^(grammar\/|runtime\/(machine\/|kernel\.ts$|patch\.ts$)|interpreter\/(?!terminal\/))/],
  [/^interpreter\/view\//, /^(runtime\/machine\/|interpreter\/)/],
  [
    /^interpreter\/(cli|main|launch|seats)\.ts$/,
    /^(grammar\/(span|diagnostic)\.ts$|runtime\/machine\/|interpreter\/|node:)/,
  ],
  [/^interpreter\/terminal\//, /^(grammar\/|interpreter\/|node:|ink$|react$|string-width$)/],
  [/^interpreter\//, /^(grammar\/(span|diagnostic)\.ts$|runtime\/machine\/|interpreter\/)/],
  [/^docs\//, /^(grammar\/|docs\/|node:)/],
  [/^test\//, /./],
];
const CHEVROTAIN = /^grammar\/(tokens|parser[a-z-]*|parse|layout)\.ts$/;

const direction: Rule = {
  name: "imports go in one direction",
  check(file) {
    const may = KNOWS.find(([prefix]) => prefix.test(file.path))?.[1];
    if (may === undefined) return ["stands where no source file should"];
    const wrong = importsOf(file).filter(({ from }) => !may.test(from));
    return wrong.map(({ from, line }) => `${line}: must not know ${from}`);
  },
  bad: { path: "runtime/machine/x.ts", text: 'import type { Patch } from "../patch.ts";\n' },
  good: { path: "runtime/mm/x.ts", text: 'import type { Kernel } from "../machine/step.ts";\n' },
};
const parserToolkit: Rule = {
  name: "chevrotain is used by tokens, parse, parser and layout only; others of grammar/ know its types",
  check: (file) =>
    importsOf(file)
      .filter(({ from, typeOnly }) => from === "chevrotain" && !typeOnly && !CHEVROTAIN.test(file.path))
      .filter(() => !file.path.startsWith("test/"))
      .map(({ line }) => `${line}: imports values of chevrotain`),
  bad: { path: "grammar/suggest.ts", text: 'import { Lexer } from "chevrotain";\n' },
  good: { path: "grammar/suggest.ts", text: 'import type { Lexer } from "chevrotain";\n' },
};

// ---- words that are not used

interface Banned {
  readonly word: RegExp;
  readonly instead: string;
  readonly sample: string;
  readonly but?: RegExp;
}
const BANNED: readonly Banned[] = [
  { word: /\bMath\.random\b/, instead: "a generator with a seed", sample: "const x = Math.random();" },
  { word: /\bDate\.now\b|\bnew Date\b/, instead: "performance.now()", sample: "const x = Date.now();" },
  {
    word: /\bconsole\./,
    instead: "the Io that is handed in",
    sample: "console.log(1);",
    but: /^test\/bench\//,
  },
  { word: /^\s*(?:export\s+)?(?:const\s+)?enum\s/, instead: "a const object", sample: "enum A {" },
  {
    word: /(?:[:<,|&(]|\bas|=>)\s*any\b(?!\s*[:(=.])|\bany\[\]/,
    instead: "unknown, or the type that it is",
    sample: "const x = y as any;",
    but: /^runtime\/machine\/step\.ts$/, // what `yield` evaluates to differs from step to step: see there
  },
  { word: /\bexport default\b/, instead: "a named export", sample: "export default x;" },
  { word: /@ts-(?:ignore|nocheck)/, instead: "a type that fits", sample: "x(); // @ts-ignore" },
  { word: /\b(?:TODO|FIXME|XXX)\b/, instead: "doing it, or an issue", sample: "f(); // TODO: more" },
];
const inComments = /ts-|TODO/;
const bannedRules: readonly Rule[] = BANNED.map(({ word, instead, sample, but }) => ({
  name: `not ${sample}: ${instead}`,
  check({ path, text }) {
    if (but?.test(path) === true || path.startsWith("test/support/tidy")) return [];
    const where = inComments.test(word.source) ? text : codeOf(text);
    return linesMatching(where, word, (match) => `\`${match}\` is banned, use ${instead}`);
  },
  bad: { path: "interpreter/x.ts", text: `${sample}\n` },
  good: { path: "interpreter/x.ts", text: `const s = "Math.random console.log any enum"; // many, company\n` },
}));
const noClock: Rule = {
  name: "the modelled kernel knows no process and no clock",
  check: ({ path, text }) =>
    path.startsWith("runtime/")
      ? linesMatching(
          codeOf(text),
          /\b(?:process|performance|globalThis|setTimeout)\b\s*[.([]/,
          (m) => `${m} in runtime/`,
        )
      : [],
  bad: { path: "runtime/mm/x.ts", text: "const t = performance.now();\n" },
  good: { path: "runtime/mm/x.ts", text: "const process = 1; // performance.now()\n" },
};
const noState: Rule = {
  name: "bodies keep nothing between runs: no `let` at the top of a module of the kernel's",
  check: ({ path, text }) =>
    /^runtime\/(mm|drivers|kernels|callables)\//.test(path)
      ? linesMatching(codeOf(text), /^(?:export\s+)?(?:let|var)\s+\w+/, (match) => `\`${match}\` outlives a run`)
      : [],
  bad: { path: "runtime/drivers/x.ts", text: "export let count = 0;\n" },
  good: { path: "runtime/drivers/x.ts", text: "function f() {\n  let count = 0;\n}\n" },
};

// ---- sizes

const COLUMNS = 120;
const FUNCTION_LINES = 70;
const FILE_LINES = 450;
/** Longer than others, and why. */
const LONG_FUNCTIONS: readonly (readonly [path: string, head: RegExp, why: string])[] = [
  ["test/grammar/errors.test.ts", /^test\(/, "a table of texts and what they must say"],
];
const LONG_FILES: ReadonlyMap<string, string> = new Map([
  ["grammar/ast.ts", "the tree, type by type: nothing in it runs"],
  ["grammar/codes.ts", "a table, one entry a code"],
  ["test/grammar/errors.test.ts", "a table of texts and what they must say"],
]);

const narrow: Rule = {
  name: `lines of at most ${COLUMNS} columns`,
  check: ({ text }) =>
    text.split("\n").flatMap((line, i) => (line.length > COLUMNS ? [`${i + 1}: ${line.length} columns`] : [])),
  bad: { path: "grammar/x.ts", text: `// ${"x".repeat(COLUMNS)}\n` },
  good: { path: "grammar/x.ts", text: `// ${"x".repeat(COLUMNS - 3)}\n` },
};
const shortFunctions: Rule = {
  name: `functions of at most ${FUNCTION_LINES} lines`,
  check: ({ path, text }) =>
    functionsOf(text)
      .filter(({ lines }) => lines > FUNCTION_LINES)
      .filter(({ head }) => !LONG_FUNCTIONS.some(([where, which]) => where === path && which.test(head)))
      .map(({ line, lines, head }) => `${line}: ${lines} lines: ${head}`),
  bad: {
    path: "grammar/x.ts",
    text: `function f(a: { b: number } = {}): Map<string, number> {\n${"  g();\n".repeat(69)}}\n`,
  },
  good: { path: "grammar/x.ts", text: `class A {\n  f() {\n${"    g();\n".repeat(68)}  }\n  h() {}\n}\n` },
};
const shortFiles: Rule = {
  name: `files of at most ${FILE_LINES} lines`,
  check: ({ path, text }) => {
    const lines = text.split("\n").length - 1;
    return lines > FILE_LINES && !LONG_FILES.has(path) ? [`${lines} lines`] : [];
  },
  bad: { path: "grammar/x.ts", text: "x();\n".repeat(FILE_LINES + 1) },
  good: { path: "grammar/x.ts", text: "x();\n".repeat(FILE_LINES) },
};

// ---- the rest

const testsRun: Rule = {
  name: "a test file ends with .run(), or nobody ever runs it",
  check: ({ path, text }) =>
    /\.test\.tsx?$/.test(path) && !/\w\.run\(\);\n$/.test(text) ? ["does not end with .run();"] : [],
  bad: { path: "test/x.test.ts", text: 'test("x", () => {});\n' },
  good: { path: "test/x.test.ts", text: 'test("x", () => {});\n\ntest.run();\n' },
};
// Spelled apart, for this file is looked at as well.
const WORKPLACE = new RegExp(["/wo" + "rk/", "\\bsha" + "red/", "/tm" + "p/[a-z]+dist", "/ho" + "me/"].join("|"));
const noWorkplace: Rule = {
  name: "nothing names the machine it was written on",
  check: ({ text }) => linesMatching(text, WORKPLACE, (match) => `\`${match}\` is nobody else's path`),
  bad: { path: "README.md", text: `see ${"/wo" + "rk/"}main\n` },
  good: { path: "README.md", text: "we work on the main branch; shared words\n" },
};

/** For .ts files, and for every file there is. */
export const rules: readonly Rule[] = [
  direction,
  parserToolkit,
  ...bannedRules,
  noClock,
  noState,
  narrow,
  shortFunctions,
  shortFiles,
  testsRun,
];
export const rulesForAll: readonly Rule[] = [noWorkplace];

/** Source files that nobody imports and nothing starts: no test file, and in no command by the name tsc gives it. */
export function deadFiles(files: readonly Source[]): string[] {
  const imported = new Set(files.flatMap((file) => importsOf(file).map(({ from }) => from)));
  const isStarted = (path: string): boolean => {
    const compiled = `dist/${path.replace(/\.tsx?$/, ".js")}`;
    const manifest = files.find((file) => file.path === "package.json");
    return files.some(({ text }) => text.includes(compiled)) || (manifest?.text.includes(path) ?? false);
  };
  const isSource = (path: string): boolean => /(?<!\.test)\.tsx?$/.test(path);
  return files.map(({ path }) => path).filter((path) => isSource(path) && !imported.has(path) && !isStarted(path));
}
/** Exceptions that are none any more. */
export function needlessExceptions(files: readonly Source[]): string[] {
  const textOf = (path: string): string => files.find((file) => file.path === path)?.text ?? "";
  const functions = LONG_FUNCTIONS.filter(([path, which]) => {
    const long = functionsOf(textOf(path)).filter(({ lines }) => lines > FUNCTION_LINES);
    return !long.some(({ head }) => which.test(head));
  });
  const isShort = (path: string): boolean => textOf(path).split("\n").length - 1 <= FILE_LINES;
  return [...functions.map(([path, which]) => `${path} ${which.source}`), ...[...LONG_FILES.keys()].filter(isShort)];
}
