/**
 * mm/mmu_gather.c: what is unmapped is freed when no CPU can reach it any more: first the TLBs, then the tables, then
 * the pages. Differs: what has been queued is a value that is handed on, not an object on the stack.
 */
import { atomic_dec, atomic_inc, atomic_read } from "../machine/atomic.ts";
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { StructClass } from "../machine/struct.ts";
import type { mm_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range } from "./mmu_notifier.ts";
import { count, empty_zero_page, put_page } from "./page_alloc.ts";
import { PAGE_SIZE, TASK_SIZE, type page, type PageTable } from "./pgtable.ts";
import { free_swap_cache, PageSwapCache } from "./swap_slot.ts";
import { flush_tlb_range } from "./tlb.ts";

/** Pages that keep the reference of their mapping; the zero page, which has none, says that there is to flush. */
export type Pages = readonly page[];
export type Tables = readonly PageTable[];

export const tlb_gather_mmu = kernelFunction(
  "tlb_gather_mmu",
  function* (mm: mm_struct): Kernel<void> {
    yield* atomic_inc(mm.tlb_flush_pending);
  },
  {
    source: "mm/mmu_gather.c",
    facts: "Gather",
    params: ["mm"],
    summary: "Begins to gather what is unmapped.",
    atom: true,
  },
);

/** What somebody else has changed and not flushed yet is flushed here, too. */
export const tlb_finish_mmu = kernelFunction(
  "tlb_finish_mmu",
  function* (mm: mm_struct, start: number, end: number, tables: Tables, pages: Pages): Kernel<void> {
    const others = (yield* fact("finish", atomic_read(mm.tlb_flush_pending))) > 1;
    if (others) yield* fact("flush", flush_gathered(mm, 0, TASK_SIZE));
    else if (tables.length > 0 || pages.length > 0) yield* fact("flush", flush_gathered(mm, start, end));
    yield* free_gathered(mm, tables, pages);
    yield* fact("finish", atomic_dec(mm.tlb_flush_pending));
  },
  {
    source: "mm/mmu_gather.c",
    facts: "Gather",
    params: ["mm", "start", "end", "tables", "pages"],
    own: ["tables", "pages"],
    summary: "Flushes the TLBs, then frees the page tables and the pages that were gathered.",
    differs: "Page tables are freed at once, without RCU.",
  },
);
/** Flushes the CPUs' TLBs, and those of devices that walk the CPUs' tables. */
export const flush_gathered = kernelFunction(
  "tlb_flush_mmu_tlbonly",
  function* (mm: mm_struct, start: number, end: number): Kernel<void> {
    yield* flush_tlb_range(mm, start, end);
    yield* mmu_notifier_invalidate_range(mm, start, end);
  },
  { source: "mm/mmu_gather.c", facts: "Gather", params: ["mm", "start", "end"], summary: "Flushes all TLBs." },
);
const free_gathered = kernelFunction(
  "tlb_finish_mmu",
  function* (mm: mm_struct, tables: Tables, pages: Pages): Kernel<void> {
    const [table, ...otherTables] = tables;
    if (table !== undefined) {
      yield* count(mm.pgtables_bytes, -PAGE_SIZE);
      yield* freeBy(`${(table.constructor as StructClass).short}_free`, table);
      return yield* free_gathered.restart(mm, otherTables, pages);
    }
    const [next, ...otherPages] = pages;
    if (next === undefined) return;
    if (next !== empty_zero_page) {
      if (yield* PageSwapCache(next)) yield* free_swap_cache(next);
      yield* put_page(next);
    }
    return yield* free_gathered.restart(mm, [], otherPages);
  },
  { source: "mm/mmu_gather.c", params: ["mm", "tables", "pages"], internal: true },
);
/**
 * Flushes and frees the pages gathered so far: the batch is full, or a dirty file page must not be written to again.
 */
export const tlb_flush_mmu = kernelFunction(
  "tlb_flush_mmu",
  function* (mm: mm_struct, pages: Pages): Kernel<void> {
    yield* free_gathered(mm, [], pages);
  },
  {
    source: "mm/mmu_gather.c",
    facts: "Gather",
    params: ["mm", "pages"],
    own: ["pages"],
    summary: "Frees the pages gathered so far, whose translations have been flushed.",
  },
);
