/**
 * What the hardware does with page tables: the walk, a TLB for each CPU, and arch/x86/mm/tlb.c, which flushes them.
 *
 * A TLB keeps a translation from the first access through it until somebody flushes it: hardware may forget one at any
 * time, and whatever goes wrong with one that is forgotten goes wrong with one that is kept. Differs: huge leaves are
 * cached page by page, and a CPU keeps the entries of an address space it has switched away from (PCID).
 */
import { BLOCKED, Op, primitive, step, type Kernel, type PrimitiveContext } from "../machine/step.ts";
import { at, headerAddress, int, SLOT, WORD } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { mm_struct } from "./mm_types.ts";
import {
  alignDown,
  hw_allows,
  is_huge_zero,
  is_table,
  nth_page,
  PAGE_SIZE,
  pgd_entry,
  pgd_table,
  pmd_entry,
  PMD_SIZE,
  pmd_table,
  pte_dirty,
  pte_entry,
  pte_mkdirty,
  pte_page,
  pte_table,
  pud_entry,
  PUD_SIZE,
  pud_table,
  small_flags,
  type page,
} from "./pgtable.ts";
import { addressAt, entryAt, find, insert, isAt, isMapped, remove, spaceAt, translations } from "./translations.ts";

export const CPUS = 8;
class cpu_tlb extends translations {
  /** This CPU has interrupts off: a flush waits until it takes its IPI. */
  irqs_off = int();
}
const tlbs = Array.from({ length: CPUS }, () => staticObject(cpu_tlb, "tlb"));
const first = tlbs[0] as cpu_tlb;
const tlbOf = (cpu: number): number => first.addr + cpu * SLOT;
const IRQS_OFF = first.irqs_off.addr - first.addr;

/** Where the hardware's walk ends: address of the entry, and its value cut down to one page; 0 if there is none. */
export interface Walked {
  readonly entry: number;
  readonly value: number;
}
const NOWHERE: Walked = { entry: 0, value: 0 };
/** The walk of the hardware, or of somebody who wants to know what it would find. `look` reads a word. */
export function hardwareWalk(look: (addr: number) => number, mm: number, addr: number): Walked {
  const pgd = look(at(mm_struct, mm).pgd.addr);
  const p4d = pgd === 0 ? 0 : look(pgd_entry(at(pgd_table, pgd), addr).addr);
  if (!is_table(p4d)) return NOWHERE;
  const pud = pud_entry(at(pud_table, p4d), addr).addr;
  const pudValue = look(pud);
  if (!is_table(pudValue)) return leaf(pud, pudValue, addr % PUD_SIZE);
  const pmd = pmd_entry(at(pmd_table, pudValue), addr).addr;
  const pmdValue = look(pmd);
  if (!is_table(pmdValue)) return leaf(pmd, pmdValue, addr % PMD_SIZE);
  const pte = pte_entry(at(pte_table, pmdValue), addr).addr;
  return { entry: pte, value: look(pte) };
}
function leaf(entry: number, value: number, offset: number): Walked {
  if (value === 0) return NOWHERE;
  const head = pte_page(value);
  // The huge zero page is the small one, again and again.
  const part = is_huge_zero(value) ? head : nth_page(head, Math.floor(offset / PAGE_SIZE));
  return { entry, value: part.addr + small_flags(value) };
}
/** What the page tables say of the page at `addr`, as a PTE would; 0 for nothing. */
export const cpuPte = (look: (addr: number) => number, mm: number, addr: number): number =>
  hardwareWalk(look, mm, addr).value;

/** Address of the word behind `addr` in a page. */
export const wordInPage = (p: page, addr: number): number => p.data.addr + Math.floor((addr % PAGE_SIZE) / WORD) * WORD;

/** What an access answers when the hardware raises a page fault: no word holds it. */
export const PAGE_FAULT = -(2 ** 52);

