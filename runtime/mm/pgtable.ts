/**
 * Page tables of four levels (the P4D is folded into the PGD): pages of 512 entries, and what an entry may hold.
 *
 * An entry is one word. 0 is none. The address of a table, without any flag, is a pointer to the level below (its bits
 * P, RW, US, A and D always being set, nothing is said by them). Everything else is the address of a struct page with
 * flags in the low bits that such an address leaves free: a present page, a huge leaf, or the swap format of what is not
 * present. Differs: no accessed bit, and none of NX, soft-dirty and uffd-wp.
 *
 * This file knows words; pgtable_steps.ts reads and writes them.
 */
import {
  addressText,
  atomic,
  at,
  HUGE_ARENA,
  GIANT_ARENA,
  int,
  Ref,
  spinlock,
  Struct,
  words,
  WORD,
} from "../machine/struct.ts";
import type { Names, SpinLock, StructClass } from "../machine/struct.ts";

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
/** Start of the entry of `size` that holds `addr`. */
export const alignDown = (addr: number, size: number): number => Math.floor(addr / size) * size;

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
  /** PTE tables that were deposited with a huge page here, to be there when it is split. ptl. */
  deposited = words(ENTRIES);
}
/** Entries: ptl, the kernel's split PTE lock. */
export class pte_table extends Struct {
  static readonly short: string = "pte";
  static readonly common = true;
  ptl = spinlock();
  entries = words(ENTRIES);
}
export type PageTable = pgd_table | pud_table | pmd_table | pte_table;

/** An entry of a table; prints as `pmd[3]`. */
export class Entry<T extends PageTable = PageTable> extends Ref<number> {
  readonly table: T;
  readonly index: number;
  constructor(table: T, i: number) {
    super(table, table.entries.addr + i * WORD);
    this.table = table;
    this.index = i;
    this.name = `[${i}]`;
  }
  override expr(): string {
    return `${(this.table.constructor as StructClass).short}${this.name}`;
  }
}
/** The entry behind this one. */
export const nextEntry = <T extends PageTable>(entry: Entry<T>): Entry<T> => new Entry(entry.table, entry.index + 1);
export type PgdEntry = Entry<pgd_table>;
export type PudEntry = Entry<pud_table>;
export type PmdEntry = Entry<pmd_table>;
export type PteEntry = Entry<pte_table>;

const index = (addr: number, shift: number): number => Math.floor(addr / 2 ** shift) % ENTRIES;
/** The entry that stands for `addr` in a table that is known to be one. */
export const pgd_entry = (pgd: pgd_table, addr: number): PgdEntry => new Entry(pgd, index(addr, PGD_SHIFT));
export const pud_entry = (pud: pud_table, addr: number): PudEntry => new Entry(pud, index(addr, PUD_SHIFT));
export const pmd_entry = (pmd: pmd_table, addr: number): PmdEntry => new Entry(pmd, index(addr, PMD_SHIFT));
export const pte_entry = (pte: pte_table, addr: number): PteEntry => new Entry(pte, index(addr, PAGE_SHIFT));

/** The lock that guards an entry of a PMD table, and of the PTE table that an entry's value points to. */
export const pmd_lockptr = (entry: PmdEntry): SpinLock => entry.table.ptl;
export const pte_lockptr = (pmd: number): SpinLock => at(pte_table, pmd).ptl;

const addrEnd =
  (size: number) =>
  (addr: number, end: number): number =>
    Math.min((Math.floor(addr / size) + 1) * size, end);
/** Where the entry that holds `addr` ends, or `end` if that comes first. */
export const pgd_addr_end = addrEnd(PGDIR_SIZE);
export const pud_addr_end = addrEnd(PUD_SIZE);
export const pmd_addr_end = addrEnd(PMD_SIZE);

// ---- struct page

const WORDS_PER_PAGE = 512;
/**
 * struct page and what the page holds, in one object. Differs: counters count from 0, `mapcount` too; a tail page of a
 * huge one has contents, and a mapcount of its own for each PTE that maps it, and nothing else.
 */
