/**
 * Page-table entries in the made-up world of `hmm doc`: pointers to them, what they may hold, and what C asks of that.
 */
import { Op, type Primitive, type Step, type Value } from "../runtime/machine/step.ts";
import { at, headerAddress, Struct, WORD, type StructClass } from "../runtime/machine/struct.ts";
import * as pgtable from "../runtime/mm/pgtable.ts";
import { dax_memory, Entry, entryText, huge_page, page, type PageTable } from "../runtime/mm/pgtable.ts";
import { swap_slot } from "../runtime/mm/swap_slot.ts";
import type { Held, Situation } from "./doc-follow.ts";
import { World } from "./doc-world.ts";

const { pgd_table, pud_table, pmd_table, pte_table } = pgtable;
type Level = "pgd" | "pud" | "pmd" | "pte";
const TABLES: Readonly<Record<Level, StructClass<PageTable>>> = {
  pgd: pgd_table,
  pud: pud_table,
  pmd: pmd_table,
  pte: pte_table,
};
const isLevel = (text: string): text is Level => text in TABLES;

const KERNEL_ADDRESSES = 2 ** 52;
/** Far from any index of an address that is tried, and from each other. */
const FIRST_INDEX = 440;
const INDEX_STEP = 16;

/** The same value, for those that are made anew each time somebody computes them. */
export function same(a: Value, b: Value): boolean {
  return a === b || (a instanceof Entry && b instanceof Entry && a.addr === b.addr);
}
export const isEntryValue = (value: unknown): value is number => typeof value === "number" && value >= KERNEL_ADDRESSES;

/** The table in which a word is an entry. */
function levelAt(addr: number, world: World): Level | undefined {
  const cls = world.typeAt(addr);
  const table = Object.values(TABLES).find((one) => one === cls);
  if (table === undefined) return undefined;
  const { entries } = at(table, headerAddress(addr) + WORD);
  const isInside = addr >= entries.addr && addr < entries.addr + entries.length * WORD;
  return isInside ? (table.short as Level) : undefined;
}

// ---- pointers to entries

/** Which kind of entry a parameter of this name points to, or holds. */
export function levelOfName(name: string): Level | undefined {
  const word = /(?:^|[^a-z])(p4d|pgd|pud|pmd|pte)(?:p|val)?(?:$|[^a-z])/.exec(name.replaceAll("_", " "))?.[1];
  if (word === "p4d") return "pgd";
  return word !== undefined && isLevel(word) ? word : /^(leaf|cached|entry)$/.test(name) ? "pmd" : undefined;
}
/** An entry somewhere in a table of its own. */
export function madeEntry(level: Level, world: World): Entry {
  const cls = TABLES[level];
  const table = at(cls, world.make(cls, world.pick([level])));
  return new Entry(table, FIRST_INDEX + INDEX_STEP * world.entries++);
}
/** An entry like this one, somewhere else: where a loop has got to. */
export function otherEntry(entry: Entry, world: World): Entry {
  return madeEntry((entry.table.constructor as StructClass).short as Level, world);
}
/** What is known as `pmd` is called so, not after the table that it lies in; the next one is `pmd + 1`. */
export function withoutTables(text: string, known: readonly { name: string; value: Value }[]): string {
  let out = text;
  for (const { name, value } of known) {
    if (!(value instanceof Entry) || name.includes(" ")) continue;
    const table = (value.table.constructor as StructClass).short ?? "";
    for (const [more, pointer, word] of [
      [0, name, `*${name}`],
      [1, `${name} + 1`, `${name}[1]`],
    ] as const) {
      const place = `${table}[${value.index + more}]`;
      if (more === 0)
        out = out.replaceAll(new RegExp(`\\w+->deposited\\[${value.index}\\]`, "g"), `deposited(${name})`);
      out = out.replaceAll(`&${place}`, pointer).replaceAll(`*${place}`, word).replaceAll(place, word);
    }
  }
  return out;
}

// ---- values

type Maker = (world: World) => number;
const make = <S extends Struct>(world: World, cls: StructClass<S>, name: string): S =>
  at(cls, world.make(cls, world.pick([name])));
const table =
  (level: Level): Maker =>
  (world) =>
    make(world, TABLES[level], level).addr;
const none: Maker = () => 0;
const small =
  (value: (p: page) => number): Maker =>
  (world) =>
    value(make(world, page, "page"));
const huge =
  (value: (p: page) => number): Maker =>
  (world) =>
    value(make(world, huge_page, "page"));
