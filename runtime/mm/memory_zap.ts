/**
 * The part of mm/memory.c that takes pages away: between notifier start and end, and freed by the gather afterwards.
 */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { __split_huge_pmd, pmd_is_huge, zap_huge_pmd } from "./huge_memory.ts";
import { __split_huge_pud, pud_is_huge, zap_huge_pud } from "./huge_pud.ts";
import { VM_HUGEPAGE, VM_SHARED, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { flush_gathered, tlb_flush_mmu, type Pages } from "./mmu_gather.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { count, empty_zero_page, put_page } from "./page_alloc.ts";
import { PageAnon, set_page_dirty } from "./page_flags.ts";
import {
  is_device_private_entry,
  is_migration_entry,
  nextEntry,
  PAGE_SIZE,
  pgd_addr_end,
  pgd_none,
  pmd_addr_end,
  pmd_none,
  PMD_SIZE,
  pte_devmap,
  pte_dirty,
  pte_entry,
  pte_lockptr,
  pte_page,
  pte_present,
  pte_special,
  pte_table,
  pud_addr_end,
  pud_none,
  PUD_SIZE,
  swap_slot_of,
  type pgd_table,
  type PmdEntry,
  type PudEntry,
} from "./pgtable.ts";
import {
  get_and_clear,
  next_pte,
  pgd_offset,
  pmd_offset,
  pmd_trans_unstable,
  pte_offset,
  pud_none_or_clear_bad,
  pud_offset,
  value,
} from "./pgtable_steps.ts";
import { page_remove_rmap } from "./rmap.ts";
import { free_swap_and_cache, swap_slot } from "./swap_slot.ts";

/** Clears the entries of a list of VMAs; evaluates to the pages that wait to be freed. */
export const unmap_vmas = kernelFunction(
  "unmap_vmas",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<Pages> {
    return yield* unmap_each(vma, start, end, [], start);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "start", "end"],
    summary: "Clears the entries of a list of VMAs, between notifier start and end.",
    differs: "The pages that are to be freed are the result; the kernel keeps them in an mmu_gather.",
  },
).since("v2.6.27", function* (vma: vm_area_struct, start: number, end: number): Kernel<Pages> {
  const mm = yield* loadPrivate(vma.vm_mm);
  const range = mmu_notifier_range_init("MMU_NOTIFY_UNMAP", mm, start, end);
  yield* fact(7, mmu_notifier_invalidate_range_start(range));
  const pages = yield* unmap_each(vma, start, end, [], start);
  yield* fact(9, mmu_notifier_invalidate_range_end(range));
  return pages;
});
const unmap_each = kernelFunction(
  "unmap_vmas",
  function* (vma: vm_area_struct, start: number, end: number, pages: Pages, from: number): Kernel<Pages> {
    const vmStart = yield* load(vma.vm_start);
    if (vmStart >= end) return pages;
    const vmEnd = yield* load(vma.vm_end);
    const begin = gatheredFrom(pages, from, Math.max(vmStart, start));
    const all = yield* unmap_page_range(vma, Math.max(vmStart, start), Math.min(vmEnd, end), pages, begin);
    const next = yield* load(vma.vm_next);
    return next.isNull ? all : yield* unmap_each.restart(next, start, end, all, begin);
  },
  { source: "mm/memory.c", params: ["vma", "start", "end", "pages", "from"], internal: true },
);

/** Where what has been gathered and not yet flushed begins, if the next entry to be cleared is at `addr`. */
const gatheredFrom = (pages: Pages, from: number, addr: number): number => (pages.length === 0 ? addr : from);