export class page extends Struct {
  static readonly common: boolean = true;
  static readonly arena: number | undefined = undefined;
  static readonly valueText = (value: number, names: Names): string => entryText(value, names);
  /** Atomic bit operations. */
  flags = int();
  /** Atomic; the page is freed when it becomes zero. */
  _refcount = atomic();
  /** How many page-table entries map it. Atomic. */
  mapcount = atomic();
  /** The anon_vma or address_space by which those entries are found. Page lock; set before the page is mapped. */
  mapping = int();
  /** The page's place in it, in pages. Likewise. */
  index = int();
  /** The swap slot that it stands for, while it is in the swap cache. Page lock. */
  private = int();
  /** The contents. Whoever has the page mapped. */
  data = words(WORDS_PER_PAGE);
}
/** A compound page of 512: the head, and behind it the tail pages. */
export class huge_page extends page {
  static readonly short: string = "page";
  static override readonly arena: number | undefined = HUGE_ARENA;
  /** How many PMDs map all of it. Atomic. */
  compound_mapcount = atomic();
}
/** Memory of a DAX device, of 1 GiB. */
export class dax_memory extends page {
  static readonly short: string = "page";
  static override readonly arena: number | undefined = GIANT_ARENA;
}

/** From one page of a compound page to the next. */
export const PAGE_STRIDE = 2 ** 13;
/** The n-th page of a compound page. */
export const nth_page = (head: page, n: number): page => at(page, head.addr + n * PAGE_STRIDE);

// ---- what an entry holds

const P = 0x1;
const RW = 0x2;
const PSE = 0x4;
const ADDRESS = 0x8; // belongs to the address
const DIRTY = 0x10;
const SPECIAL = 0x20;
const DEVMAP = 0x40;
const PROTNONE = 0x80;
const MIGRATION = 0x100;
const DEVICE = 0x200;
const SWAP = 0x400;
/** Flags of a value; 0 for none and for a table. */
const flagsOf = (value: number): number => (value % PAGE_STRIDE) & ~ADDRESS;
const has = (value: number, flags: number): boolean => value !== 0 && (flagsOf(value) & flags) !== 0;
const with_ = (value: number, flags: number): number => value + (flags & ~flagsOf(value));
const without = (value: number, flags: number): number => value - (flags & flagsOf(value));
/** The page of a value that has one, flags taken off. */
const pageOf = (value: number): page => at(page, value - flagsOf(value));

/** Predicates of arch/x86/include/asm/pgtable.h and include/linux/swapops.h, on the value of an entry. */
export const pte_none = (pte: number): boolean => pte === 0;
export const pte_present = (pte: number): boolean => has(pte, P | PROTNONE);
/** Present for the kernel, but the hardware faults. */
export const pte_protnone = (pte: number): boolean => has(pte, PROTNONE);
export const pte_write = (pte: number): boolean => has(pte, RW);
export const pte_dirty = (pte: number): boolean => has(pte, DIRTY);
export const pte_special = (pte: number): boolean => has(pte, SPECIAL);
export const pte_devmap = (pte: number): boolean => has(pte, DEVMAP);
export const pte_page = pageOf;
/** Whether the hardware lets the access through. */
export const hw_allows = (value: number, write: boolean): boolean => has(value, P) && (!write || has(value, RW));

export const is_migration_entry = (pte: number): boolean => has(pte, MIGRATION);
export const is_device_private_entry = (pte: number): boolean => has(pte, DEVICE);
export const is_swap_entry = (pte: number): boolean => has(pte, SWAP);
/** Swap format: neither none nor present. */
export const is_swap_pte = (pte: number): boolean => has(pte, MIGRATION | DEVICE | SWAP);

