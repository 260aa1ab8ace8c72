/**
 * `hmm doc`: what there is. `hmm doc mmput`: what a function is, and what it does, step by step and with its locks, as
 * the machine runs it in a given kernel. `hmm doc mmput --diff A B`: what differs between two kernels.
 */
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { SourceText } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable } from "../../runtime/callable.ts";
import { callables, declarableTypes, lifeOfType, patches } from "../../runtime/kernel.ts";
import { allFunctions, functionById, type FunctionInfo, type KernelFunction } from "../../runtime/machine/function.ts";
import type { FunctionBody } from "../../runtime/machine/automaton.ts";
import {
  DEFAULT_ERA,
  ERAS,
  erasOf,
  existsIn,
  functionIn,
  resolveBodies,
  type Era,
  type Life,
  type Patch,
  erasText,
  lifeText,
} from "../../runtime/patch.ts";
import { macros } from "../bind/builtins.ts";
import { chooseKernel, type ChosenKernel } from "../bind/kernels.ts";
import { signature } from "../bind/signature.ts";
import { inLines } from "../columns.ts";
import { differences } from "../doc-diff.ts";
import { shaped } from "../doc-shape.ts";
import { allTypes, shortName } from "../doc-world.ts";
import { bodyText, WIDEST } from "../doc-text.ts";
import { Unroller } from "../doc-unroll.ts";
import type { ExitCode, Io } from "../io.ts";
import { scriptText } from "./doc-script.ts";
import { printDiagnostics } from "./load.ts";

export interface DocOptions {
  readonly kernel: string | undefined;
  /** Two kernels to compare. */
  readonly diff: readonly [string, string] | undefined;
}

const WIDTH = 80;

type AnyFunction = KernelFunction<never, unknown>;
/** What a name means in a kernel: a function of it, what a script can call under that name, or both. */
interface Subject {
  readonly name: string;
  readonly fn: AnyFunction | undefined;
  /** What scripts on that kernel call, and those on any. */
  readonly here: readonly Callable[];
  readonly entries: readonly Callable[];
}

export function doc(names: readonly string[], options: DocOptions, io: Io): ExitCode {
  const [name, ...more] = names;
  if (name === undefined) {
    io.out(overview());
    return 0;
  }
  if (more.length > 0) {
    io.err("hmm: doc takes one name, such as mmput\n");
    return 2;
  }
  const macro = macros().find((known) => known.name === name);
  const isThere = allNames().includes(name) || subjectCalled(name, DEFAULT_ERA) !== undefined;
  if (!isThere) {
    const meant = nearest(name, allNames());
    io.err(`hmm: there is no function ${name}${meant === undefined ? "" : `; did you mean ${meant}?`}\n`);
    return 2;
  }
  if (options.diff !== undefined && macro === undefined) return compare(name, options.diff, io);
  const kernel = kernelCalled(options.kernel ?? usualKernel(name), io);
  if (kernel === undefined) return 2;
  const subject = subjectCalled(name, kernel.era);
  if (subject === undefined && macro !== undefined) {
    io.out(`${macro.name}\n  ${macro.summary}\n\nNo function: a macro, or what does nothing in the model.\n`);
    return 0;
  }
  if (subject === undefined) return isElsewhere(name, kernel, io);
  const script = subject.entries.length === 0 ? [] : ["", ...scriptText(subject.entries)];
  io.out(`${[...headText(subject), "", ...bodyOf(subject, kernel), ...script].join("\n")}\n`);
  return 0;
}

function isElsewhere(name: string, kernel: ChosenKernel, io: Io): ExitCode {
  io.err(`hmm: there is no function ${name} in ${kernel.era}; kernels that have it: ${erasText(erasWith(name))}\n`);
  return 2;
}

// ---- names

/** What a name means in an era. */
function subjectCalled(name: string, era: Era): Subject | undefined {
  const entries = callables.filter((entry) => entry.name === name);
  const here = entries.filter((entry) => existsIn(entry, era));
  const runs = here.map((entry) => entry.run).find((run) => "info" in run);
  const fn = functionIn(name, era) ?? (runs as unknown as AnyFunction | undefined) ?? functionIn(`__${name}`, era);
  return fn === undefined && here.length === 0 ? undefined : { name, fn, here, entries };
}
/** Every name that `hmm doc` knows, each once. */
export function allNames(): string[] {
  const functions = allFunctions().filter((fn) => fn.info.internal !== true && fn.info.source !== undefined);
  const names = [...callables, ...macros(), ...functions].map(({ name }) => name);
  return [...new Set(names)];
}