const dax =
  (value: (p: page) => number): Maker =>
  (world) =>
    value(make(world, dax_memory, "page"));
/** What an entry may hold; the first is the usual one. */
const VALUES: Readonly<Record<Level, readonly Maker[]>> = {
  pgd: [table("pud"), none],
  pud: [table("pmd"), none, dax((p) => pgtable.mk_huge_devmap(p, true)), dax((p) => pgtable.mk_huge_devmap(p, false))],
  pmd: [
    table("pte"),
    none,
    huge((p) => pgtable.mk_huge(p, true)),
    huge((p) => pgtable.mk_huge(p, false)),
    dax((p) => pgtable.mk_huge_devmap(p, true)),
    huge((p) => pgtable.make_migration_entry(p, true)),
    huge((p) => pgtable.mk_huge_zero(p)),
  ],
  pte: [
    small((p) => pgtable.mk_pte(p, true)),
    none,
    small((p) => pgtable.mk_pte(p, false)),
    small((p) => pgtable.pte_mkspecial(p)),
    small((p) => pgtable.make_migration_entry(p, true)),
    (world) => pgtable.make_swap_entry(make(world, swap_slot, "slot")),
    small((p) => pgtable.mk_pte(p, true, false)),
    small((p) => pgtable.make_device_private_entry(p, true)),
    small((p) => pgtable.pte_mkdevmap(p, true)),
  ],
};

/** What an argument may be that is the value of an entry; the function says what has been found out about it. */
export function heldBy(name: string, level: Level, fn: string): readonly Maker[] {
  const all = VALUES[level];
  const ofKinds = (...kinds: ((value: number) => boolean)[]): Maker[] =>
    all.filter((_, k) => kinds.some((is) => is(samples(level)[k] as number)));
  if (level === "pte") {
    if (/wp_/.test(fn)) return ofKinds((v) => pgtable.pte_present(v) && !pgtable.pte_write(v));
    return /swap|nonpresent/.test(fn) ? ofKinds(pgtable.is_swap_pte) : ofKinds((v) => v !== 0);
  }
  if (/^(orig|old)_|^leaf$/.test(name) || /handle_p[mu]d/.test(fn)) return ofKinds(pgtable.is_huge);
  return ofKinds(pgtable.is_table);
}
const isSearch = (primitive: Primitive | null): boolean => primitive?.name === "next_entry";
type Known = readonly ((world: World) => Value)[];
/** The results that a step on an entry may have; undefined: it is on something else, or has none. */
export function entryResults(step: Step, s: Situation): Known | undefined {
  if (isDeposit(step.addr, s.world) && step.op === Op.silentLoad) return [table("pte"), none];
  const level = levelAt(step.addr, s.world);
  if (level === undefined) return undefined;
  if (isSearch(step.primitive)) {
    const [base = 0, from = 0] = step.args;
    return [() => (from - base) / WORD, () => -1];
  }
  if (!isLook(step)) return undefined;
  const { value, kinds } = heldAt(step, s, level);
  if (value !== undefined) return [() => step.decode(value) as Value];
  if (typeof step.decode(0) === "number") {
    const made = kinds.map((k) => VALUES[level][k] as Maker);
    return [...made.slice(0, 2), ...unchanged(s, level), ...made.slice(2)];
  }
  const answers = kinds.map((k) => step.decode(samples(level)[k] as number) as Value);
  return [true, false, ...new Set(answers)]
    .filter((one, i, all) => answers.includes(one) && all.indexOf(one) === i)
    .map((one) => () => one);
}
/** What the body, or its caller, has seen there before. */
function unchanged({ known }: Situation, level: Level): (() => number)[] {
  const seen = known.findLast(({ name, value }) => isEntryValue(value) && levelOfName(name) === level);
  return seen === undefined ? [] : [() => seen.value as number];
}
const isLook = ({ op }: Step): boolean => op === Op.load || op === Op.exchange || op === Op.compareExchange;
/** What is known of an entry: nothing, unless its lock is held, for anybody may change it. */
function heldAt({ addr }: Step, { entries, locks }: Situation, level: Level): Held {
  const known = locks.some((lock) => /ptl\b|page_table_lock/.test(lock)) ? entries.get(addr) : undefined;
  return known ?? { value: undefined, kinds: VALUES[level].map((_, k) => k) };
}
/** Keeps in mind what a look at an entry has shown, or what was written there. */
export function noteEntry(step: Step, result: unknown, s: Situation): void {
  const level = levelAt(step.addr, s.world);
  if (level === undefined || isSearch(step.primitive)) return;
  const { addr, op } = step;
  if (op === Op.load) {
    const held = heldAt(step, s, level);
    const isNumber = typeof result === "number";
    const kinds = isNumber ? [] : held.kinds.filter((k) => step.decode(samples(level)[k] as number) === result);
    s.entries.set(addr, isNumber ? { value: result, kinds } : { ...held, kinds });
  } else if (op === Op.store || op === Op.exchange) s.entries.set(addr, { value: step.a, kinds: [] });
  else s.entries.delete(addr);
}
/** One value of each kind, to be asked what it is. */
function samples(level: Level): readonly number[] {
  sampled[level] ??= VALUES[level].map((value) => value(new World()));
  return sampled[level];
}
const sampled: Partial<Record<Level, readonly number[]>> = {};
/** A word that holds the PTE table which was put aside for a huge page. */
function isDeposit(addr: number, world: World): boolean {
  if (world.typeAt(addr) !== pmd_table) return false;
  return addr >= at(pmd_table, headerAddress(addr) + WORD).deposited.addr;
}
/** What a value is called that came from an entry in a way that no two looks at it do; undefined: by the step. */
export function nameOfLook(step: Step, world: World): string | undefined {
  const level = levelAt(step.addr, world);
  if (level === undefined || (step.decode(0) as unknown) !== 0) return undefined;
  if (isSearch(step.primitive)) return "i";
  return step.access === "plain" ? undefined : `${level}val`;
}

