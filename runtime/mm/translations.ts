/**
 * A cache of translations, as a CPU's TLB and a device's page table are one: which page a user address was when the
 * entry was made. In the order of addresses and without gaps, so that equal tables are equal states: the first entry
 * that is 0 ends it.
 */
import type { PrimitiveContext } from "../machine/step.ts";
import { at, Struct, WORD, words } from "../machine/struct.ts";

/** How many pages a table can have. */
export const TRANSLATIONS_MAX = 64;

export class translations extends Struct {
  /** User addresses of pages. */
  addresses = words(TRANSLATIONS_MAX);
  /** What is there, as in a PTE: page and flags. */
  entries = words(TRANSLATIONS_MAX);
  /** The mm that each is an address of: a tag of the TLB; for a device, what tells a stale entry from a good one. */
  spaces = words(TRANSLATIONS_MAX);
}
const layout = at(translations, 0);
export const addressAt = (table: number, i: number): number => table + layout.addresses.addr + i * WORD;
export const entryAt = (table: number, i: number): number => table + layout.entries.addr + i * WORD;
export const spaceAt = (table: number, i: number): number => table + layout.spaces.addr + i * WORD;

export const isMapped = (m: PrimitiveContext, table: number, i: number): boolean =>
  i < TRANSLATIONS_MAX && m.read(entryAt(table, i)) !== 0;

/** Index of the entry of a page of an address space, or of the place where it belongs. */
export function find(m: PrimitiveContext, table: number, addr: number, space: number): number {
  let i = 0;
  while (isMapped(m, table, i) && comesBefore(m, table, i, addr, space)) i++;
  return i;
}
function comesBefore(m: PrimitiveContext, table: number, i: number, addr: number, space: number): boolean {
  const there = m.read(addressAt(table, i));
  return there < addr || (there === addr && m.read(spaceAt(table, i)) < space);
}
export const isAt = (m: PrimitiveContext, table: number, i: number, addr: number, space: number): boolean =>
  isMapped(m, table, i) && m.read(addressAt(table, i)) === addr && m.read(spaceAt(table, i)) === space;

function copyEntry(m: PrimitiveContext, table: number, from: number, to: number): void {
  for (const column of [addressAt, entryAt, spaceAt]) m.write(column(table, to), m.read(column(table, from)));
}
function writeEntry(m: PrimitiveContext, table: number, i: number, addr: number, entry: number, space: number): void {
  m.write(addressAt(table, i), addr);
  m.write(entryAt(table, i), entry);
  m.write(spaceAt(table, i), space);
}
/** Enters a translation, or replaces the one there is; false if there is no room. */
export function insert(m: PrimitiveContext, table: number, addr: number, entry: number, space: number): boolean {
  const i = find(m, table, addr, space);
  if (!isAt(m, table, i, addr, space)) {
    let end = i;
    while (isMapped(m, table, end)) end++;
    if (end === TRANSLATIONS_MAX) return false;
    for (; end > i; end--) copyEntry(m, table, end - 1, end);
  }
  writeEntry(m, table, i, addr, entry, space);
  return true;
}
/** Takes entry `i` out; those behind it move up. */
export function remove(m: PrimitiveContext, table: number, i: number): void {
  let last = i;
  for (; last + 1 < TRANSLATIONS_MAX && isMapped(m, table, last + 1); last++) copyEntry(m, table, last + 1, last);
  writeEntry(m, table, last, 0, 0, 0);
}