/** Everything in one page: a script's words by what they are for, then what these are made of. */
export function overview(): string {
  const own = callables.filter((entry) => entry.synonymOf === undefined);
  const width = Math.max(...own.map((entry) => signature(entry).length));
  const rows = new Map(
    own.map((entry) => {
      const patch = entry.patch === undefined ? onlyIn(entry) : ` (with ${entry.patch})`;
      return [signature(entry), `  ${signature(entry).padEnd(width)}  ${entry.summary}${patch}`];
    }),
  );
  const called = new Set([...callables, ...macros()].map((entry) => entry.name));
  const inner = allNames().filter((name) => !called.has(name));
  const widest = Math.max(...inner.map((name) => name.length));
  return [
    "What a CPU can call: `cpu0: NAME ARGUMENT ARGUMENT` or `cpu0: NAME(ARGUMENT, ARGUMENT)`",
    ...rows.values(),
    "",
    "Other names for some of these:",
    ...inLines(
      callables.filter((entry) => entry.synonymOf !== undefined).map((entry) => entry.name),
      100,
      "  ",
    ),
    "",
    "Macros, and what does nothing in the model:",
    ...macros().map((macro) => `  ${macro.name.padEnd(width)}  ${macro.summary}`),
    "",
    "Objects to declare: `TYPE NAME`",
    ...inLines(
      Object.keys(declarableTypes).map((name) => name + onlyIn(lifeOfType(name))),
      100,
      "  ",
    ),
    "",
    "What these are made of:",
    ...inner.map((name) => `  ${name.padEnd(widest)}  ${summaryOf(name)}`.trimEnd()),
    "",
    "`hmm doc NAME` says more about one: what it does, step by step.",
    "",
  ].join("\n");
}

const summaryOf = (name: string): string =>
  allFunctions().find((fn) => fn.name === name && fn.info.summary !== undefined)?.info.summary ?? "";

// ---- kernels

/** " (v5.2)" for what not every kernel has. */
function onlyIn(life: Life): string {
  const text = lifeText(life);
  return text === "" ? "" : ` (${text})`;
}

function kernelCalled(text: string, io: Io): ChosenKernel | undefined {
  const out: Diagnostic[] = [];
  const kernel = chooseKernel([], text, new SourceText("", ""), [], out);
  if (out.length > 0) printDiagnostics(out, io);
  return out.some(({ severity }) => severity === "error") ? undefined : kernel;
}
/** The eras that have it, oldest first. */
function erasWith(name: string): readonly Era[] {
  const lives = [
    ...allFunctions()
      .filter((fn) => fn.info.internal !== true)
      .map(({ name, info }) => ({ name, ...info })),
    ...callables,
  ];
  const eras = new Set(lives.filter((one) => one.name === name).flatMap(erasOf));
  const patch = patchOf(subjectCalled(name, [...eras][0] ?? DEFAULT_ERA));
  const fits = patches.find((one) => one.name === patch)?.eras ?? ERAS;
  return ERAS.filter((era) => (eras.size === 0 || eras.has(era)) && fits.includes(era));
}
/** The kernel that scripts usually run on, or the newest that has it. */
function usualKernel(name: string): string {
  const eras = erasWith(name);
  const era = eras.includes(DEFAULT_ERA) ? DEFAULT_ERA : (eras.at(-1) ?? DEFAULT_ERA);
  const patch = patchOf(subjectCalled(name, era));
  return [era, ...(patch === undefined ? [] : [patch])].join(" + ");
}
/** The patch that brings it: drivers are there with what their calls need. */
function patchOf(subject: Subject | undefined): string | undefined {
  if (subject === undefined) return undefined;
  const { fn, entries } = subject;
  const own = entries.find((entry) => entry.patch !== undefined)?.patch;
  return own ?? callables.find((entry) => entry.source === fn?.info.source && entry.patch !== undefined)?.patch;
}
/** In which kernels it is what. */
function kernelsText(subject: Subject): string {
  const { fn } = subject;
  const patch = patchOf(subject);
  const there = erasWith(subject.name);
  const eras = fn?.bodies.length === 1 || fn === undefined ? [] : fn.bodies.map(({ since }) => since ?? there[0]);
  const first = [...new Set([there[0], there.at(-1)])].join(" to ");
  const replaced = patches.filter((p) => p.replacements.some((r) => r.fn.id === fn?.id)).map((p) => p.name);
  const parts = [patch === undefined ? first : `${first}, with ${patch} only`];
  if (eras.length > 0) parts.push(`bodies since ${eras.join(", ")}`);
  if (replaced.length > 0) parts.push(`another body with ${replaced.join(", ")}`);
  return parts.join("; ");
}

