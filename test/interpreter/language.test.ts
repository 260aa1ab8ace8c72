/**
 * LANGUAGE.md: every example runs, every command prints what is shown, and nothing that a script can write is left out.
 * What its blocks say about themselves behind the word for their language:
 *
 * - `hmm name.hmm`, `c name.c`: a file that commands further down name. Other `hmm` blocks are scripts without a name.
 * - `hmm verbatim`: not in the canonical spelling, and meant so.
 *
 * A script holds (exit 0, no warnings), unless a command shows what else becomes of it. Commands are told as a shell
 * tells them: `$ hmm check x.hmm; echo $?` for an exit code other than 0. A line `...` stands for lines left out.
 */
import type { CallbackSignature } from "../../runtime/callables/ops.ts";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";
import { reportKinds } from "../../grammar/words.ts";
import { builtinNames } from "../../interpreter/bind/builtins.ts";
import { signature } from "../../interpreter/bind/signature.ts";
import { main } from "../../interpreter/main.ts";
import { showWords } from "../../interpreter/show.ts";
import { ERRNO } from "../../runtime/machine/errno.ts";
import { callables, callbackTables, constants, declarableTypes, patches } from "../../runtime/kernel.ts";
import { realIo, type Ran } from "../support/cli.ts";

const test = suite("LANGUAGE.md");
const page = readFileSync("LANGUAGE.md", "utf8");
const ast = readFileSync("grammar/ast.ts", "utf8");

interface Block {
  readonly language: string;
  readonly name: string | undefined;
  readonly isVerbatim: boolean;
  readonly body: string;
  readonly line: number;
}
const blocks: readonly Block[] = [...page.matchAll(/^```(\w+)(.*)\n([^]*?)^```$/gm)].map((match) => {
  const [, language = "", said = "", body = ""] = match;
  const words = said.split(" ");
  return {
    language,
    name: words.find((word) => /\.(hmm|c)$/.test(word)),
    isVerbatim: words.includes("verbatim"),
    body,
    line: page.slice(0, match.index).split("\n").length,
  };
});
const scripts = blocks.filter(({ language }) => language === "hmm");
const files = new Map(blocks.flatMap(({ name, body }) => (name === undefined ? [] : [[name, body]])));
/** What a script without a name goes by. */
const UNNAMED = "example.hmm";

// ---- the commands

interface Shown {
  readonly command: string;
  readonly args: readonly string[];
  /** The file whose text is handed to it as standard input. */
  readonly input: string | undefined;
  readonly tellsCode: boolean;
  readonly lines: readonly string[];
  readonly line: number;
}
const shown: readonly Shown[] = blocks
  .filter(({ language }) => language === "console")
  .flatMap(({ body, line }) =>
    body
      .trimEnd()
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [command = "", ...lines] = text.trimEnd().split("\n");
        const [, words = "", input, code] = /^hmm (.*?)(?: < (\S+))?(; echo \$\?)?$/.exec(command) ?? [];
        const args = [...words.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3] ?? "");
        return { command, args, input, tellsCode: code !== undefined, lines, line };
      }),
  );

