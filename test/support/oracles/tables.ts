/** Page tables as somebody sees them who looks on: which entries there are, and what each of them maps. */
import type { Memory } from "../../../runtime/machine/memory.ts";
import { headerType } from "../../../runtime/machine/memory.ts";
import { at, headerAddress, WORD, type Struct, type StructClass } from "../../../runtime/machine/struct.ts";
import { typeNumber } from "../../../runtime/machine/types.ts";
import { device } from "../../../runtime/drivers/device.ts";
import { mm_struct } from "../../../runtime/mm/mm_types.ts";
import {
  dax_memory,
  huge_page,
  is_device_private_entry,
  is_huge,
  is_table,
  page,
  PAGE_SIZE,
  PAGE_STRIDE,
  PGDIR_SIZE,
  pgd_table,
  PMD_SIZE,
  pmd_table,
  pte_page,
  pte_present,
  pte_protnone,
  pte_write,
  pte_table,
  PUD_SIZE,
  pud_table,
  type PageTable,
} from "../../../runtime/mm/pgtable.ts";
import { tlbTables } from "../../../runtime/mm/tlb.ts";
import { addressAt, entryAt, spaceAt, TRANSLATIONS_MAX } from "../../../runtime/mm/translations.ts";
import { init_mm } from "../../../runtime/mm/vmalloc.ts";

export type Look = (addr: number) => number;

// ---- what lives where

const numberOf = new Map<StructClass, number>();
/** Whether `header` is that of a live or freed object of one of these types. */
function isOf(header: number, classes: readonly StructClass[]): boolean {
  if (header === 0) return false;
  const type = headerType(header);
  return classes.some((cls) => {
    let n = numberOf.get(cls);
    if (n === undefined) numberOf.set(cls, (n = typeNumber(cls)));
    return n === type;
  });
}
const TABLES: readonly StructClass[] = [pud_table, pmd_table, pte_table];
export const isTablePage = (header: number): boolean => isOf(header, TABLES);
export const isAnyTable = (header: number): boolean => isOf(header, [pgd_table, ...TABLES]);
export const isPage = (header: number): boolean => isOf(header, [page, huge_page, dax_memory]);
export const isMm = (header: number): boolean => isOf(header, [mm_struct]);
export const isType = (header: number, cls: StructClass): boolean => isOf(header, [cls]);

/** The live objects of a type. */
export function liveOnes<S extends Struct>(memory: Memory, cls: StructClass<S>): S[] {
  const found = [];
  for (const base of memory.objects()) {
    const header = memory.peek(base);
    if (header > 0 && isOf(header, [cls])) found.push(at(cls, base + WORD));
  }
  return found;
}

// ---- entries

const LEVELS = [
  { cls: pgd_table, size: PGDIR_SIZE },
  { cls: pud_table, size: PUD_SIZE },
  { cls: pmd_table, size: PMD_SIZE },
  { cls: pte_table, size: PAGE_SIZE },
] as const;
const ENTRIES_BYTES = 512 * WORD;

/** A table page in its place. */
export interface Place {
  readonly mm: mm_struct;
  readonly table: number;
  readonly level: number;
  /** The first address that it is about. */
  readonly start: number;
}
export interface Found {
  readonly place: Place;
  readonly entry: number;
  readonly value: number;
  readonly start: number;
  readonly size: number;
}
export const entrySize = ({ level }: Place): number => LEVELS[level]?.size ?? PAGE_SIZE;
export const entriesOf = ({ table, level }: Place): number =>
  (at(LEVELS[level]?.cls ?? pte_table, table) as PageTable).entries.addr;
/** Which address an entry of a table is about; undefined: the word is no entry. */
export function addressOf(place: Place, entry: number): number | undefined {
  const offset = entry - entriesOf(place);
  return offset < 0 || offset >= ENTRIES_BYTES ? undefined : place.start + (offset / WORD) * entrySize(place);
}

