/** mm/madvise.c: what a process says about its memory. Each advice is a row of `advices`. */
import { load, loadPrivate, store } from "../machine/access.ts";
import { atomic_read } from "../machine/atomic.ts";
import { EINTR, EINVAL, ENOMEM } from "../machine/errno.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, down_write_killable, up_read, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { pmd_is_huge, pmd_trans_huge_lock, split_huge_pmd } from "./huge_memory.ts";
import { pmdp_invalidate } from "./huge_protect.ts";
import { unmap_page_range } from "./memory_zap.ts";
import { misplaced, split_vma_to } from "./mmap.ts";
import { VM_HUGEPAGE, VM_LOCKED, VM_PFNMAP, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { tlb_finish_mmu, tlb_gather_mmu, type Pages } from "./mmu_gather.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { empty_zero_page } from "./page_alloc.ts";
import { ClearPageDirty, PageDirty, SetPageLazyfree, trylock_page, unlock_page } from "./page_flags.ts";
import {
  is_huge_zero,
  is_swap_entry,
  nextEntry,
  PAGE_SIZE,
  pgd_addr_end,
  pgd_none,
  pmd_addr_end,
  pmd_devmap,
  pmd_lockptr,
  pmd_none,
  pmd_present,
  PMD_SIZE,
  pte_dirty,
  pte_entry,
  pte_lockptr,
  pte_mkclean,
  pte_page,
  pte_present,
  pte_special,
  pte_table,
  pud_addr_end,
  pud_none,
  huge_page,
  swap_slot_of,
  type page,
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
  set_entry,
  set_pte_at,
  value,
} from "./pgtable_steps.ts";
import { free_swap_and_cache, PageSwapCache, swap_slot, try_to_free_swap } from "./swap_slot.ts";
import { find_vma } from "./vma_tree.ts";
import { reclaim_pages } from "./vmscan.ts";

export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_HUGEPAGE = 14;
/** Since 5.4. */
export const MADV_PAGEOUT = 21;

/** VMAs that nobody may take pages from but those who mapped them. */
export const can_madv_lru_vma = (vmFlags: number): boolean => (vmFlags & (VM_LOCKED | VM_PFNMAP)) === 0;

// ---- MADV_DONTNEED

/** Clears the entries of a range of one VMA, and frees what was there. */
export const zap_page_range = kernelFunction(
  "zap_page_range",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
    yield* fact(2, tlb_gather_mmu(mm));
    yield* fact(3, mmu_notifier_invalidate_range_start(range));
    const pages = yield* fact(4, unmap_page_range(vma, start, end, [], start));
    yield* fact(5, mmu_notifier_invalidate_range_end(range));
    yield* fact(6, tlb_finish_mmu(mm, start, end, [], pages));
  },
  {
    source: "mm/memory.c",
    facts: "madvise",
    params: ["vma", "start", "end"],
    summary: "Clears the entries of a range between notifier start and end; the gather frees the pages behind it.",
    differs: "No LRU to drain. The range lies in one VMA.",
  },
);
const madvise_dontneed_single_vma = kernelFunction(
  "madvise_dontneed_single_vma",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<number> {
    if (!can_madv_lru_vma(yield* load(vma.vm_flags))) return -EINVAL;
    yield* zap_page_range(vma, start, end);
    return 0;
  },
  {
    source: "mm/madvise.c",
    facts: "madvise",
    params: ["vma", "start", "end"],
    summary: "Gives the pages of a range up: the next access finds zeros, or the file.",
  },
);

// ---- MADV_FREE

