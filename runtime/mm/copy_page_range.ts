/**
 * The part of mm/memory.c that copies page tables for fork(). What both may write to later is write-protected in the
 * parent and read-only in the child: the first to write gets a copy.
 *
 * The parent's mmap_sem is held for writing: its VMAs stay as they are, and reading their members is no step.
 */
import { load, loadPrivate } from "../machine/access.ts";
import { atomic_inc } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_lock_nested, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, NULL } from "../machine/struct.ts";
import { copy_huge_pmd } from "./copy_huge_pmd.ts";
import { copy_huge_pud } from "./copy_huge_pud.ts";
import { pmd_is_huge } from "./huge_memory.ts";
import { pud_is_huge } from "./huge_pud.ts";
import { VM_HUGEPAGE, VM_MIXEDMAP, VM_PFNMAP, VM_SHARED, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { alloc_page, count, get_page, put_page } from "./page_alloc.ts";
import {
  is_device_private_entry,
  is_migration_entry,
  make_device_private_entry,
  make_migration_entry,
  page,
  PAGE_SIZE,
  pgd_addr_end,
  pgd_none,
  pmd_addr_end,
  pmd_none,
  pte_devmap,
  pte_entry,
  pte_lockptr,
  pte_mkclean,
  pte_page,
  pte_present,
  pte_special,
  pte_table,
  pte_write,
  pte_wrprotect,
  pud_addr_end,
  pud_none,
  swap_slot_of,
  type PmdEntry,
  type PteEntry,
} from "./pgtable.ts";
import { __pmd_alloc, __pud_alloc, pte_alloc } from "./pgtable_alloc.ts";
import {
  next_pte,
  pgd_offset,
  pmd_none_or_clear_bad,
  pmd_offset,
  pte_offset,
  ptep_set_wrprotect,
  pud_none_or_clear_bad,
  pud_offset,
  set_pte_at,
  value,
} from "./pgtable_steps.ts";
import { swap_slot } from "./swap_slot.ts";

export const is_cow_mapping = (vmFlags: number): boolean => (vmFlags & VM_SHARED) === 0;

/** Of a VMA, the tables; false if memory is short. */
export const copy_page_range = kernelFunction(
  "copy_page_range",
  function* (dst: vm_area_struct, src: vm_area_struct): Kernel<boolean> {
    const vmFlags = yield* loadPrivate(src.vm_flags);
    const refillable = (vmFlags & (VM_PFNMAP | VM_MIXEDMAP)) === 0;
    if (refillable && (yield* fact(4, load(src.anon_vma))).isNull) return true;
    if (!is_cow_mapping(vmFlags)) return yield* copy_tables(dst, src);
    const mm = yield* loadPrivate(src.vm_mm);
    const start = yield* loadPrivate(src.vm_start);
    const range = mmu_notifier_range_init("MMU_NOTIFY_PROTECTION_PAGE", mm, start, yield* loadPrivate(src.vm_end));
    yield* fact(5, mmu_notifier_invalidate_range_start(range));
    const copied = yield* copy_tables(dst, src);
    yield* fact(7, mmu_notifier_invalidate_range_end(range));
    return copied;
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma"],
    summary: "Copies the page tables of a VMA, write-protecting what is copied on write.",
    differs:
      "Takes the child's VMA, as 5.10 does. Every private mapping may be written to (VM_MAYWRITE). Hugetlb is not " +
      "modelled.",
  },
);
/** Between notifier start and end. */
export const copy_tables = kernelFunction(
  "copy_page_range",
  function* (dst: vm_area_struct, src: vm_area_struct): Kernel<boolean> {
    const start = yield* loadPrivate(src.vm_start);
    return yield* copy_pgds.restart(dst, src, start, yield* loadPrivate(src.vm_end));
  },
  { source: "mm/memory.c", facts: "fork", params: ["dst_vma", "src_vma"], internal: true },
);
const copy_pgds = kernelFunction(
  "copy_page_range",
  function* (dst: vm_area_struct, src: vm_area_struct, addr: number, end: number): Kernel<boolean> {
    const next = pgd_addr_end(addr, end);
    const mm = yield* loadPrivate(src.vm_mm);
    const table = yield* fact(6, value(pgd_offset(yield* loadPrivate(mm.pgd), addr)));
    if (!pgd_none(table) && !(yield* copy_pud_range(dst, src, table, addr, next))) return false;
    return next === end ? true : yield* copy_pgds.restart(dst, src, next, end);
  },
  { source: "mm/memory.c", facts: "fork", params: ["dst_vma", "src_vma", "addr", "end"], internal: true },
);

const copy_pud_range = kernelFunction(
  "copy_pud_range",
  function* (dst: vm_area_struct, src: vm_area_struct, table: number, addr: number, end: number): Kernel<boolean> {
    const mm = yield* loadPrivate(dst.vm_mm);
    const p4d = pgd_offset(yield* loadPrivate(mm.pgd), addr);
    let own = yield* fact(6, value(p4d));
    if (pgd_none(own)) {
      if (!(yield* __pud_alloc(mm, p4d))) return false;
      own = yield* fact(6, value(p4d));
    }
    return yield* copy_puds.restart(dst, src, own, table, addr, end);
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "src_p4d", "addr", "end"],
    summary: "The part of one PUD table.",
  },
);
const copy_puds = kernelFunction(
  "copy_pud_range",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    own: number,
    table: number,
    addr: number,
    end: number,
  ): Kernel<boolean> {
    const next = pud_addr_end(addr, end);
    const pud = yield* pud_offset(table, addr);
    const dstPud = yield* pud_offset(own, addr);
    const huge = ((yield* loadPrivate(src.vm_flags)) & VM_HUGEPAGE) !== 0;
    const isLeaf = huge && (yield* fact(6, pud_is_huge(pud)));
    const leafCopied = isLeaf && (yield* fact(6, copy_huge_pud(dst, src, dstPud, pud)));
    if (!leafCopied && !(huge && (yield* fact(6, pud_none_or_clear_bad(pud))))) {
      const below = yield* fact(6, value(pud));
      if (!pud_none(below)) {
        const mm = yield* loadPrivate(dst.vm_mm);
        if (pud_none(yield* fact(6, value(dstPud))) && !(yield* __pmd_alloc(mm, dstPud))) return false;
        const dstTable = yield* fact(6, value(dstPud));
        if (!(yield* copy_pmd_range(dst, src, dstTable, below, addr, next))) return false;
      }
    }
    return next === end ? true : yield* copy_puds.restart(dst, src, own, table, next, end);
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_p4d", "src_p4d", "addr", "end"],
    internal: true,
  },
);

