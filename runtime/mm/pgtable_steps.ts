/**
 * Reads and writes of page-table entries, as include/linux/pgtable.h and mm/pgtable-generic.c have them. What the
 * kernel asks of a pointer (`pud_trans_huge(*pud)`) is a plain load each time it is asked; what it asks of a copy is
 * none.
 *
 * Setters are marked stores and clears are atomic exchanges, as x86 has them.
 */
import { load, READ_ONCE } from "../machine/access.ts";
import { BUG, WARN_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, type Names, type Struct, type StructClass } from "../machine/struct.ts";
import {
  entryText,
  is_table,
  pgd_entry,
  pmd_bad,
  pmd_devmap,
  pmd_entry,
  pmd_none,
  pmd_present,
  pmd_table,
  pmd_trans_huge,
  pte_entry,
  pte_table,
  pud_bad,
  pud_devmap,
  pud_entry,
  pud_none,
  pud_table,
  pud_trans_huge,
  type Entry,
  type pgd_table,
  type PmdEntry,
  type PteEntry,
  type PudEntry,
} from "./pgtable.ts";

type Predicate = (value: number) => boolean;

/** `pud_none(*pud)`: one plain load, of which nothing is remembered but the answer. */
export function reads(test: Predicate, entry: Entry): Kernel<boolean> {
  return step({
    op: Op.load,
    addr: entry.addr,
    access: "plain",
    decode: test,
    text: () => `${test.name}(*${entry.expr()})`,
  });
}

/** One plain load of the whole value. */
export const value = (entry: Entry): Kernel<number> => load(entry);
/** One marked load. */
export const snapshot = (entry: Entry): Kernel<number> => READ_ONCE(entry);

/**
 * The entry of the table below, computed from the value of an entry above. Whatever is not a pointer to a table ends
 * the path: the kernel would go on through the direct map of physical page 0, or through the data of a huge page.
 */
const below =
  <T extends Entry>(name: string, level: string, make: (table: number, addr: number) => T) =>
  (above: number, addr: number): Kernel<T> =>
    offset(name, level, above, () => make(above, addr));
function* offset<T>(name: string, level: string, above: number, make: () => T): Kernel<T> {
  if (!is_table(above)) yield* BUG(badOffset(name, level, above));
  return make();
}
/** What a report says of an offset into something that is no table. */
function badOffset(name: string, level: string, above: number): string {
  const into =
    above === 0 ? "an empty entry: the table would be physical page 0" : "a leaf: the table would be its data";
  return `${name}() of ${above === 0 || !isHugeValue(above) ? into : `${level} ${into.slice(2)}`}`;
}
const isHugeValue = (v: number): boolean => pmd_trans_huge(v) || pmd_devmap(v);

export const pgd_offset = (pgd: pgd_table, addr: number): ReturnType<typeof pgd_entry> => pgd_entry(pgd, addr);
export const pud_offset = below("pud_offset", "a P4D", (t, addr) => pud_entry(at(pud_table, t), addr));
export const pmd_offset = below("pmd_offset", "a PUD", (t, addr) => pmd_entry(at(pmd_table, t), addr));
export const pte_offset = below("pte_offset", "a PMD", (t, addr) => pte_entry(at(pte_table, t), addr));

// ---- writes

const LEVEL = { pgd: "pgd", pud: "pud", pmd: "pmd", pte: "pte" } as const;
const levelOf = (entry: Entry): keyof typeof LEVEL =>
  (entry.table.constructor as StructClass).short as keyof typeof LEVEL;

/** set_pte_at(), set_pmd_at(), set_pud_at(). */
export function* set_entry(entry: Entry, v: number): Kernel<void> {
  const name = `set_${levelOf(entry)}_at`;
  yield* step({
    op: Op.store,
    addr: entry.addr,
    a: v,
    text: (names) => `${name}(&${entry.expr()}, ${entryText(v, names)})`,
  });
}
export const set_pte_at = (entry: PteEntry, pte: number): Kernel<void> => set_entry(entry, pte);