const madvise_free_single_vma = kernelFunction(
  "madvise_free_single_vma",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<number> {
    const file = yield* loadPrivate(vma.vm_file);
    if (!file.isNull || !can_madv_lru_vma(yield* load(vma.vm_flags))) return -EINVAL;
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
    yield* fact(2, tlb_gather_mmu(mm));
    yield* fact(3, mmu_notifier_invalidate_range_start(range));
    const changed = yield* free_pgd_entries(vma, yield* loadPrivate(mm.pgd), start, end, false);
    yield* fact(5, mmu_notifier_invalidate_range_end(range));
    const flush: Pages = changed ? [empty_zero_page] : [];
    yield* fact(6, tlb_finish_mmu(mm, start, end, [], flush));
    return 0;
  },
  {
    source: "mm/madvise.c",
    facts: "madvise",
    params: ["vma", "start", "end"],
    summary: "Marks pages as clean and worth nothing, unless they are written to again.",
    differs: "Walks the tables itself, as walk_page_range() would. No LRU to drain.",
  },
);
const free_pgd_entries = kernelFunction(
  "madvise_free_single_vma",
  function* (vma: vm_area_struct, pgd: pgd_table, addr: number, end: number, changed: boolean): Kernel<boolean> {
    const next = pgd_addr_end(addr, end);
    const table = yield* value(pgd_offset(pgd, addr));
    const here = !pgd_none(table) && (yield* free_puds(vma, yield* pud_offset(table, addr), addr, next, false));
    return next === end ? changed || here : yield* free_pgd_entries.restart(vma, pgd, next, end, changed || here);
  },
  { source: "mm/madvise.c", params: ["vma", "pgd", "addr", "end", "changed"], internal: true },
);
const free_puds = kernelFunction(
  "madvise_free_single_vma",
  function* (vma: vm_area_struct, pud: PudEntry, addr: number, end: number, changed: boolean): Kernel<boolean> {
    const next = pud_addr_end(addr, end);
    const huge = ((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0;
    const none = huge && (yield* pud_none_or_clear_bad(pud));
    const table = none ? 0 : yield* value(pud);
    const here = !pud_none(table) && (yield* free_pmds(vma, yield* pmd_offset(table, addr), addr, next, false));
    return next === end ? changed || here : yield* free_puds.restart(vma, nextEntry(pud), next, end, changed || here);
  },
  { source: "mm/madvise.c", params: ["vma", "pud", "addr", "end", "changed"], internal: true },
);
const free_pmds = kernelFunction(
  "madvise_free_single_vma",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, end: number, changed: boolean): Kernel<boolean> {
    const next = pmd_addr_end(addr, end);
    const here = yield* madvise_free_pte_range(vma, pmd, addr, next);
    return next === end ? changed || here : yield* free_pmds.restart(vma, nextEntry(pmd), next, end, changed || here);
  },
  { source: "mm/madvise.c", params: ["vma", "pmd", "addr", "end", "changed"], internal: true },
);
const madvise_free_pte_range = kernelFunction(
  "madvise_free_pte_range",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, end: number): Kernel<boolean> {
    if (((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0) {
      if (yield* fact(4, pmd_is_huge(pmd))) {
        if (end - addr === PMD_SIZE) return yield* madvise_free_huge_pmd(vma, pmd, addr);
        yield* fact(4, split_huge_pmd(vma, pmd, addr));
      }
      if (yield* fact(4, pmd_trans_unstable(pmd))) return false;
    }
    const table = yield* fact(4, value(pmd));
    if (pmd_none(table)) return false;
    yield* fact(4, spin_lock(pte_lockptr(table)));
    const changed = yield* free_ptes(table, addr, end, false);
    yield* fact(4, spin_unlock(pte_lockptr(table)));
    return changed;
  },
  {
    source: "mm/madvise.c",
    facts: "madvise",
    params: ["pmd", "addr", "end", "walk"],
    summary: "The part of one PTE table.",
  },
);
const free_ptes = kernelFunction(
  "madvise_free_pte_range",
  function* (table: number, addr: number, end: number, changed: boolean): Kernel<boolean> {
    const first = pte_entry(at(pte_table, table), addr).index;
    const found = yield* next_pte(at(pte_table, table), first, first + Math.ceil((end - addr) / PAGE_SIZE));
    if (found === "none") return changed;
    const here = addr + (found - first) * PAGE_SIZE;
    const done = (yield* free_pte(table, here)) || changed;
    const next = here + PAGE_SIZE;
    return next >= end ? done : yield* free_ptes.restart(table, next, end, done);
  },
  { source: "mm/madvise.c", params: ["pmd", "addr", "end", "changed"], internal: true },
);
/** Whether a translation has changed. */
const free_pte = kernelFunction(
  "madvise_free_pte_range",
  function* (table: number, addr: number): Kernel<boolean> {
    const entry = yield* pte_offset(table, addr);
    const pte = yield* fact(4, value(entry));
    if (!pte_present(pte)) {
      if (!is_swap_entry(pte)) return false;
      yield* fact(4, get_and_clear(entry));
      yield* fact(4, free_swap_and_cache(swap_slot_of(swap_slot, pte)));
      return false;
    }
    if (pte_special(pte)) return false;
    const page = pte_page(pte);
    if (((yield* PageSwapCache(page)) || (yield* PageDirty(page))) && !(yield* make_clean(page))) return false;
    const dirty = pte_dirty(pte);
    if (dirty) {
      const old = yield* fact(4, get_and_clear(entry));
      yield* fact(4, set_pte_at(entry, pte_mkclean(old)));
    }
    yield* fact(4, SetPageLazyfree(page));
    return dirty;
  },
  { source: "mm/madvise.c", facts: "madvise", params: ["pmd", "addr"], internal: true },
);
/** False if others map the page, or have it in swap: what they find there must stay. */
const make_clean = kernelFunction(
  "madvise_free_pte_range",
  function* (p: page): Kernel<boolean> {
    if (!(yield* trylock_page(p))) return false;
    const sole = (yield* atomic_read(p.mapcount)) === 1;
    if (sole && (yield* PageSwapCache(p))) yield* try_to_free_swap(p);
    const ours = sole && !(yield* PageSwapCache(p));
    if (ours) yield* ClearPageDirty(p);
    yield* unlock_page(p);
    return ours;
  },
  { source: "mm/madvise.c", facts: "madvise", params: ["page"], internal: true },
);
const madvise_free_huge_pmd = kernelFunction(
  "madvise_free_huge_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number): Kernel<boolean> {
    if (!(yield* fact(4, pmd_trans_huge_lock(pmd)))) return false;
    const leaf = yield* fact(4, value(pmd));
    const head = at(huge_page, pte_page(leaf).addr);
    const ours = pmd_present(leaf) && !is_huge_zero(leaf) && !pmd_devmap(leaf);
    const sole = ours && (yield* atomic_read(head.compound_mapcount)) === 1;
    if (sole && pte_dirty(leaf)) {
      yield* fact(4, pmdp_invalidate(vma, pmd, addr, leaf));
      yield* fact(4, set_entry(pmd, pte_mkclean(leaf)));
    }
    if (sole) yield* fact(4, SetPageLazyfree(head));
    yield* fact(4, spin_unlock(pmd_lockptr(pmd)));
    return sole && pte_dirty(leaf);
  },
  {
    source: "mm/huge_memory.c",
    facts: "madvise",
    params: ["vma", "pmd", "addr"],
    summary: "Marks a leaf of 2 MiB as clean and worth nothing; while it does, the entry is invalid, but not none.",
    differs: "The page is not split where the range covers it whole, and its lock is not needed: it is not in swap.",
  },
);

// ---- MADV_HUGEPAGE

const madvise_hugepage = kernelFunction(
  "hugepage_madvise",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<number> {
    const flags = yield* load(vma.vm_flags);
    if ((flags & VM_HUGEPAGE) !== 0) return 0;
    const error = yield* split_vma_to(yield* loadPrivate(vma.vm_mm), vma, start, end);
    if (error === 0) yield* store(vma.vm_flags, flags | VM_HUGEPAGE);
    return error;
  },
  {
    source: "mm/khugepaged.c",
    facts: "madvise",
    params: ["vma", "start", "end"],
    summary: "Huge pages are wanted in a range. mmap_sem is held for writing: what a VMA may hold changes.",
    differs: "VMAs are never merged.",
  },
);

// ---- MADV_PAGEOUT

const madvise_pageout = kernelFunction(
  "madvise_pageout",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<number> {
    if (!can_madv_lru_vma(yield* load(vma.vm_flags))) return -EINVAL;
    yield* reclaim_pages(yield* loadPrivate(vma.vm_mm), start, end);
    return 0;
  },
  {
    source: "mm/madvise.c",
    facts: "madvise",
    params: ["vma", "start", "end"],
    summary: "Pages out what is mapped in a range.",
    differs: "Pages are isolated one by one, without the PTE lock.",
  },
);

// ---- madvise(2)

/** What is done about one kind of advice. */
interface Advice {
  /** Takes mmap_sem for writing: the VMAs change. */
  readonly writes: boolean;
  /** For the part of the range that lies in one VMA: 0 or an error. */
  readonly run: (vma: vm_area_struct, start: number, end: number) => Kernel<number>;
}
const advices: Readonly<Record<number, Advice>> = {
  [MADV_DONTNEED]: { writes: false, run: madvise_dontneed_single_vma },
  [MADV_FREE]: { writes: false, run: madvise_free_single_vma },
  [MADV_PAGEOUT]: { writes: false, run: madvise_pageout },
  [MADV_HUGEPAGE]: { writes: true, run: madvise_hugepage },
};

export const do_madvise = kernelFunction(
  "do_madvise",
  function* (mm: mm_struct, start: number, end: number, behavior: number): Kernel<number> {
    const advice = advices[behavior];
    if (advice === undefined || misplaced(start, end)) return -EINVAL;
    if (!advice.writes) yield* fact(1, down_read(mm.mmap_sem));
    else if ((yield* fact(1, down_write_killable(mm.mmap_sem))) !== 0) return -EINTR;
    const vma = yield* find_vma(mm, start);
    const ret = yield* advise_each(vma, start, end, behavior, 0);
    if (advice.writes) yield* fact(7, up_write(mm.mmap_sem));
    else yield* fact(7, up_read(mm.mmap_sem));
    return ret;
  },
  {
    source: "mm/madvise.c",
    facts: "madvise",
    params: ["mm", "start", "end", "behavior"],
    summary: "madvise(2): VMA by VMA; a hole is told of at the end.",
    differs: "No userfaultfd, so mmap_sem is never dropped on the way.",
  },
);
/** `ret`: 0, or what a hole has made of it. */
const advise_each = kernelFunction(
  "do_madvise",
  function* (vma: vm_area_struct, start: number, end: number, behavior: number, ret: number): Kernel<number> {
    if (vma.isNull) return -ENOMEM;
    const vmStart = yield* load(vma.vm_start);
    if (vmStart >= end) return -ENOMEM;
    const to = Math.min(yield* load(vma.vm_end), end);
    const error = yield* (advices[behavior] as Advice).run(vma, Math.max(start, vmStart), to);
    if (error !== 0) return error;
    const said = start < vmStart ? -ENOMEM : ret;
    if (to === end) return said;
    return yield* advise_each.restart(yield* load(vma.vm_next), to, end, behavior, said);
  },
  {
    source: "mm/madvise.c",
    facts: "madvise",
    params: ["vma", "start", "end", "behavior", "ret"],
    own: ["ret"],
    internal: true,
  },
);
