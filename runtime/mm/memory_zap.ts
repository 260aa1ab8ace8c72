/** The part of mm/memory.c that takes pages and page tables away, and mm/mmu_gather.c, which frees them. */
import { load, loadPrivate, store } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { StructClass } from "../machine/struct.ts";
import { type mm_struct, type page, type vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { put_page } from "./page_alloc.ts";
import {
  pgd_addr_end,
  pgd_offset,
  PGDIR_SIZE,
  pmd_addr_end,
  pmd_offset,
  PMD_SIZE,
  pte_none,
  pte_offset,
  pte_page,
  pte_special,
  ptep_get_and_clear,
  pud_addr_end,
  pud_offset,
  PUD_SIZE,
  type PageTable,
  type pgd_table,
  type pmd_table,
  type pte_table,
  type pud_table,
  PAGE_SIZE,
} from "./pgtable.ts";

/** What an mmu_gather has queued. Differs: a value that is handed on, not an object on the stack. */
type Pages = readonly page[];
type Tables = readonly PageTable[];

/** Clears the PTEs of a list of VMAs; evaluates to the pages that wait to be freed. */
export const unmap_vmas = kernelFunction(
  "unmap_vmas",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<Pages> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_UNMAP", mm, start, end);
    yield* fact(7, mmu_notifier_invalidate_range_start(range));
    const pages = yield* unmap_each(mm, vma, start, end, []);
    yield* fact(9, mmu_notifier_invalidate_range_end(range));
    return pages;
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "start", "end"],
    summary: "Clears the PTEs of a list of VMAs, between notifier start and end.",
    differs: "The pages that are to be freed are the result; the kernel keeps them in an mmu_gather.",
  },
);
const unmap_each = kernelFunction(
  "unmap_vmas",
  function* (mm: mm_struct, vma: vm_area_struct, start: number, end: number, pages: Pages): Kernel<Pages> {
    const vmStart = yield* load(vma.vm_start);
    if (vmStart >= end) return pages;
    const vmEnd = yield* load(vma.vm_end);
    const all = yield* unmap_page_range(mm, Math.max(vmStart, start), Math.min(vmEnd, end), pages);
    const next = yield* load(vma.vm_next);
    return next.isNull ? all : yield* unmap_each.restart(mm, next, start, end, all);
  },
  { source: "mm/memory.c", params: ["mm", "vma", "start", "end", "pages"], internal: true },
);