/** `from`: where the entries of `pages` begin, in this VMA or in one before it. */
export const unmap_page_range = kernelFunction(
  "unmap_page_range",
  function* (vma: vm_area_struct, addr: number, end: number, pages: Pages, from: number): Kernel<Pages> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const pgd = yield* loadPrivate(mm.pgd);
    // Constant while mmap_sem or i_mmap_rwsem is held: reading it is no step of its own.
    const huge = ((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0;
    return yield* zap_pgd_range.restart(vma, pgd, addr, end, huge, pages, from);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "addr", "end", "pages", "from"],
    own: ["pages", "from"],
    summary: "Clears the entries of a range.",
    differs: "Where a VMA can have no huge entry, the loads that look for one are left out.",
  },
);
const zap_pgd_range = kernelFunction(
  "unmap_page_range",
  function* (
    vma: vm_area_struct,
    pgd: pgd_table,
    addr: number,
    end: number,
    huge: boolean,
    pages: Pages,
    from: number,
  ): Kernel<Pages> {
    const next = pgd_addr_end(addr, end);
    const begin = gatheredFrom(pages, from, addr);
    const table = yield* value(pgd_offset(pgd, addr));
    const all = pgd_none(table)
      ? pages
      : yield* zap_pud_range(vma, yield* pud_offset(table, addr), addr, next, huge, pages, begin);
    return next === end ? all : yield* zap_pgd_range.restart(vma, pgd, next, end, huge, all, begin);
  },
  {
    source: "mm/memory.c",
    params: ["vma", "pgd", "addr", "end", "huge", "pages", "from"],
    own: ["huge", "pages", "from"],
  },
);

const zap_pud_range = kernelFunction(
  "zap_pud_range",
  function* (
    vma: vm_area_struct,
    pud: PudEntry,
    addr: number,
    end: number,
    huge: boolean,
    pages: Pages,
    from: number,
  ): Kernel<Pages> {
    const next = pud_addr_end(addr, end);
    const begin = gatheredFrom(pages, from, addr);
    const all = yield* zap_pud(vma, pud, addr, next, huge, pages, begin);
    return next === end ? all : yield* zap_pud_range.restart(vma, nextEntry(pud), next, end, huge, all, begin);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "pud", "addr", "end", "huge", "pages", "from"],
    own: ["huge", "pages", "from"],
    summary: "The part of one PUD table.",
  },
);
const zap_pud = kernelFunction(
  "zap_pud_range",
  function* (
    vma: vm_area_struct,
    pud: PudEntry,
    addr: number,
    next: number,
    huge: boolean,
    pages: Pages,
    from: number,
  ): Kernel<Pages> {
    if (huge) {
      if (yield* fact("8a", pud_is_huge(pud))) {
        if (next - addr !== PUD_SIZE) yield* fact("8a", __split_huge_pud(vma, pud, addr));
        else if (yield* zap_huge_pud(vma, pud)) return [...pages, empty_zero_page];
      }
      if (yield* fact("8a", pud_none_or_clear_bad(pud))) return pages;
    }
    const table = yield* fact("8a", value(pud));
    if (pud_none(table)) return pages;
    return yield* zap_pmd_range(vma, yield* pmd_offset(table, addr), addr, next, huge, pages, from);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "pud", "addr", "end", "huge", "pages", "from"],
    internal: true,
  },
);