export const pgd_none = (pgd: number): boolean => pgd === 0;
export const pmd_none = (pmd: number): boolean => pmd === 0;
export const pud_none = (pud: number): boolean => pud === 0;
/** A pointer to the table below. */
export const is_table = (value: number): boolean => value !== 0 && flagsOf(value) === 0;
export const pud_present = (pud: number): boolean => pud !== 0;
/** True also of a leaf that is being split: P off, PSE on. */
export const pmd_present = (pmd: number): boolean => is_table(pmd) || has(pmd, P | PSE | PROTNONE);
export const pmd_trans_huge = (pmd: number): boolean => has(pmd, PSE) && !has(pmd, DEVMAP);
export const pud_trans_huge = (pud: number): boolean => pmd_trans_huge(pud);
export const pmd_devmap = (pmd: number): boolean => has(pmd, DEVMAP);
export const pud_devmap = (pud: number): boolean => has(pud, DEVMAP);
export const pmd_leaf = (pmd: number): boolean => has(pmd, PSE);
export const pud_leaf = (pud: number): boolean => has(pud, PSE);
/** None counts as bad: whoever asks has asked for none first. */
export const pmd_bad = (pmd: number): boolean => !is_table(pmd);
export const pud_bad = (pud: number): boolean => pud !== 0 && !is_table(pud);
export const is_pmd_migration_entry = (pmd: number): boolean => has(pmd, MIGRATION);
/** A huge leaf of either kind. */
export const is_huge = (value: number): boolean => has(value, PSE | DEVMAP);

/** The flags of a leaf, without the one that says it is huge. */
export const small_flags = (leaf: number): number => flagsOf(leaf) & ~PSE;

// ---- making values

const rw = (writable: boolean): number => (writable ? RW : 0);
export const mk_pte = (p: page, writable: boolean, dirty = writable): number =>
  p.addr + P + rw(writable) + (dirty ? DIRTY : 0);
/** Maps a page that has no owner to account for: the zero page, read-only. */
export const pte_mkspecial = (p: page): number => p.addr + P + SPECIAL;
export const pte_mkdevmap = (p: page, writable: boolean): number => p.addr + P + DEVMAP + rw(writable);
export const pte_wrprotect = (pte: number): number => without(pte, RW);
export const pte_mkwrite = (pte: number): number => with_(pte, RW);
export const pte_mkdirty = (pte: number): number => with_(pte, DIRTY);
export const pte_mkclean = (pte: number): number => without(pte, DIRTY);
export const pte_mkprotnone = (pte: number): number => with_(without(pte, P | RW), PROTNONE);
export const pte_clear_protnone = (pte: number): number => with_(without(pte, PROTNONE), P);
export const mk_huge = (p: page, writable: boolean, dirty = writable): number => mk_pte(p, writable, dirty) + PSE;
export const mk_huge_devmap = (p: page, writable: boolean): number => pte_mkdevmap(p, writable) + PSE;
/** Maps the huge zero page: a leaf that nobody may write through. */
export const mk_huge_zero = (p: page): number => p.addr + P + PSE + SPECIAL;
export const is_huge_zero = (value: number): boolean => has(value, PSE) && has(value, SPECIAL);
/** A leaf while it is split: the hardware faults, pmd_present() holds. */
export const pmd_mkinvalid = (pmd: number): number => without(pmd, P);
/** The swap formats. Differs: what says where a page is, is its address. */
export const make_migration_entry = (p: page, writable: boolean): number => p.addr + MIGRATION + rw(writable);
export const make_device_private_entry = (p: page, writable: boolean): number => p.addr + DEVICE + rw(writable);
export const make_swap_entry = (slot: Struct): number => slot.addr + SWAP;
export const swap_slot_of = <S extends Struct>(cls: StructClass<S>, pte: number): S => at(cls, pte - flagsOf(pte));

/** What a value says, as a reader of page tables would put it: `page | RW`, `page | PSE | RW`, `migration(page)`. */
export function entryText(value: number, names: Names): string {
  if (value === 0) return "0";
  if (is_table(value)) return addressText(value, names) ?? "table";
  const flags = [
    [PSE, "PSE"],
    [DEVMAP, "DEVMAP"],
    [SPECIAL, "SPECIAL"],
    [PROTNONE, "PROTNONE"],
    [RW, "RW"],
    [DIRTY, "D"],
  ] as const;
  const set = flags.filter(([bit]) => has(value, bit)).map(([, name]) => ` | ${name}`);
  const what = has(value, MIGRATION)
    ? "migration"
    : has(value, DEVICE)
      ? "device-private"
      : has(value, SWAP)
        ? "swap"
        : "";
  const name = what === "swap" ? "slot" : pageOf(value).expr(names);
  const invalid = has(value, PSE) && !has(value, P | PROTNONE) ? " | !P" : "";
  return (what === "" ? name : `${what}(${name})`) + set.join("") + invalid;
}