const CLEAR = {
  pgd: "pgd_clear",
  pud: "pudp_huge_get_and_clear",
  pmd: "pmdp_huge_get_and_clear",
  pte: "ptep_get_and_clear",
};
/** Clears an entry; what it was. */
export function get_and_clear(entry: Entry): Kernel<number> {
  return step({ op: Op.exchange, addr: entry.addr, text: () => `${CLEAR[levelOf(entry)]}(&${entry.expr()})` });
}
export const ptep_get_and_clear = (entry: PteEntry): Kernel<number> => get_and_clear(entry);

/** Replaces an entry; what it was: pmdp_invalidate() and its like. */
export function exchange_entry(name: string, entry: Entry, v: number): Kernel<number> {
  return step({
    op: Op.exchange,
    addr: entry.addr,
    a: v,
    text: (names) => `${name}(&${entry.expr()}, ${entryText(v, names)})`,
  });
}

const wrprotect = primitive("ptep_set_wrprotect", (m, addr = 0) => {
  const old = m.read(addr);
  m.write(addr, old - (old % 4 >= 2 ? 2 : 0));
  return 0;
});
/** Takes RW from an entry: an atomic bit operation. */
export function* ptep_set_wrprotect(entry: Entry): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: entry.addr,
    primitive: wrprotect,
    args: [entry.addr],
    text: () => `${levelOf(entry)}p_set_wrprotect(&${entry.expr()})`,
  });
}

/** A marked store of 0, no exchange: what unhooks a table. */
export function* clear_table(entry: Entry): Kernel<void> {
  yield* step({
    op: Op.store,
    addr: entry.addr,
    text: () => `${levelOf(entry)}_clear(&${entry.expr()})`,
  });
}

/** Makes an entry point to a table. A PUD table hangs on a P4D entry, which is the PGD's. */
export function* populate(entry: Entry, table: Struct): Kernel<void> {
  const name = { pgd: "p4d_populate", pud: "pud_populate", pmd: "pmd_populate", pte: "" }[levelOf(entry)];
  const text = (names: Names): string => `${name}(mm, &${entry.expr()}, ${table.expr(names)})`;
  yield* step({ op: Op.store, addr: entry.addr, a: table.addr, text });
}

// ---- the helpers that look before they go on; each counts its loads

const BAD = { pgd: "pgd", pud: "pud", pmd: "pmd", pte: "pte" };
/** Prints "bad pud" and puts zero into the live entry: no lock, no flush, no notifier. */
export const clear_bad = kernelFunction(
  "pmd_clear_bad",
  function* (entry: Entry): Kernel<void> {
    yield* WARN_ON(true, `mm/pgtable-generic.c: bad ${BAD[levelOf(entry)]}`);
    yield* clear_table(entry);
  },
  {
    source: "mm/pgtable-generic.c",
    facts: "Helpers",
    params: ["entry"],
    summary: "Reports a bad entry and zeroes it.",
  },
);
const none_or_clear_bad = (name: string, none: Predicate, bad: Predicate) =>
  kernelFunction(
    name,
    function* (entry: Entry): Kernel<boolean> {
      if (yield* reads(none, entry)) return true;
      if (!(yield* reads(bad, entry))) return false;
      yield* clear_bad(entry);
      return true;
    },
    {
      source: "include/linux/pgtable.h",
      params: ["entry"],
      summary: "Whether there is no table: two loads. What is bad is reported, and the live entry zeroed.",
      atom: true,
    },
  );
export const pud_none_or_clear_bad = none_or_clear_bad("pud_none_or_clear_bad", pud_none, pud_bad);
export const pmd_none_or_clear_bad = none_or_clear_bad("pmd_none_or_clear_bad", pmd_none, pmd_bad);

/** What a snapshot says to whoever wants a table: go on, nothing there or a leaf, or garbage. */
const unstable = (v: number): "table" | "unstable" | "bad" =>
  is_table(v) ? "table" : pmd_none(v) || pmd_trans_huge(v) || !pmd_present(v) ? "unstable" : "bad";