const unmap_page_range = kernelFunction(
  "unmap_page_range",
  function* (mm: mm_struct, addr: number, end: number, pages: Pages): Kernel<Pages> {
    const pgd = yield* loadPrivate(mm.pgd);
    return yield* zap_pgd_range.restart(pgd, addr, end, pages);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["mm", "addr", "end", "pages"],
    own: ["pages"],
    summary: "Clears the PTEs of a range.",
    differs: "Nothing is huge or swapped out. An entry of an upper level is loaded once.",
  },
);
const zap_pgd_range = kernelFunction(
  "unmap_page_range",
  function* (pgd: pgd_table, addr: number, end: number, pages: Pages): Kernel<Pages> {
    const next = pgd_addr_end(addr, end);
    const pud = yield* load(pgd_offset(pgd, addr));
    const all = pud.isNull ? pages : yield* zap_pud_range(pud, addr, next, pages);
    return next === end ? all : yield* zap_pgd_range.restart(pgd, next, end, all);
  },
  { source: "mm/memory.c", params: ["pgd", "addr", "end", "pages"], own: ["pages"] },
);
const zap_pud_range = kernelFunction(
  "zap_pud_range",
  function* (pud: pud_table, addr: number, end: number, pages: Pages): Kernel<Pages> {
    const next = pud_addr_end(addr, end);
    const pmd = yield* fact("8a", load(pud_offset(pud, addr)));
    const all = pmd.isNull ? pages : yield* zap_pmd_range(pmd, addr, next, pages);
    return next === end ? all : yield* zap_pud_range.restart(pud, next, end, all);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["pud", "addr", "end", "pages"],
    own: ["pages"],
    summary: "The part of one PUD table.",
  },
);
const zap_pmd_range = kernelFunction(
  "zap_pmd_range",
  function* (pmd: pmd_table, addr: number, end: number, pages: Pages): Kernel<Pages> {
    const next = pmd_addr_end(addr, end);
    const pte = yield* fact("8b", load(pmd_offset(pmd, addr)));
    const all = pte.isNull ? pages : yield* zap_pte_range(pte, addr, next, pages);
    return next === end ? all : yield* zap_pmd_range.restart(pmd, next, end, all);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["pmd", "addr", "end", "pages"],
    own: ["pages"],
    summary: "The part of one PMD table.",
  },
);
const zap_pte_range = kernelFunction(
  "zap_pte_range",
  function* (pte: pte_table, addr: number, end: number, pages: Pages): Kernel<Pages> {
    yield* fact("8c", spin_lock(pte.ptl));
    const all = yield* zap_ptes(pte, addr, end, pages);
    yield* spin_unlock(pte.ptl);
    return all;
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["pte", "addr", "end", "pages"],
    own: ["pages"],
    summary: "Clears the PTEs of one table.",
    differs: "No rmap or rss to undo. Pages are never freed before notifier end, because no batch is ever full.",
  },
);
const zap_ptes = kernelFunction(
  "zap_pte_range",
  function* (pte: pte_table, addr: number, end: number, pages: Pages): Kernel<Pages> {
    const entry = pte_offset(pte, addr);
    let all = pages;
    if (!pte_none(yield* load(entry))) {
      const old = yield* ptep_get_and_clear(entry);
      if (!pte_special(old)) all = [...pages, pte_page(old)];
    }
    const next = addr + PAGE_SIZE;
    return next >= end ? all : yield* zap_ptes.restart(pte, next, end, all);
  },
  { source: "mm/memory.c", params: ["pte", "addr", "end", "pages"], internal: true },
);

/**
 * Takes the page tables of a list of VMAs out of the tree; evaluates to those that wait to be freed. `floor` and
 * `ceiling` are where the neighbours end and begin, whose tables must stay.
 */
export const free_pgtables = kernelFunction(
  "free_pgtables",
  function* (mm: mm_struct, vma: vm_area_struct, floor: number, ceiling: number): Kernel<Tables> {
    const pgd = yield* loadPrivate(mm.pgd);
    const start = yield* load(vma.vm_start);
    return yield* free_each(pgd, vma, start, floor, ceiling, []);
  },
  {
    source: "mm/memory.c",
    facts: "free_pgtables",
    params: ["mm", "vma", "floor", "ceiling"],
    summary: "Unhooks page tables bottom-up, without a lock.",
    differs: "No anon_vma or file to unlink. VMAs that lie near each other are not taken in one go.",
  },
);
/** `start` is where `vma` begins: looking for the end of the one before has loaded it. */
const free_each = kernelFunction(
  "free_pgtables",
  function* (
    pgd: pgd_table,
    vma: vm_area_struct,
    start: number,
    floor: number,
    ceiling: number,
    tables: Tables,
  ): Kernel<Tables> {
    const next = yield* load(vma.vm_next);
    const end = yield* load(vma.vm_end);
    const roof = next.isNull ? ceiling : yield* load(next.vm_start);
    // Whole PTE tables only; what a neighbour shares stays.
    const low = Math.floor(start / PMD_SIZE) * PMD_SIZE;
    const high = Math.ceil(end / PMD_SIZE) * PMD_SIZE;
    const from = low < floor ? low + PMD_SIZE : low;
    const to = high > roof ? high - PMD_SIZE : high;
    const all = from < to ? yield* free_pgd_range(pgd, from, to, floor, roof, tables) : tables;
    return next.isNull ? all : yield* free_each.restart(pgd, next, roof, floor, ceiling, all);
  },
  { source: "mm/memory.c", params: ["pgd", "vma", "start", "floor", "ceiling", "tables"], internal: true },
);

