/**
 * Page tables of four levels (the P4D is folded into the PGD): pages of 512 entries, and what an entry holds.
 *
 * An entry of the upper levels is the address of the table below, or 0. A PTE is the address of a struct page with
 * flags in its lowest three bits, which the address of an object leaves free. Nothing is huge, bad or swapped out, so
 * that one load says all there is to know: where the kernel's none, bad and huge tests load an entry several times in a
 * row, the model loads it once (an entry seen to be a table stays one while mmap_sem is held).
 */
import { Op, step, type Kernel } from "../machine/step.ts";
import { at, Ref, spinlock, Struct, words, WORD, type Names, type StructClass } from "../machine/struct.ts";
import { page } from "./mm_types.ts";

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
/** First address that user space cannot have. */
export const TASK_SIZE = 2 ** 47;

const ENTRIES = 512;
const PMD_SHIFT = 21;
const PUD_SHIFT = 30;
const PGD_SHIFT = 39;
/** What one entry of each level spans. */
export const PMD_SIZE = 2 ** PMD_SHIFT;
export const PUD_SIZE = 2 ** PUD_SHIFT;
export const PGDIR_SIZE = 2 ** PGD_SHIFT;

/** Entries: page_table_lock of the mm. */
export class pgd_table extends Struct {
  static readonly short: string = "pgd";
  entries = words(ENTRIES);
}
/** Entries: page_table_lock of the mm. */
export class pud_table extends Struct {
  static readonly short: string = "pud";
  static readonly common = true;
  entries = words(ENTRIES);
}
/** Entries: ptl, the kernel's split PMD lock. */
export class pmd_table extends Struct {
  static readonly short: string = "pmd";
  static readonly common = true;
  ptl = spinlock();
  entries = words(ENTRIES);
}
/** Entries: ptl, the kernel's split PTE lock. */
export class pte_table extends Struct {
  static readonly short: string = "pte";
  static readonly common = true;
  ptl = spinlock();
  entries = words(ENTRIES);
}
export type PageTable = pgd_table | pud_table | pmd_table | pte_table;

/** An entry that points to a table of the next level; prints as `pmd[3]`. */
class TableEntry<T extends Struct> extends Ref<T> {
  readonly target: StructClass<T>;
  constructor(table: PageTable, index: number, target: StructClass<T>) {
    super(table, table.entries.addr + index * WORD);
    this.target = target;
    this.name = `[${index}]`;
  }
  override decode(word: number): T {
    return at(this.target, word);
  }
  override expr(): string {
    return entryExpr(this);
  }
}
/** An entry that maps a page. */
class PageEntry extends Ref<number> {
  constructor(table: pte_table, index: number) {
    super(table, table.entries.addr + index * WORD);
    this.name = `[${index}]`;
  }
  override expr(): string {
    return entryExpr(this);
  }
}
function entryExpr(entry: { owner: Struct; name: string }): string {
  return `${(entry.owner.constructor as StructClass).short}${entry.name}`;
}

const index = (addr: number, shift: number): number => Math.floor(addr / 2 ** shift) % ENTRIES;
export const pgd_offset = (pgd: pgd_table, addr: number): TableEntry<pud_table> =>
  new TableEntry(pgd, index(addr, PGD_SHIFT), pud_table);
export const pud_offset = (pud: pud_table, addr: number): TableEntry<pmd_table> =>
  new TableEntry(pud, index(addr, PUD_SHIFT), pmd_table);
export const pmd_offset = (pmd: pmd_table, addr: number): TableEntry<pte_table> =>
  new TableEntry(pmd, index(addr, PMD_SHIFT), pte_table);
export const pte_offset = (pte: pte_table, addr: number): PageEntry => new PageEntry(pte, index(addr, PAGE_SHIFT));

const addrEnd =
  (size: number) =>
  (addr: number, end: number): number =>
    Math.min((Math.floor(addr / size) + 1) * size, end);
/** Where the entry that holds `addr` ends, or `end` if that comes first. */
export const pgd_addr_end = addrEnd(PGDIR_SIZE);
export const pud_addr_end = addrEnd(PUD_SIZE);
export const pmd_addr_end = addrEnd(PMD_SIZE);

/** Bits of a PTE. */
const PRESENT = 1;
const RW = 2;
const SPECIAL = 4;
const FLAGS = 8;
/** arch/x86/include/asm/pgtable.h, on the value of a PTE. */
export const pte_none = (pte: number): boolean => pte === 0;
export const pte_present = (pte: number): boolean => pte % 2 === PRESENT;
export const pte_write = (pte: number): boolean => pte % FLAGS === PRESENT + RW;
export const pte_special = (pte: number): boolean => pte % FLAGS >= SPECIAL;
export const pte_page = (pte: number): page => at(page, pte - (pte % FLAGS));
export const mk_pte = (p: page, writable: boolean): number => p.addr + PRESENT + (writable ? RW : 0);
/** Maps a page that has no owner to account for: the zero page, read-only. */
export const pte_mkspecial = (p: page): number => p.addr + PRESENT + SPECIAL;

/** What a PTE holds, for printing: `page | RW`. */
function pteText(pte: number, names: Names): string {
  const flags = pte_special(pte) ? " | SPECIAL" : pte_write(pte) ? " | RW" : "";
  return pte_page(pte).expr(names) + flags;
}
export function* set_pte_at(entry: PageEntry, pte: number): Kernel<void> {
  const text = (names: Names): string => `set_pte_at(&${entry.expr()}, ${pteText(pte, names)})`;
  yield* step({ op: Op.store, addr: entry.addr, a: pte, text });
}
/** Clears a PTE; what it was. */
export function ptep_get_and_clear(entry: PageEntry): Kernel<number> {
  return step({ op: Op.exchange, addr: entry.addr, text: () => `ptep_get_and_clear(&${entry.expr()})` });
}
/** Makes an entry point to a table; for pmd_populate() and its like. */
export function* populate<T extends Struct>(entry: TableEntry<T>, table: T): Kernel<void> {
  const name = tableName(table);
  const text = (names: Names): string => `${name}_populate(mm, &${entry.expr()}, ${table.expr(names)})`;
  yield* step({ op: Op.store, addr: entry.addr, a: table.addr, text });
}
/** "pmd" for the level above the PTE tables, and so on: what the kernel's helpers for entries are called after. A PUD
 * table hangs on a P4D entry, which is the PGD's. */
function tableName(table: Struct): string {
  return { pud: "p4d", pmd: "pud", pte: "pmd" }[(table.constructor as StructClass).short ?? ""] ?? "pgd";
}