/** The entries of a table that hold something. */
function* entriesIn(memory: Memory, look: Look, place: Place): Generator<Found> {
  const size = entrySize(place);
  const first = entriesOf(place);
  for (const word of memory.wordsOfObject(place.table)) {
    const entry = memory.addressOf(word);
    const value = look(entry);
    if (value === 0 || entry < first || entry >= first + ENTRIES_BYTES) continue;
    yield { place, entry, value, start: place.start + ((entry - first) / WORD) * size, size };
  }
}
const below = ({ place, value, start }: Found): Place | undefined =>
  place.level < 3 && is_table(value) ? { mm: place.mm, level: place.level + 1, start, table: value } : undefined;
/** The same, and those of the tables below. */
export function* entriesUnder(memory: Memory, look: Look, place: Place): Generator<Found> {
  for (const found of entriesIn(memory, look, place)) {
    yield found;
    const lower = below(found);
    if (lower !== undefined) yield* entriesUnder(memory, look, lower);
  }
}

/** Those who have page tables. The kernel's own are nobody's secondary mapping. */
export function roots(memory: Memory, look: Look): Place[] {
  const all = liveOnes(memory, mm_struct).map((mm) => ({ mm, table: look(mm.pgd.addr), level: 0, start: 0 }));
  return all.filter(({ mm, table }) => mm.addr !== init_mm.addr && look(headerAddress(table)) > 0);
}
/** Where table pages hang, as far as one gets there from an mm. */
export function placesOf(memory: Memory, look: Look): Map<number, Place> {
  const places = new Map<number, Place>();
  const enter = (place: Place): void => {
    places.set(place.table, place);
    if (place.level === 3) return;
    for (const found of entriesIn(memory, look, place)) {
      const lower = below(found);
      if (lower !== undefined) enter(lower);
    }
  };
  for (const root of roots(memory, look)) enter(root);
  return places;
}

// ---- what an entry maps

/** Pages that can be reached through an entry, by address of the first and the one behind the last. */
export interface Mapped {
  readonly start: number;
  readonly size: number;
  readonly first: number;
  readonly behind: number;
  readonly write: boolean;
  /** 2: the hardware lets accesses through. 1: only the kernel, or a device, has the page by it. */
  readonly rank: 1 | 2;
}
export function mapped(value: number, start: number, size: number): Mapped | undefined {
  const rank = pte_present(value) ? (pte_protnone(value) ? 1 : 2) : is_device_private_entry(value) ? 1 : 0;
  if (value === 0 || is_table(value) || rank === 0) return undefined;
  const first = pte_page(value).addr;
  const count = is_huge(value) ? size / PAGE_SIZE : 1;
  return { start, size, first, behind: first + count * PAGE_STRIDE, write: pte_write(value), rank };
}

// ---- caches of translations

export interface Cached {
  readonly of: "TLB" | "device";
  /** Its word. */
  readonly entry: number;
  readonly value: number;
  readonly mm: number;
  readonly start: number;
}
export function* cachedEntries(memory: Memory): Generator<Cached> {
  for (const tlb of tlbTables()) yield* cachedIn(memory, tlb.addr, "TLB");
  yield* deviceEntries(memory);
}
export function* deviceEntries(memory: Memory): Generator<Cached> {
  for (const dev of liveOnes(memory, device)) yield* cachedIn(memory, dev.addr, "device");
}
function* cachedIn(memory: Memory, table: number, of: Cached["of"]): Generator<Cached> {
  for (let i = 0; i < TRANSLATIONS_MAX; i++) {
    const entry = entryAt(table, i);
    const value = memory.peek(entry);
    if (value === 0) return;
    yield { of, entry, value, mm: memory.peek(spaceAt(table, i)), start: memory.peek(addressAt(table, i)) };
  }
}
export const tlbBase = headerAddress(tlbTables()[0]?.addr ?? 0);
export const tlbEnd = headerAddress(tlbTables().at(-1)?.addr ?? 0) + 1;