/** pmd_trans_unstable(): one load decides. A devmap leaf counts as bad. */
export const pmd_trans_unstable = kernelFunction(
  "pmd_trans_unstable",
  function* (entry: PmdEntry): Kernel<boolean> {
    const what = yield* step({
      op: Op.load,
      addr: entry.addr,
      access: "plain",
      decode: unstable,
      text: () => `pmd_trans_unstable(${entry.expr()})`,
    });
    if (what === "bad") yield* clear_bad(entry);
    return what !== "table";
  },
  {
    source: "include/linux/pgtable.h",
    facts: "Helpers",
    params: ["pmd"],
    summary: "Whether there is no table that stays: one load.",
    atom: true,
  },
);
const unlessHuge = (v: number): "none" | "bad" | "there" =>
  pmd_none(v) ? "none" : is_table(v) || pmd_trans_huge(v) ? "there" : "bad";
/** One snapshot decides; since 5.6. A devmap leaf counts as bad. */
export const pmd_none_or_clear_bad_unless_trans_huge = kernelFunction(
  "pmd_none_or_clear_bad_unless_trans_huge",
  function* (entry: PmdEntry): Kernel<boolean> {
    const what = yield* step({
      op: Op.load,
      addr: entry.addr,
      access: "plain",
      decode: unlessHuge,
      text: () => `pmd_none_or_clear_bad_unless_trans_huge(${entry.expr()})`,
    });
    if (what === "bad") yield* clear_bad(entry);
    return what !== "there";
  },
  {
    source: "mm/mprotect.c",
    facts: "Helpers",
    params: ["pmd"],
    summary: "Whether there is neither a table nor a leaf of anonymous memory: one load.",
    atom: true,
  },
);
/** pmd_devmap_trans_unstable(): for the fault path, which knows that devmap leaves are no garbage. */
export const pmd_devmap_trans_unstable = kernelFunction(
  "pmd_devmap_trans_unstable",
  function* (entry: PmdEntry): Kernel<boolean> {
    if (yield* reads(pmd_devmap, entry)) return true;
    return yield* pmd_trans_unstable(entry);
  },
  {
    source: "mm/memory.c",
    facts: "Helpers",
    params: ["pmd"],
    summary: "As pmd_trans_unstable(), devmap leaves included.",
  },
);
const pudUnstable = (v: number): "table" | "unstable" | "bad" =>
  is_table(v) ? "table" : pud_none(v) || pud_trans_huge(v) || pud_devmap(v) ? "unstable" : "bad";
export const pud_trans_unstable = kernelFunction(
  "pud_trans_unstable",
  function* (entry: PudEntry): Kernel<boolean> {
    const what = yield* step({
      op: Op.load,
      addr: entry.addr,
      decode: pudUnstable,
      text: () => `pud_trans_unstable(${entry.expr()})`,
    });
    if (what === "bad") yield* clear_bad(entry);
    return what !== "table";
  },
  {
    source: "include/linux/pgtable.h",
    facts: "Helpers",
    params: ["pud"],
    summary: "Whether there is no table that stays: one marked load.",
    atom: true,
  },
);

const first_present = primitive("next_entry", (m, table = 0, from = 0, to = 0) => {
  m.read(from); // the table must be there
  for (let addr = from; addr < to; addr += 8) if (m.peek(addr) !== 0) return (addr - table) / 8;
  return -1;
});
/**
 * Index of the first PTE of [from, to) that is not none, or "none". One step for what is a load each in the kernel: the
 * PTE lock must be held, and nobody fills an entry without it.
 */
export function next_pte(table: pte_table, from: number, to: number): Kernel<number | "none"> {
  const base = table.entries.addr;
  return step({
    op: Op.primitive,
    addr: base + from * 8,
    primitive: first_present,
    decode: (n) => (n === -1 ? "none" : n),
    args: [base, base + from * 8, base + to * 8],
    text: () => (to - from === 1 ? `pte_none(*pte[${from}])` : `pte_none(*pte[${from}..${to - 1}])`),
  });
}