const copy_pmd_range = kernelFunction(
  "copy_pmd_range",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    own: number,
    table: number,
    addr: number,
    end: number,
  ): Kernel<boolean> {
    const next = pmd_addr_end(addr, end);
    const pmd = yield* pmd_offset(table, addr);
    const dstPmd = yield* pmd_offset(own, addr);
    const huge = ((yield* loadPrivate(src.vm_flags)) & VM_HUGEPAGE) !== 0;
    const isLeaf = huge && (yield* fact(6, pmd_is_huge(pmd)));
    const leaf = isLeaf ? yield* fact(6, copy_huge_pmd(dst, src, dstPmd, pmd, addr)) : "no leaf";
    if (leaf === "no memory") return false;
    if (leaf === "no leaf" && !(huge && (yield* fact(6, pmd_none_or_clear_bad(pmd))))) {
      const below = yield* fact(6, value(pmd));
      if (!pmd_none(below) && !(yield* copy_pte_range(dst, src, dstPmd, below, addr, next))) return false;
    }
    return next === end ? true : yield* copy_pmd_range.restart(dst, src, own, table, next, end);
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pud", "src_pud", "addr", "end"],
    summary: "The part of one PMD table.",
  },
);

const copy_pte_range = kernelFunction(
  "copy_pte_range",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    dstPmd: PmdEntry,
    table: number,
    addr: number,
    end: number,
  ): Kernel<boolean> {
    const mm = yield* loadPrivate(dst.vm_mm);
    if (!(yield* fact(6, pte_alloc(mm, dstPmd)))) return false;
    const own = yield* fact(6, value(dstPmd));
    return yield* copy_ptes_locked.restart(dst, src, own, table, addr, end, NULL(page));
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pmd", "src_pmd", "addr", "end"],
    summary: "The part of one PTE table: the child's lock first, then the parent's.",
    differs: "The locks are not dropped every 32 entries.",
  },
);
type Stopped = readonly [addr: number, prealloc: page];
/** `prealloc`: a page for the child, allocated without the locks because the entry at `addr` asked for it, or NULL. */
const copy_ptes_locked = kernelFunction(
  "copy_pte_range",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    own: number,
    table: number,
    addr: number,
    end: number,
    prealloc: page,
  ): Kernel<boolean> {
    yield* fact(6, spin_lock(pte_lockptr(own)));
    yield* fact(6, spin_lock_nested(pte_lockptr(table), 1));
    const [stopped, unused]: Stopped = yield* copy_ptes(dst, src, own, table, addr, end, prealloc);
    yield* fact(6, spin_unlock(pte_lockptr(table)));
    yield* fact(6, spin_unlock(pte_lockptr(own)));
    if (!unused.isNull) yield* put_page(unused);
    if (stopped >= end) return true;
    const fresh = yield* alloc_page();
    if (fresh.isNull) return false;
    return yield* copy_ptes_locked.restart(dst, src, own, table, stopped, end, fresh);
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pmd", "src_pmd", "addr", "end", "prealloc"],
    internal: true,
  },
);
const copy_ptes = kernelFunction(
  "copy_pte_range",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    own: number,
    table: number,
    addr: number,
    end: number,
    prealloc: page,
  ): Kernel<Stopped> {
    const view = at(pte_table, table);
    const from = pte_entry(view, addr).index;
    const found = yield* fact(6, next_pte(view, from, from + Math.ceil((end - addr) / PAGE_SIZE)));
    if (found === "none") return [end, prealloc];
    const here = addr + (found - from) * PAGE_SIZE;
    const outcome = yield* copy_one_pte(dst, src, own, table, here, prealloc);
    if (outcome === "page wanted") return [here, prealloc];
    const rest = outcome === "page used" ? NULL(page) : prealloc;
    if (here + PAGE_SIZE >= end) return [end, rest];
    return yield* copy_ptes.restart(dst, src, own, table, here + PAGE_SIZE, end, rest);
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pmd", "src_pmd", "addr", "end", "prealloc"],
    internal: true,
  },
);