const zap_pmd_range = kernelFunction(
  "zap_pmd_range",
  function* (
    vma: vm_area_struct,
    pmd: PmdEntry,
    addr: number,
    end: number,
    huge: boolean,
    pages: Pages,
    from: number,
  ): Kernel<Pages> {
    const next = pmd_addr_end(addr, end);
    const begin = gatheredFrom(pages, from, addr);
    const all = yield* zap_pmd(vma, pmd, addr, next, huge, pages, begin);
    return next === end ? all : yield* zap_pmd_range.restart(vma, nextEntry(pmd), next, end, huge, all, begin);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "pmd", "addr", "end", "huge", "pages", "from"],
    own: ["huge", "pages", "from"],
    summary: "The part of one PMD table.",
  },
);
const zap_pmd = kernelFunction(
  "zap_pmd_range",
  function* (
    vma: vm_area_struct,
    pmd: PmdEntry,
    addr: number,
    next: number,
    huge: boolean,
    pages: Pages,
    from: number,
  ): Kernel<Pages> {
    if (huge) {
      if (yield* fact("8b", pmd_is_huge(pmd))) {
        if (next - addr !== PMD_SIZE) yield* fact("8b", __split_huge_pmd(vma, pmd, addr, false));
        else {
          const page = yield* zap_huge_pmd(vma, pmd);
          if (page !== null) return [...pages, page];
        }
      }
      if (yield* fact("8b", pmd_none_or_trans_huge_or_clear_bad(pmd))) return pages;
    }
    const table = yield* fact("8b", value(pmd));
    if (pmd_none(table)) return pages;
    return yield* zap_pte_range(vma, table, addr, next, pages, from);
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "pmd", "addr", "end", "huge", "pages", "from"],
    internal: true,
  },
);
/** One snapshot decides; since 3.4. */
export const pmd_none_or_trans_huge_or_clear_bad = kernelFunction(
  "pmd_none_or_trans_huge_or_clear_bad",
  function* (pmd: PmdEntry): Kernel<boolean> {
    return yield* pmd_trans_unstable(pmd);
  },
  { source: "include/linux/pgtable.h", facts: "Helpers", params: ["pmd"], atom: true },
);
const zap_pte_range = kernelFunction(
  "zap_pte_range",
  function* (vma: vm_area_struct, table: number, addr: number, end: number, pages: Pages, from: number): Kernel<Pages> {
    yield* fact("8c", spin_lock(pte_lockptr(table)));
    const [all, dirty] = yield* zap_ptes(vma, table, addr, end, pages, false);
    const mm = yield* loadPrivate(vma.vm_mm);
    if (dirty) yield* fact("8c", flush_gathered(mm, from, end));
    yield* fact("8c", spin_unlock(pte_lockptr(table)));
    if (!dirty) return all;
    yield* fact("8c", tlb_flush_mmu(mm, all));
    return [];
  },
  {
    source: "mm/memory.c",
    facts: "munmap",
    params: ["vma", "pmd", "addr", "end", "pages", "from"],
    own: ["pages", "from"],
    summary: "Clears the PTEs of one table; a flush under the lock is one of all that has been gathered so far.",
    differs: "A batch is never full: pages are freed before notifier end only if one of a file is dirty.",
  },
);
type Zapped = readonly [pages: Pages, dirty: boolean];
const zap_ptes = kernelFunction(
  "zap_pte_range",
  function* (
    vma: vm_area_struct,
    table: number,
    addr: number,
    end: number,
    pages: Pages,
    dirty: boolean,
  ): Kernel<Zapped> {
    const tableView = at(pte_table, table);
    const from = pte_entry(tableView, addr).index;
    const found = yield* next_pte(tableView, from, from + Math.ceil((end - addr) / PAGE_SIZE));
    if (found === "none") return [pages, dirty];
    const here = addr + (found - from) * PAGE_SIZE;
    const [page, isDirty] = yield* zap_pte(vma, table, here);
    const all = page === null ? pages : [...pages, page];
    const next = here + PAGE_SIZE;
    if (next >= end) return [all, dirty || isDirty];
    return yield* zap_ptes.restart(vma, table, next, end, all, dirty || isDirty);
  },
  { source: "mm/memory.c", params: ["vma", "pmd", "addr", "end", "pages", "dirty"], internal: true },
);
/** The page to be freed, if there is one, and whether it is a dirty one of a file. */
const zap_pte = kernelFunction(
  "zap_pte_range",
  function* (vma: vm_area_struct, table: number, addr: number): Kernel<readonly [Pages[number] | null, boolean]> {
    const entry = yield* pte_offset(table, addr);
    const old = yield* fact("8c", get_and_clear(entry));
    if (!pte_present(old)) {
      yield* zap_nonpresent(vma, old);
      return [null, false];
    }
    if (pte_special(old) || pte_devmap(old)) return [empty_zero_page, false];
    const page = pte_page(old);
    const shared = ((yield* loadPrivate(vma.vm_flags)) & VM_SHARED) !== 0;
    const fileDirty = shared && pte_dirty(old) && !(yield* PageAnon(page));
    if (fileDirty) yield* fact("8c", set_page_dirty(page));
    yield* fact("8c", page_remove_rmap(page, vma));
    return [page, fileDirty];
  },
  { source: "mm/memory.c", facts: "munmap", params: ["vma", "pmd", "addr"], internal: true },
);
const zap_nonpresent = kernelFunction(
  "zap_pte_range",
  function* (vma: vm_area_struct, old: number): Kernel<void> {
    const mm: mm_struct = yield* loadPrivate(vma.vm_mm);
    if (is_device_private_entry(old)) {
      yield* fact("8c", page_remove_rmap(pte_page(old), vma));
      yield* fact("8c", put_page(pte_page(old)));
    } else {
      yield* count(mm.rss_stat, is_migration_entry(old) ? -1 : 0);
      if (!is_migration_entry(old)) yield* fact("8c", free_swap_and_cache(swap_slot_of(swap_slot, old)));
    }
  },
  { source: "mm/memory.c", facts: "munmap", params: ["vma", "pte"], internal: true },
);