function hmm(args: readonly string[], input?: string): Ran {
  let out = "";
  let err = "";
  const real = realIo(
    (text) => void (out += text),
    (text) => void (err += text),
    input === undefined ? "" : files.get(input),
  );
  const readFile = (path: string): string => {
    const text = files.get(path);
    if (text === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
    return text;
  };
  const writeFile = (path: string): void => {
    throw new Error(`the page would write ${path}`);
  };
  const code = main(args, { ...real, readFile, writeFile, exists: (path) => files.has(path) });
  return { code, out, err };
}

/** Line by line; what `...` leaves out may be anything, at the end of a line too. */
function assertPrints({ command, lines, line }: Shown, printed: readonly string[]): void {
  const fits = (text = "", wanted = ""): boolean =>
    wanted.endsWith(" ...") ? text.startsWith(wanted.slice(0, -"...".length)) : text === wanted;
  const chunks = lines.reduce<string[][]>(
    (all, text) => (text === "..." ? [...all, []] : [...all.slice(0, -1), [...(all.at(-1) ?? []), text]]),
    [[]],
  );
  let from = 0;
  for (const [i, chunk] of chunks.entries()) {
    const starts = i === 0 ? [from] : [...printed.keys()].filter((start) => start >= from);
    const found = starts.find((start) => chunk.every((text, j) => fits(printed[start + j], text)));
    const told = `line ${line}: $ ${command}\ndoes not print\n${chunk.join("\n")}\nbut\n`;
    assert.ok(found !== undefined || chunk.length === 0, told + printed.slice(from, from + 60).join("\n"));
    from = (found ?? from) + chunk.length;
  }
  const rest = printed.slice(from).join("\n");
  assert.ok(rest === "" || lines.at(-1) === "...", `line ${line}: $ ${command}\nprints more:\n${rest}`);
}

for (const one of shown)
  test(`$ ${one.command}`, () => {
    assert.ok(one.args.length > 0, `line ${one.line}: no command that this test can run`);
    const { code, out, err } = hmm(one.args, one.input);
    const printed = `${out}${err}`.trimEnd().split("\n");
    assertPrints(one, one.tellsCode ? [...printed, String(code)] : printed);
    if (!one.tellsCode) assert.is(code, 0, `line ${one.line}: ${out}${err}`);
  });

// ---- the scripts

test("files have names of their own", () => {
  const names = blocks.flatMap(({ name }) => name ?? []);
  assert.equal([...new Set(names)], names);
});

/** Commands that show what is wrong with a script. */
const isShownToFail = ({ name }: Block): boolean =>
  name !== undefined &&
  shown.some(({ args, input, tellsCode }) => tellsCode && (args.includes(name) || input === name));

for (const script of scripts) {
  const what = `line ${script.line}: ${script.name ?? "a script"}`;
  if (!isShownToFail(script))
    test(`${what} holds`, () => {
      files.set(UNNAMED, script.body);
      const { code, out, err } = hmm(["check", script.name ?? UNNAMED]);
      assert.is(err, "", what);
      assert.is(code, 0, `${what}\n${out}`);
    });
  if (!script.isVerbatim)
    test(`${what} is in the canonical spelling`, () => {
      const formatted = format(new SourceText(what, script.body));
      if ("text" in formatted) assert.is(formatted.text, script.body, what);
      else assert.ok(isShownToFail(script), what);
    });
}

test("spellings that are said to be one are one", () => {
  const [, , ...rows] =
    page
      .slice(page.search(/^\| written +\| is the same as/m))
      .split(/\n(?!\|)/, 1)[0]
      ?.split("\n") ?? [];
  assert.ok(rows.length > 5);
  for (const row of rows) {
    const texts = [...row.matchAll(/`([^`]+)`/g)].map((match) => format(new SourceText(row, `${match[1]}\n`)));
    assert.is(texts.length, 2, row);
    assert.ok(texts[0] !== undefined && "text" in texts[0], row);
    assert.equal(texts[0], texts[1], row);
  }
});

// ---- nothing is left out

/** The names in a union of the tree, as they stand in `kind`. */
function kindsIn(union: string): string[] {
  const members = new RegExp(`^export type ${union} =([^;]*);`, "m").exec(ast)?.[1]?.match(/\w+/g) ?? [];
  const kinds = members.flatMap((member) => {
    const body = new RegExp(`^export interface ${member} \\{([^]*?)^\\}`, "m").exec(ast)?.[1] ?? "";
    return /readonly kind: ([^;]*);/.exec(body)?.[1]?.match(/(?<=")\w+(?=")/g) ?? [];
  });
  assert.ok(kinds.length > 1, union);
  return kinds;
}
/** Every `kind` in a tree; those of places behind `until` begin with that word. */
function* kindsOf(node: unknown, owner = ""): Generator<string> {
  if (typeof node !== "object" || node === null || node instanceof SourceText) return;
  if ("kind" in node && typeof node.kind === "string") yield owner === "what" ? `${owner} ${node.kind}` : node.kind;
  for (const [key, value] of Object.entries(node)) {
    const isPart = Array.isArray(node);
    yield* kindsOf(value, isPart ? owner : key);
  }
}

test("every kind of statement, expectation, callback and expression is in some example", () => {
  const used = new Set(
    blocks
      .filter(({ language }) => language === "hmm" || language === "c")
      .flatMap(({ body }) => [...kindsOf(parse(new SourceText("example", body)).script)]),
  );
  const wanted = [
    ...["Statement", "Callback", "Expr"].flatMap(kindsIn),
    ...[...kindsIn("Expectation"), "function", "label", "text", "blocked"].map((kind) => `what ${kind}`),
    "init",
  ];
  assert.equal(
    wanted.filter((kind) => !used.has(kind)),
    [],
  );
});

const missing = (names: readonly string[]): string[] =>
  names.filter(
    (name) => !new RegExp(`(?<![\\w-])${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\w])`).test(page),
  );

test("everything that can be called is there, with its parameters", () => {
  const own = callables.filter(({ synonymOf }) => synonymOf === undefined);
  assert.equal(
    own.map(signature).filter((text) => !page.includes(`\`${text}\``)),
    [],
  );
  for (const { name } of callables.filter(({ synonymOf }) => synonymOf !== undefined))
    assert.match(name, /^atomic(_long|64)_/);
  assert.equal(
    missing(["atomic_long_", "atomic64_", ...builtinNames()].map((name) => name.replace(/_$/, "_\u2026"))),
    [],
  );
});

test("every type, callback, patch, constant, error and kind of report is there", () => {
  assert.equal(missing(Object.keys(declarableTypes)), []);
  assert.equal(missing(patches.map(({ name }) => name)), []);
  assert.equal(missing(Object.keys(constants)), []);
  assert.equal(missing(Object.keys(ERRNO)), []);
  assert.equal(missing([...reportKinds, ...showWords()]), []);
  for (const [type, { callbacks }] of Object.entries(callbackTables))
    for (const [name, { params }] of Object.entries(callbacks).flatMap(([one, known]) =>
      [known].flat().map((signature): [string, CallbackSignature] => [one, signature]),
    )) {
      const text = `\`${name}(${params.map((param) => param.name).join(", ")})\``;
      assert.ok(page.includes(text), `${type}: ${text}`);
    }
});

test("every command and option is there", () => {
  const commands = [...hmm(["--help"]).out.matchAll(/^ {2}hmm (\w+)/gm)].map((match) => match[1] ?? "");
  assert.ok(commands.length >= 5);
  for (const command of commands) {
    assert.ok(page.includes(`hmm ${command}`), command);
    const { out } = hmm([command, "--help"]);
    const options = [...out.matchAll(/^ {2}(--?[\w-]+)/gm)].map((match) => match[1] ?? "");
    assert.equal(
      options.filter((option) => !page.includes(`\`${option}`)),
      [],
      command,
    );
  }
});

test("lines keep to 120 columns, links lead somewhere", () => {
  page.split("\n").forEach((line, i) => assert.ok(line.length <= 120, `line ${i + 1} has ${line.length} columns`));
  const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
  for (const [, anchor = ""] of page.matchAll(/\]\(#([^)]*)\)/g)) assert.ok(anchors.includes(anchor), anchor);
});

test.run();