// ---- texts

function headText(subject: Subject): string[] {
  const { name, fn, here: entries } = subject;
  const info: FunctionInfo = fn?.info ?? {};
  const params = info.params ?? entries[0]?.params.map((param) => param.name) ?? [];
  const title = `${fn === undefined || fn.info.internal === true ? name : fn.name}(${params.join(", ")})`;
  const source = info.source ?? entries[0]?.source ?? "";
  const room = WIDTH - title.length - source.length;
  const lines =
    room >= 2 ? [title + " ".repeat(room) + source] : [title, " ".repeat(Math.max(0, WIDTH - source.length)) + source];
  const summary = info.summary ?? sentence(entries[0]?.summary ?? "");
  lines.push(...inLines(summary.split(" "), WIDTH, "  ", " "), "");
  const row = (label: string, text: string): void => {
    const [first = "", ...rest] = inLines(text.split(" "), WIDTH, " ".repeat(11), " ");
    lines.push(`  ${label.padEnd(9)}${first.slice(11)}`, ...rest);
  };
  row("kernels", kernelsText(subject));
  if (info.differs !== undefined) row("differs", info.differs);
  return lines;
}
const sentence = (text: string): string => (text === "" ? "" : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`);

const LEGEND = [
  "  A number is a step, where another CPU can get in, or a call, which has steps",
  "  of its own. A line with `-` is none: it touches what nobody else can see.",
  "  Lines without either only decide. [locks] are held from that line on: `-lock`",
  "  is the caller's and given up, `lock?` is held on some of the ways there.",
  "  Conditions are what told apart the cases that were tried; `...` is one that",
  "  no short question tells.",
];

function bodyOf(subject: Subject, kernel: ChosenKernel): string[] {
  const { lines, cut, died } = linesOf(subject, kernel);
  const note = cut ? ["", "  (the body is longer than what is shown here)"] : [];
  const whose = isYounger(subject, kernel.era) ? ` (that of ${OLDEST_MM}: no older one is known)` : "";
  return [
    `  The body in ${kernel.text}${whose}, as the machine runs it:`,
    "",
    ...(lines.length > 0 ? lines : died ? UNTOLD : ["      nothing"]),
    ...note,
    "",
    ...LEGEND,
  ];
}
/** Where the facts give no body of an era's own, it has the oldest there is. */
const OLDEST_MM = "v5.2";
function isYounger({ fn }: Subject, era: Era): boolean {
  if (fn === undefined || !existsIn({ until: OLDEST_MM }, era)) return false;
  const begins = fn.info.since ?? null; // what begins in an old era is described as of that one
  return begins === null && fn.bodies.every(({ since }) => since === null || existsIn({ since: OLDEST_MM }, since));
}
const UNTOLD = [
  "      not told: no arguments could be made up that it gets anywhere with;",
  "      `hmm run --trace=steps` shows what it does in a script",
];
function linesOf({ name, fn, here }: Subject, kernel: ChosenKernel): { lines: string[]; cut: boolean; died: boolean } {
  const { bodies } = resolveBodies(kernel.era, builtIn(kernel));
  if (fn !== undefined) return inWordsOf(kernel.era, printed(bodies, fn.id));
  // A call that has no function of its own: what it stands for.
  const id = -1_000_000;
  const [entry] = here as [Callable];
  const body = { name, body: entry.run as FunctionBody["body"] };
  const params = new Map([[id, entry.params.flatMap(parameter)]]);
  return inWordsOf(kernel.era, printed(new Map([...bodies, [id, body]]), id, params));
}
/** Bodies are told in the names that the members have in the model: some eras call them otherwise. */
function inWordsOf<T extends { readonly lines: readonly string[] }>(era: Era, told: T): T {
  const others = allTypes().flatMap((cls) =>
    (cls.otherNames ?? []).filter((other) => existsIn(other, era)).map((other) => ({ cls, ...other })),
  );
  const rename = (line: string): string =>
    others.reduce((text, { cls, member, name, ofType }) => {
      const typed = ofType === true ? text.replaceAll(`struct ${cls.name}`, `struct ${name}`) : text;
      return typed.replace(new RegExp(`\\b${member ?? shortName(cls)}\\b`, "g"), name);
    }, line);
  return { ...told, lines: told.lines.map(rename).map(fitted) };
}
/** Longer names push the locks beside a step out of the page. */
function fitted(line: string): string {
  const over = line.length - WIDEST;
  return over <= 0 ? line : line.replace(new RegExp(` {${over}}(?= {2}\\[)`), "");
}
/** Members of what is handed on by value: nobody writes to them. */
const CONSTANT_MEMBERS = ["range->blockable", "update->blockable", "walk->fault"];

function printed(
  bodies: ReadonlyMap<number, FunctionBody>,
  fn: number,
  params?: ReadonlyMap<number, readonly string[]>,
): { lines: string[]; cut: boolean; died: boolean } {
  const { lines, cut, died } = new Unroller(bodies, params).tree(fn);
  const constants = [...(params?.get(fn) ?? functionById(fn)?.info.params ?? []), ...CONSTANT_MEMBERS];
  return { lines: bodyText(shaped(lines, constants)), cut, died };
}
function parameter({ name, of }: Callable["params"][number]): string[] {
  if (of.kind === "range") return ["start", "end"];
  if (of.kind === "mapping") return ["flags", "file", "pgoff"];
  if (of.kind === "lock" && of.lock !== "rwsem") return [`${of.lock === "any" ? "spinlock" : of.lock} lock`];
  return [name];
}

function compare(name: string, [a, b]: readonly [string, string], io: Io): ExitCode {
  const kernels = [kernelCalled(a, io), kernelCalled(b, io)];
  const [left, right] = kernels;
  if (left === undefined || right === undefined) return 2;
  const subject = subjectCalled(name, left.era);
  const then = subjectCalled(name, right.era);
  if (subject === undefined) return isElsewhere(name, left, io);
  if (then === undefined) return isElsewhere(name, right, io);
  const [before, after] = [linesOf(subject, left), linesOf(then, right)];
  const changed = differences(before.lines, after.lines);
  const out = [`${subject.name}: ${left.text} (-) and ${right.text} (+)`, ""];
  if (changed === undefined) out.push("  The bodies are the same.");
  else out.push(...changed);
  const called = calledIn([...before.lines, ...after.lines], subject, left, right);
  if (called.length > 0)
    out.push("", ...inLines(["Of what it calls these differ:", called.join(", ")], WIDTH, "  ", " "));
  io.out(`${out.join("\n")}\n`);
  return 0;
}
/** Functions that are called there and have other bodies in the other kernel. */
function calledIn(lines: readonly string[], { fn }: Subject, left: ChosenKernel, right: ChosenKernel): string[] {
  const [a, b] = [left, right].map((kernel) => resolveBodies(kernel.era, builtIn(kernel)).bodies);
  const text = lines.join("\n");
  const names = [...new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])]
    .filter((id) => id !== fn?.id && a?.get(id)?.body !== b?.get(id)?.body)
    .map((id) => functionById(id)?.name ?? "");
  return [...new Set(names)].filter((name) => name !== fn?.name && new RegExp(`\\b${name}\\(`).test(text));
}

/** The patches that are the kernel's; a script's own are not known here. */
function builtIn(kernel: ChosenKernel): readonly Patch[] {
  return kernel.patches.filter((patch): patch is Patch => "replacements" in patch);
}