// ---- questions

type Question = readonly [name: string, holds: (value: number) => boolean];
const ask = (...names: (keyof typeof pgtable)[]): Question[] =>
  names.map((name) => [name, pgtable[name] as (value: number) => boolean]);
const SWAPPED = ask("is_migration_entry", "is_device_private_entry", "is_swap_entry", "is_swap_pte");
const QUESTIONS: Readonly<Record<Level, readonly Question[]>> = {
  pgd: ask("pgd_none"),
  pud: [...ask("pud_none", "pud_devmap", "pud_bad"), ["pud_write", pgtable.pte_write]],
  pmd: [
    ...ask("pmd_none", "pmd_trans_huge", "pmd_devmap", "is_pmd_migration_entry", "pmd_present", "is_huge_zero"),
    ...ask("pmd_leaf", "pmd_bad"),
    ["pmd_write", pgtable.pte_write],
  ],
  pte: [...ask("pte_none", "pte_present"), ...SWAPPED, ...ask("pte_write", "pte_dirty", "pte_special", "pte_devmap")],
};
/** What C asks of a value that an entry holds, by what it is called; undefined: it is none. */
export function questionsAbout(name: string, values: readonly unknown[]): readonly Question[] | undefined {
  if (!values.some(isEntryValue)) return undefined;
  const level = levelOfName(name);
  return level === undefined ? undefined : QUESTIONS[level];
}

// ---- texts

/** Values of entries stand in texts as numbers until it is known what they are called. */
export function asNumbers(text: string, values: readonly number[], world: World): string {
  let out = text;
  for (const value of values)
    if (isEntryValue(value)) out = out.replace(wholeWord(entryText(value, world)), String(value));
  return out;
}
/** Not where it is the end of a member's name. */
const wholeWord = (text: string): RegExp => new RegExp(`(?<![\\w>.])${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`);
/** The numbers that nothing gave a name: what they say. */
export const spelled = (text: string, world: World): string =>
  text.replaceAll(/\.{4,}/g, "...").replaceAll(/(?<![\w.])\d{16}(?!\w)/g, (digits) => entryText(Number(digits), world));

/** Values made of others. */
export const ENTRY_FORMULAS: readonly (readonly [text: (a: string) => string, value: (a: number) => number])[] = [
  [(a) => `pte_wrprotect(${a})`, pgtable.pte_wrprotect],
  [(a) => `pte_mkdirty(${a})`, pgtable.pte_mkdirty],
  [(a) => `pte_mkclean(${a})`, pgtable.pte_mkclean],
  [(a) => `pte_mkwrite(${a})`, pgtable.pte_mkwrite],
  [(a) => `pte_mkwrite(pte_mkdirty(${a}))`, (a) => pgtable.pte_mkwrite(pgtable.pte_mkdirty(a))],
  [(a) => `pte_wrprotect(pte_mkclean(${a}))`, (a) => pgtable.pte_wrprotect(pgtable.pte_mkclean(a))],
  [(a) => `pmd_mkinvalid(${a})`, pgtable.pmd_mkinvalid],
];