/** What became of an entry: copied; copied with the page that was handed over; or that page is wanted first. */
type Outcome = "copied" | "page used" | "page wanted";
const copy_one_pte = kernelFunction(
  "copy_one_pte",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    own: number,
    table: number,
    addr: number,
    prealloc: page,
  ): Kernel<Outcome> {
    const entry = yield* pte_offset(table, addr);
    const dstEntry = yield* pte_offset(own, addr);
    const old = yield* fact(6, value(entry));
    if (pte_present(old)) return yield* copy_present_pte(dst, src, dstEntry, entry, old, addr, prealloc);
    yield* copy_nonpresent_pte(dst, src, dstEntry, entry, old);
    return "copied";
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pmd", "src_pmd", "addr", "prealloc"],
    own: ["prealloc"],
    summary: "Copies one entry.",
  },
);
export const copy_present_pte = kernelFunction(
  "copy_one_pte",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    dstEntry: PteEntry,
    entry: PteEntry,
    old: number,
    _addr: number,
    _prealloc: page,
  ): Kernel<Outcome> {
    yield* share_pte(dst, src, dstEntry, entry, old);
    return "copied";
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pte", "src_pte", "pte", "addr", "prealloc"],
    internal: true,
  },
);
/** The page is mapped by both from here on. */
export const share_pte = kernelFunction(
  "copy_one_pte",
  function* (dst: vm_area_struct, src: vm_area_struct, dstEntry: PteEntry, entry: PteEntry, old: number): Kernel<void> {
    const cow = is_cow_mapping(yield* loadPrivate(src.vm_flags));
    if (cow && pte_write(old)) yield* fact(6, ptep_set_wrprotect(entry));
    const copy = cow ? pte_wrprotect(old) : pte_mkclean(old);
    const mm: mm_struct = yield* loadPrivate(dst.vm_mm);
    if (!pte_special(old) && !pte_devmap(old)) {
      yield* fact(6, get_page(pte_page(old)));
      yield* fact(6, atomic_inc(pte_page(old).mapcount));
      yield* count(mm.rss_stat, 1);
    }
    yield* fact(6, set_pte_at(dstEntry, copy));
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pte", "src_pte", "pte"],
    internal: true,
  },
);
const copy_nonpresent_pte = kernelFunction(
  "copy_one_pte",
  function* (dst: vm_area_struct, src: vm_area_struct, dstEntry: PteEntry, entry: PteEntry, old: number): Kernel<void> {
    const mm: mm_struct = yield* loadPrivate(dst.vm_mm);
    const loses = pte_write(old) && is_cow_mapping(yield* loadPrivate(src.vm_flags));
    let copy = old;
    if (is_migration_entry(old)) {
      yield* count(mm.rss_stat, 1);
      if (loses) copy = make_migration_entry(pte_page(old), false);
    } else if (is_device_private_entry(old)) {
      yield* fact(6, get_page(pte_page(old)));
      yield* count(mm.rss_stat, 1);
      yield* fact(6, atomic_inc(pte_page(old).mapcount));
      if (loses) copy = make_device_private_entry(pte_page(old), false);
    } else yield* fact(6, atomic_inc(swap_slot_of(swap_slot, old).swap_map));
    if (copy !== old) yield* fact(6, set_pte_at(entry, copy));
    yield* fact(6, set_pte_at(dstEntry, copy));
  },
  {
    source: "mm/memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pte", "src_pte", "pte"],
    internal: true,
  },
);
