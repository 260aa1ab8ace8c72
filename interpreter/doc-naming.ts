/**
 * Texts of several situations made one: where they differ in values only, and a name or a formula that C would use says
 * in every one of them what the value is, that stands there instead.
 */
import { ENTRY_FORMULAS, isEntryValue } from "./doc-entries.ts";
import { isNull, PAGE_SIZE, render, type Known } from "./doc-world.ts";
import type { Situation } from "./doc-follow.ts";

const SMALL = 4096;
const TOKEN = /(-?\b0x[0-9a-f]+\b|-E[A-Z0-9]+\b|(?<![\w])-?\d+\b|ret\d*\[\d+\]|\{ \.\.\. \}|[A-Za-z_]\w*(?:#\d+)?)/;
const VALUE = /^(?:-?0x[0-9a-f]+|-E[A-Z0-9]+|-?\d+|NULL|true|false)$/;
/** Numbers that have names of their own. */
const CONSTANTS: ReadonlyMap<number, string> = new Map([
  [2 ** 47, "TASK_SIZE"],
  [PAGE_SIZE, "PAGE_SIZE"],
]);

/** The one text of a group of situations; undefined if there is none. */
export function oneText(texts: readonly string[], group: readonly Situation[]): string | undefined {
  const first = texts[0] as string;
  const columns = first.split(TOKEN);
  const others = new Map<string, string[]>();
  for (const text of texts) if (!others.has(text)) others.set(text, text.split(TOKEN));
  for (const tokens of others.values()) if (tokens.length !== columns.length) return undefined;
  const rows = texts.map((text) => others.get(text) as string[]);
  const out: string[] = [];
  for (const [i, token] of columns.entries()) {
    const same = [...others.values()].every((row) => row[i] === token);
    const isToken = i % 2 === 1;
    if (same && !(isToken && wantsName(token, columns, i))) {
      out.push(token);
      continue;
    }
    if (!isToken) return undefined;
    const name = nameOf(
      rows.map((row) => row[i] as string),
      group,
      (columns[i - 1] ?? "").endsWith("["),
    );
    if (name === undefined && !same) return undefined;
    out.push(name === undefined ? unnamed(token) : bracketed(name, columns[i - 1] ?? "", columns[i + 1] ?? ""));
  }
  return out.join("");
}
/**
 * The one text of several that differ in numbers only, many of them, with `...` in their place: what a body has
 * computed in more steps than a formula here has. Undefined: they differ in more, or in few.
 */
export function vagueText(texts: readonly string[]): string | undefined {
  const rows = [...new Set(texts)].map((text) => text.split(TOKEN));
  const [first = [], ...others] = rows;
  if (rows.length < VAGUE || others.some((row) => row.length !== first.length)) return undefined;
  const out = first.map((token, i) => {
    if (others.every((row) => row[i] === token)) return token;
    return rows.every((row) => NUMBER.test(row[i] ?? "")) ? "..." : undefined;
  });
  return out.includes(undefined) ? undefined : out.join("");
}
const VAGUE = 3;
const NUMBER = /^(?:-?0x[0-9a-f]+|-E[A-Z0-9]+|-?\d+)$/;

/** An address that was made up says nothing, where nothing tells how it came about. */
function unnamed(token: string): string {
  const n = Number(token);
  return n >= 2 ** 40 && n < 2 ** 47 && n % PAGE_SIZE === 0 ? "..." : token;
}
/** A number that means nothing to a reader as it stands: an address, or an index. */
function wantsName(token: string, columns: readonly string[], i: number): boolean {
  if (!VALUE.test(token) || /^[A-Z]/.test(token)) return false;
  return Math.abs(Number(token)) >= SMALL || ((columns[i - 1] ?? "").endsWith("[") && token !== "0");
}
/** In parentheses, if what stands round it binds more tightly. */
function bracketed(name: string, before: string, after: string): string {
  const isSum = / [-+|] /.test(name) && !/^\w*\(.*\)$/.test(name);
  return isSum && (/[-!&*] ?$/.test(before) || /^ ?[-*/%]/.test(after)) ? `(${name})` : name;
}

function nameOf(tokens: readonly string[], group: readonly Situation[], isIndex: boolean): string | undefined {
  const known = (group[0] as Situation).known;
  for (let k = known.length - 1; k >= 0; k--) {
    const name = (known[k] as Known).name;
    if (tokens.every((token, i) => isText(token, (group[i] as Situation).known[k] as Known, group[i] as Situation)))
      return name;
    const isFlag = typeof (known[k] as Known).value === "boolean";
    if (isFlag && agrees(tokens, group, (s) => render((s.known[k] as Known).value !== true, s.world)))
      return `!${name}`;
  }
  const numbers = tokens.map(Number);
  if (numbers.some(Number.isNaN)) return undefined;
  const constant = CONSTANTS.get(numbers[0] as number);
  if (constant !== undefined && numbers.every((n) => n === numbers[0])) return constant;
  return isEntryValue(numbers[0]) ? entryFormula(numbers, group) : formula(numbers, group, isIndex);
}
/** An entry's value that was made of one that is known. */
function entryFormula(numbers: readonly number[], group: readonly Situation[]): string | undefined {
  const known = (group[0] as Situation).known;
  for (const [text, value] of ENTRY_FORMULAS)
    for (let k = known.length - 1; k >= 0; k--) {
      const from = group.map((s) => (s.known[k] as Known).value);
      if (from.every(isEntryValue) && numbers.every((n, i) => n === value(from[i] as number)))
        return text((known[k] as Known).name);
    }
  return undefined;
}
/** Whether a word of a text stands for a value that goes by several names, or is NULL. */
function isText(token: string, { value }: Known, s: Situation): boolean {
  if (isEntryValue(value)) return token === String(value);
  if (token === render(value, s.world)) return true;
  return s.known.some((k) => k.name === token && k.value === value && !isNull(value));
}
function agrees(tokens: readonly string[], group: readonly Situation[], text: (s: Situation) => string): boolean {
  return tokens.every((token, i) => text(group[i] as Situation) === token);
}

type Formula = readonly [text: (a: string, b: string) => string, value: (a: number, b: number) => number];
const index = (shift: number) => (a: number) => Math.floor(a / 2 ** shift) % 512;
export const boundary = (shift: number) => (a: number, b: number) =>
  Math.min((Math.floor(a / 2 ** shift) + 1) * 2 ** shift, b);
/** Indices into page tables; of several addresses under one entry the first that was known is meant. */
const INDICES: readonly Formula[] = [
  [(a) => `pte_index(${a})`, index(12)],
  [(a) => `pmd_index(${a})`, index(21)],
  [(a) => `pud_index(${a})`, index(30)],
  [(a) => `pgd_index(${a})`, index(39)],
];
const OF_ONE: readonly Formula[] = [
  [(a) => `${a} + PAGE_SIZE`, (a) => a + PAGE_SIZE],
  [(a) => `${a} + PMD_SIZE`, (a) => a + 2 ** 21],
  [(a) => `${a} + PUD_SIZE`, (a) => a + 2 ** 30],
  [(a) => `${a} + 1`, (a) => a + 1],
  [(a) => `${a} - 1`, (a) => a - 1],
  [(a) => `${a} & PAGE_MASK`, (a) => Math.floor(a / PAGE_SIZE) * PAGE_SIZE],
  [(a) => `${a} & PMD_MASK`, (a) => Math.floor(a / 2 ** 21) * 2 ** 21],
  [(a) => `${a} & PUD_MASK`, (a) => Math.floor(a / 2 ** 30) * 2 ** 30],
  [(a) => `(${a} & PMD_MASK) + PMD_SIZE`, (a) => Math.floor(a / 2 ** 21 + 1) * 2 ** 21],
  [(a) => `(${a} & PUD_MASK) + PUD_SIZE`, (a) => Math.floor(a / 2 ** 30 + 1) * 2 ** 30],
  [(a) => `ALIGN(${a}, PMD_SIZE)`, (a) => Math.ceil(a / 2 ** 21) * 2 ** 21],
  [(a) => `${a} & 7`, (a) => ((a % 8) + 8) % 8],
];
/** Where the entry of a page table ends that holds an address; likewise. */
const ENDS: readonly Formula[] = [
  [(a, b) => `pmd_addr_end(${a}, ${b})`, boundary(21)],
  [(a, b) => `pud_addr_end(${a}, ${b})`, boundary(30)],
  [(a, b) => `pgd_addr_end(${a}, ${b})`, boundary(39)],
];
const OF_TWO: readonly Formula[] = [
  [(a, b) => `${a} - ${b}`, (a, b) => a - b],
  [(a, b) => `(${a} - ${b}) >> PAGE_SHIFT`, (a, b) => (a - b) / PAGE_SIZE],
  [(a, b) => `${a} + ${b}`, (a, b) => a + b],
  [(a, b) => `min(${a}, ${b})`, Math.min],
  [(a, b) => `max(${a}, ${b})`, Math.max],
];
/** Which index of a table it is tells a PTE's from a PMD's: all of them may fit. */
function formula(numbers: readonly number[], group: readonly Situation[], isIndex: boolean): string | undefined {
  const known = (group[0] as Situation).known;
  const isNumber = (k: number): boolean => group.every((s) => typeof s.known[k]?.value === "number");
  const ks = known
    .map((_, k) => k)
    .filter(isNumber)
    .reverse();
  const at = (s: Situation, k: number): number => (s.known[k] as Known).value as number;
  const name = (k: number): string => (known[k] as Known).name;
  for (const [text, value] of INDICES)
    for (const k of ks.toReversed())
      if (isIndex && numbers.every((n, i) => value(at(group[i] as Situation, k), 0) === n)) return text(name(k), "");
  for (const [text, value] of OF_ONE)
    for (const k of ks)
      if (numbers.every((n, i) => value(at(group[i] as Situation, k), 0) === n)) return text(name(k), "");
  for (const [list, order] of [
    [OF_TWO, ks],
    [ENDS, ks.toReversed()],
  ] as const)
    for (const [text, value] of list)
      for (const [k, j] of pairs(order))
        if (
          numbers.every((n, i) => value(at(group[i] as Situation, k), at(group[i] as Situation, j)) === n) &&
          !(numbers.every((n) => n === numbers[0]) && Math.abs(numbers[0] as number) < 2)
        )
          return text(name(k), name(j));
  return undefined;
}
function* pairs(list: readonly number[]): Generator<[number, number]> {
  for (const a of list) for (const b of list) if (a !== b) yield [a, b];
}