/** Whether all that an entry of `size` spans lies between the neighbours. */
function isOurs(addr: number, size: number, floor: number, ceiling: number): boolean {
  const start = Math.floor(addr / size) * size;
  return start >= floor && start + size <= ceiling;
}

const free_pgd_range = kernelFunction(
  "free_pgd_range",
  function* (
    pgd: pgd_table,
    addr: number,
    end: number,
    floor: number,
    ceiling: number,
    tables: Tables,
  ): Kernel<Tables> {
    const next = pgd_addr_end(addr, end);
    const entry = pgd_offset(pgd, addr);
    const pud = yield* load(entry);
    let all = tables;
    if (!pud.isNull) {
      all = yield* free_pud_range(pud, addr, next, floor, ceiling, tables);
      if (isOurs(addr, PGDIR_SIZE, floor, ceiling)) {
        yield* store(entry, null);
        all = [...all, pud];
      }
    }
    return next === end ? all : yield* free_pgd_range.restart(pgd, next, end, floor, ceiling, all);
  },
  {
    source: "mm/memory.c",
    params: ["pgd", "addr", "end", "floor", "ceiling", "tables"],
    own: ["tables"],
    summary: "Unhooks PUD tables, and what is below them.",
  },
);
const free_pud_range = kernelFunction(
  "free_pud_range",
  function* (
    pud: pud_table,
    addr: number,
    end: number,
    floor: number,
    ceiling: number,
    tables: Tables,
  ): Kernel<Tables> {
    const next = pud_addr_end(addr, end);
    const entry = pud_offset(pud, addr);
    const pmd = yield* load(entry);
    let all = tables;
    if (!pmd.isNull) {
      all = yield* free_pmd_range(pmd, addr, next, tables);
      if (isOurs(addr, PUD_SIZE, floor, ceiling)) {
        yield* store(entry, null);
        all = [...all, pmd];
      }
    }
    return next === end ? all : yield* free_pud_range.restart(pud, next, end, floor, ceiling, all);
  },
  {
    source: "mm/memory.c",
    params: ["pud", "addr", "end", "floor", "ceiling", "tables"],
    own: ["tables"],
    summary: "Unhooks PMD tables, and what is below them.",
  },
);
const free_pmd_range = kernelFunction(
  "free_pmd_range",
  function* (pmd: pmd_table, addr: number, end: number, tables: Tables): Kernel<Tables> {
    const next = pmd_addr_end(addr, end);
    const entry = pmd_offset(pmd, addr);
    const pte = yield* load(entry);
    let all = tables;
    if (!pte.isNull) {
      yield* store(entry, null);
      all = [...tables, pte];
    }
    return next === end ? all : yield* free_pmd_range.restart(pmd, next, end, all);
  },
  { source: "mm/memory.c", params: ["pmd", "addr", "end", "tables"], own: ["tables"], summary: "Unhooks PTE tables." },
);

export const tlb_finish_mmu = kernelFunction(
  "tlb_finish_mmu",
  function* (tables: Tables, pages: Pages): Kernel<void> {
    const [table, ...otherTables] = tables;
    if (table !== undefined) {
      yield* freeBy(`${(table.constructor as StructClass).short}_free`, table);
      return yield* tlb_finish_mmu.restart(otherTables, pages);
    }
    const [first, ...otherPages] = pages;
    if (first === undefined) return;
    yield* put_page(first);
    return yield* tlb_finish_mmu.restart([], otherPages);
  },
  {
    source: "mm/mmu_gather.c",
    facts: "Gather",
    params: ["tables", "pages"],
    own: ["tables", "pages"],
    summary: "Frees the page tables and the pages that were gathered.",
    differs: "There is no CPU TLB to flush, so no second invalidate_range; page tables are freed at once, without RCU.",
  },
);