/** The page that an access of this CPU reaches, or null for a page fault. */
export function access(m: PrimitiveContext, mm: number, addr: number, write: boolean): page | null {
  const table = tlbOf(m.actor);
  const start = alignDown(addr, PAGE_SIZE);
  const i = find(m, table, start, mm);
  const cached = isAt(m, table, i, start, mm) ? m.read(entryAt(table, i)) : 0;
  // A write through a clean entry goes to the table once more, to set the dirty bit.
  if (cached !== 0 && hw_allows(cached, write) && (!write || pte_dirty(cached))) return reachable(m, cached);
  const { entry, value } = hardwareWalk((word) => m.read(word), mm, addr);
  if (!hw_allows(value, write)) {
    if (cached !== 0) remove(m, table, i); // a fault drops what was cached
    return null;
  }
  if (write && !pte_dirty(value)) m.write(entry, pte_mkdirty(m.read(entry)));
  const filled = write ? pte_mkdirty(value) : value;
  if (!insert(m, table, start, filled, mm)) m.fail("bug", "the TLB of a CPU has no room for more pages");
  return reachable(m, filled);
}
function reachable(m: PrimitiveContext, entry: number): page {
  const p = pte_page(entry);
  if (m.peek(headerAddress(p.addr)) <= 0)
    m.fail("stale-translation", "its page was freed: the TLB of this CPU still has it", p.addr);
  return p;
}

const flush = primitive("flush_tlb", (m, mm = 0, start = 0, end = 0) => {
  for (let cpu = 0; cpu < CPUS; cpu++) if (cpu !== m.actor && m.read(tlbOf(cpu) + IRQS_OFF) !== 0) return BLOCKED;
  for (let cpu = 0; cpu < CPUS; cpu++) {
    const table = tlbOf(cpu);
    for (let i = 0; isMapped(m, table, i);) {
      const addr = m.read(addressAt(table, i));
      const ours = mm === 0 || m.read(spaceAt(table, i)) === mm;
      if (ours && addr >= start && addr < end) remove(m, table, i);
      else i++;
    }
  }
  return 0;
});
const hex = (n: number): string => `0x${n.toString(16)}`;
/** Shoots the translations of a range down on all CPUs: when it is over, none has a stale one. */
export function* flush_tlb_range(mm: mm_struct, start: number, end: number): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: tlbOf(0),
    primitive: flush,
    args: [mm.addr, start, end],
    text: () => `flush_tlb_range(${hex(start)}, ${hex(end)})`,
  });
}
export function* flush_tlb_mm(mm: mm_struct): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: tlbOf(0),
    primitive: flush,
    args: [mm.addr, 0, 2 ** 47],
    text: (names) => `flush_tlb_mm(${mm.expr(names)})`,
  });
}

/** What try_to_unmap() has put off, of whatever address space. */
export function* arch_tlbbatch_flush(): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: tlbOf(0),
    primitive: flush,
    args: [0, 0, 2 ** 47],
    text: () => "arch_tlbbatch_flush()",
  });
}

const NOBODY = 1; // no address space
/** Waits until every CPU has had its interrupts on: who walks page tables without them is through then. */
export function* tlb_remove_table_sync_one(): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: tlbOf(0),
    primitive: flush,
    args: [NOBODY, 0, 0],
    text: () => "tlb_remove_table_sync_one()",
  });
}

const setIrqs = primitive("local_irq", (m, off = 0) => {
  m.write(tlbOf(m.actor) + IRQS_OFF, off);
  return 0;
});
/** Interrupts off: no IPI gets through, so no flush is over before they are on again. */
export function* irqs_off(text: string): Kernel<void> {
  yield* step({ op: Op.primitive, addr: tlbOf(0), primitive: setIrqs, args: [1], text: () => text });
}
export function* irqs_on(text: string): Kernel<void> {
  yield* step({ op: Op.primitive, addr: tlbOf(0), primitive: setIrqs, args: [0], text: () => text });
}
/** The TLBs, for those who look on. */
export const tlbTables = (): readonly cpu_tlb[] => tlbs;
