/** mm/mremap.c: a mapping moves to another address, and its page tables with it. */
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { BUG_ON, WARN_ON } from "../machine/bug.ts";
import { EFAULT, EINTR, EINVAL, ENOMEM } from "../machine/errno.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_write, down_write_killable, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_lock_nested, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, NULL, type SpinLock } from "../machine/struct.ts";
import { get_file } from "./file.ts";
import {
  pgtable_trans_huge_deposit,
  pgtable_trans_huge_withdraw,
  pmd_is_huge,
  pmd_trans_huge_lock,
  split_huge_pmd,
} from "./huge_memory.ts";
import { __do_munmap, misplaced } from "./mmap.ts";
import { vm_area_struct, VM_HUGEPAGE, type mm_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { allocate } from "./page_alloc.ts";
import {
  is_table,
  PAGE_SIZE,
  pgd_none,
  pmd_addr_end,
  pmd_devmap,
  pmd_lockptr,
  pmd_none,
  pmd_present,
  PMD_SIZE,
  pte_entry,
  pte_lockptr,
  pte_present,
  pte_table,
  pud_none,
  type PmdEntry,
} from "./pgtable.ts";
import { __pmd_alloc, __pud_alloc, pte_alloc } from "./pgtable_alloc.ts";
import {
  clear_table,
  get_and_clear,
  next_pte,
  pgd_offset,
  pmd_offset,
  pmd_trans_unstable,
  populate,
  pte_offset,
  pud_none_or_clear_bad,
  pud_offset,
  reads,
  set_entry,
  set_pte_at,
  value,
} from "./pgtable_steps.ts";
import { anon_vma_clone, vma_link_file } from "./rmap.ts";
import { flush_tlb_range } from "./tlb.ts";
import { find_vma, find_vma_links, vma_link } from "./vma_tree.ts";

/** mremap(2) with MREMAP_MAYMOVE | MREMAP_FIXED, to a range of the same size. */
export const vm_mremap = kernelFunction(
  "mremap_to",
  function* (mm: mm_struct, start: number, end: number, newAddr: number): Kernel<number> {
    const newEnd = newAddr + (end - start);
    if (misplaced(start, end) || misplaced(newAddr, newEnd) || (newAddr < end && start < newEnd)) return -EINVAL;
    if ((yield* fact(1, down_write_killable(mm.mmap_sem))) !== 0) return -EINTR;
    const ret = yield* move_to(mm, start, end, newAddr);
    yield* fact(8, up_write(mm.mmap_sem));
    return ret;
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["mm", "addr", "end", "new_addr"],
    summary: "Moves a mapping to another address; the new address, or an error.",
    differs: "The size stays. No mlock, accounting, userfaultfd or hugetlb.",
  },
);
const move_to = kernelFunction(
  "mremap_to",
  function* (mm: mm_struct, start: number, end: number, newAddr: number): Kernel<number> {
    const error = yield* fact(2, __do_munmap(mm, newAddr, newAddr + (end - start), false));
    if (error < 0) return error;
    const vma = yield* fact(2, find_vma(mm, start));
    if (vma.isNull || (yield* load(vma.vm_start)) > start || (yield* load(vma.vm_end)) < end) return -EFAULT;
    return yield* move_vma(vma, start, end, newAddr);
  },
  { source: "mm/mremap.c", facts: "mremap", params: ["mm", "addr", "end", "new_addr"], internal: true },
);

const move_vma = kernelFunction(
  "move_vma",
  function* (vma: vm_area_struct, start: number, end: number, newAddr: number): Kernel<number> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const fresh = yield* fact(2, copy_vma(vma, start, newAddr, newAddr + (end - start)));
    if (fresh.isNull) return -ENOMEM;
    const moved = yield* move_page_tables(vma, start, fresh, newAddr, end - start);
    const failed = moved < end - start;
    // What has been moved goes back, and the new mapping away instead of the old one.
    if (failed) yield* fact(6, move_page_tables(fresh, newAddr, vma, start, moved));
    const gone = failed ? newAddr : start;
    yield* fact(7, __do_munmap(mm, gone, gone + (end - start), false));
    return failed ? -ENOMEM : newAddr;
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["vma", "old_addr", "old_end", "new_addr"],
    summary: "Makes a second VMA, moves the page tables over to it, and unmaps the old range.",
  },
);
/** It comes behind the old one in the family: whoever looks for a page that is being moved meets it once at least. */
const copy_vma = kernelFunction(
  "copy_vma",
  function* (vma: vm_area_struct, start: number, newAddr: number, newEnd: number): Kernel<vm_area_struct> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const [, prev, link] = yield* find_vma_links(mm, newAddr, newEnd);
    const vmStart = yield* load(vma.vm_start);
    const pgoff = yield* load(vma.vm_pgoff);
    const flags = yield* load(vma.vm_flags);
    const fresh = yield* allocate(vm_area_struct, "vm_area_dup(vma)");
    if (fresh.isNull) return NULL(vm_area_struct);
    yield* storePrivate(fresh.vm_mm, mm);
    yield* storePrivate(fresh.vm_start, newAddr);
    yield* storePrivate(fresh.vm_end, newEnd);
    yield* storePrivate(fresh.vm_flags, flags);
    const file = yield* loadPrivate(vma.vm_file);
    yield* storePrivate(fresh.vm_file, file);
    yield* storePrivate(fresh.vm_pgoff, pgoff + (start - vmStart) / PAGE_SIZE);
    yield* get_file(file);
    yield* anon_vma_clone(fresh, vma);
    yield* vma_link(mm, fresh, prev, link);
    yield* vma_link_file(fresh);
    return fresh;
  },
  {
    source: "mm/mmap.c",
    facts: "mremap",
    params: ["vma", "old_addr", "addr", "end"],
    summary: "A VMA like another one, elsewhere.",
    differs: "Never merged with a neighbour, so move_page_tables() never needs the rmap locks.",
  },
);

/** Both bodies: nothing but the place of the flush tells them apart. */
const movingTables = (late: boolean) =>
  function* (
    vma: vm_area_struct,
    oldAddr: number,
    fresh: vm_area_struct,
    newAddr: number,
    length: number,
  ): Kernel<number> {
    if (length === 0) return 0;
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_UNMAP", mm, oldAddr, oldAddr + length);
    yield* fact(3, mmu_notifier_invalidate_range_start(range));
    const reached = yield* move_extents(vma, oldAddr, oldAddr + length, fresh, newAddr);
    if (late) yield* flush_tlb_range(mm, oldAddr, reached);
    yield* fact(5, mmu_notifier_invalidate_range_end(range));
    return reached - oldAddr;
  };
/** How much has been moved. */
export const move_page_tables = kernelFunction("move_page_tables", movingTables(false), {
  source: "mm/mremap.c",
  facts: "mremap",
  params: ["vma", "old_addr", "new_vma", "new_addr", "len"],
  summary: "Moves what is mapped: leaf, whole table, or entry by entry. The pages stay where they are.",
});
/** As before eb66ae030829: the old translations are flushed when everything has been moved. */
export const movePageTablesFlushLate = movingTables(true);

/** How far it came. */
const move_extents = kernelFunction(
  "move_page_tables",
  function* (vma: vm_area_struct, addr: number, end: number, fresh: vm_area_struct, newAddr: number): Kernel<number> {
    let next = pmd_addr_end(addr, end);
    const pmd = yield* fact(4, get_old_pmd(vma, addr));
    if (pmd !== null) {
      const to = yield* fact(4, alloc_new_pmd(fresh, newAddr));
      if (to === null) return addr;
      const how = yield* move_extent(vma, pmd, addr, next, to, newAddr);
      if (how === "no memory") return addr;
      if (how === "entries") {
        next = Math.min(next, addr + pmd_addr_end(newAddr, Infinity) - newAddr);
        yield* fact(4, move_ptes(vma, pmd, addr, next, to, newAddr));
      }
    }
    if (next >= end) return end;
    return yield* move_extents.restart(vma, next, end, fresh, newAddr + next - addr);
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["vma", "old_addr", "old_end", "new_vma", "new_addr"],
    internal: true,
  },
);
type Outcome = "moved" | "entries" | "no memory";
/** A leaf or a whole table is moved here; "entries": what there is must be moved one by one. */
const move_extent = kernelFunction(
  "move_page_tables",
  function* (
    vma: vm_area_struct,
    pmd: PmdEntry,
    addr: number,
    end: number,
    to: PmdEntry,
    newAddr: number,
  ): Kernel<Outcome> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const whole = end - addr === PMD_SIZE && newAddr % PMD_SIZE === 0;
    const huge = ((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0;
    if (huge && (yield* fact(4, pmd_is_huge(pmd)))) {
      if (whole && (yield* fact(4, move_huge_pmd(vma, pmd, addr, to)))) return "moved";
      yield* fact(4, split_huge_pmd(vma, pmd, addr));
      if (yield* fact(4, pmd_trans_unstable(pmd))) return "moved";
    } else if (whole && (yield* fact(4, move_normal_pmd(vma, pmd, addr, to)))) return "moved";
    return (yield* fact(4, pte_alloc(mm, to))) ? "entries" : "no memory";
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["vma", "old_pmd", "old_addr", "old_end", "new_pmd", "new_addr"],
    internal: true,
  },
);
/** Null if there is nothing to move. */
const get_old_pmd = kernelFunction(
  "get_old_pmd",
  function* (vma: vm_area_struct, addr: number): Kernel<PmdEntry | null> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const p4d = yield* value(pgd_offset(yield* loadPrivate(mm.pgd), addr));
    if (pgd_none(p4d)) return null;
    const pud = yield* pud_offset(p4d, addr);
    const huge = ((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0;
    if (huge && (yield* pud_none_or_clear_bad(pud))) return null;
    const table = yield* value(pud);
    if (pud_none(table)) return null;
    const pmd = yield* pmd_offset(table, addr);
    return (yield* reads(pmd_none, pmd)) ? null : pmd;
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["vma", "addr"],
    own: ["vma"],
    summary: "The PMD entry of an address, if it holds anything.",
    differs: "Where a VMA can have no huge entry, the load that looks for one is left out.",
  },
);
/** Null if memory is short. */
const alloc_new_pmd = kernelFunction(
  "alloc_new_pmd",
  function* (vma: vm_area_struct, addr: number): Kernel<PmdEntry | null> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const p4d = pgd_offset(yield* loadPrivate(mm.pgd), addr);
    if ((yield* reads(pgd_none, p4d)) && !(yield* __pud_alloc(mm, p4d))) return null;
    const pud = yield* pud_offset(yield* value(p4d), addr);
    if ((yield* reads(pud_none, pud)) && !(yield* __pmd_alloc(mm, pud))) return null;
    return yield* pmd_offset(yield* value(pud), addr);
  },
  { source: "mm/mremap.c", facts: "mremap", params: ["vma", "addr"], summary: "Makes the tables for a new address." },
);

const move_huge_pmd = kernelFunction(
  "move_huge_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, to: PmdEntry): Kernel<boolean> {
    if (yield* WARN_ON(!(yield* reads(pmd_none, to)), "!pmd_none(*new_pmd)")) return false;
    if (!(yield* fact(4, pmd_trans_huge_lock(pmd)))) return false;
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* lock_new(pmd_lockptr(pmd), pmd_lockptr(to));
    const leaf = yield* fact(4, get_and_clear(pmd));
    if (!pmd_devmap(leaf)) yield* pgtable_trans_huge_deposit(to, yield* pgtable_trans_huge_withdraw(pmd));
    yield* fact(4, set_entry(to, leaf));
    if (pmd_present(leaf)) yield* fact(4, flush_tlb_range(mm, addr, addr + PMD_SIZE));
    yield* unlock_both(pmd_lockptr(pmd), pmd_lockptr(to));
    return true;
  },
  {
    source: "mm/huge_memory.c",
    facts: "mremap",
    params: ["vma", "old_pmd", "old_addr", "new_pmd"],
    summary: "Moves a leaf of 2 MiB, and the table that was deposited with it.",
    differs: "A leaf of a device is one, as since 5.8.",
  },
);
/** The locks of the two tables; a table may be both. mmap_sem, held for writing, makes any order of the two right. */
function* lock_new(from: SpinLock, to: SpinLock): Kernel<void> {
  if (from.addr !== to.addr) yield* fact(4, spin_lock_nested(to, 1));
}
function* unlock_both(from: SpinLock, to: SpinLock): Kernel<void> {
  if (from.addr !== to.addr) yield* fact(4, spin_unlock(to));
  yield* fact(4, spin_unlock(from));
}

/** Nothing else makes a table of an entry's value here: what is none would stand for physical page 0. */
function* pmd_pgtable(pmd: number): Kernel<pte_table> {
  yield* BUG_ON(!is_table(pmd), "pmd_pgtable() of an entry that is no table: page 0 becomes one");
  return at(pte_table, pmd);
}
export const move_normal_pmd = kernelFunction(
  "move_normal_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, to: PmdEntry): Kernel<boolean> {
    if (yield* WARN_ON(!(yield* fact(4, reads(pmd_none, to))), "!pmd_none(*new_pmd)")) return false;
    yield* fact(4, spin_lock(pmd_lockptr(pmd)));
    yield* lock_new(pmd_lockptr(pmd), pmd_lockptr(to));
    yield* move_table(vma, pmd, addr, to, yield* fact(4, value(pmd)));
    yield* unlock_both(pmd_lockptr(pmd), pmd_lockptr(to));
    return true;
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["vma", "old_pmd", "old_addr", "new_pmd"],
    summary: "Moves a whole table of PTEs at once.",
    differs: "The table is hung in by pmd_populate(), as since 5.14: before, the entry itself was copied.",
  },
);
/** Under both locks. */
const move_table = kernelFunction(
  "move_normal_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, to: PmdEntry, table: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* fact(4, clear_table(pmd));
    yield* fact(4, populate(to, yield* pmd_pgtable(table)));
    yield* fact(4, flush_tlb_range(mm, addr, addr + PMD_SIZE));
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["vma", "old_pmd", "old_addr", "new_pmd", "pmd"],
    internal: true,
  },
);
/** Whoever finds a VMA by what it maps is kept out. */
function* take_rmap_locks(vma: vm_area_struct): Kernel<void> {
  const file = yield* loadPrivate(vma.vm_file);
  const family = yield* load(vma.anon_vma);
  if (!file.isNull) yield* down_write(file.i_mmap_rwsem);
  if (!family.isNull) yield* down_write(family.rwsem);
}
function* drop_rmap_locks(vma: vm_area_struct): Kernel<void> {
  const file = yield* loadPrivate(vma.vm_file);
  const family = yield* load(vma.anon_vma);
  if (!family.isNull) yield* up_write(family.rwsem);
  if (!file.isNull) yield* up_write(file.i_mmap_rwsem);
}
/**
 * As since 6fa1066fc5d0: what was asked without the lock is asked again under it, before anything is changed. Where
 * there is no table any more, nothing is left to move: what was in it can be faulted in again from its file.
 */
export function* moveNormalPmdRechecks(
  vma: vm_area_struct,
  pmd: PmdEntry,
  addr: number,
  to: PmdEntry,
): Kernel<boolean> {
  if (yield* WARN_ON(!(yield* fact(4, reads(pmd_none, to))), "!pmd_none(*new_pmd)")) return false;
  yield* take_rmap_locks(vma);
  yield* fact(4, spin_lock(pmd_lockptr(pmd)));
  yield* lock_new(pmd_lockptr(pmd), pmd_lockptr(to));
  const table = yield* fact(4, value(pmd));
  if (is_table(table)) yield* move_table(vma, pmd, addr, to, table);
  yield* unlock_both(pmd_lockptr(pmd), pmd_lockptr(to));
  yield* drop_rmap_locks(vma);
  return true;
}

const movingPtes = (late: boolean) =>
  function* (
    vma: vm_area_struct,
    pmd: PmdEntry,
    addr: number,
    end: number,
    to: PmdEntry,
    newAddr: number,
  ): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const from = yield* fact(4, value(pmd));
    const dest = yield* fact(4, value(to));
    yield* pte_offset(from, addr);
    yield* pte_offset(dest, newAddr);
    yield* fact(4, spin_lock(pte_lockptr(from)));
    yield* lock_new(pte_lockptr(from), pte_lockptr(dest));
    const present = yield* move_entries(from, addr, end, dest, newAddr, false);
    if (present && !late) yield* fact(4, flush_tlb_range(mm, addr, end));
    yield* unlock_both(pte_lockptr(from), pte_lockptr(dest));
  };
export const move_ptes = kernelFunction("move_ptes", movingPtes(false), {
  source: "mm/mremap.c",
  facts: "mremap",
  params: ["vma", "old_pmd", "old_addr", "old_end", "new_pmd", "new_addr"],
  summary: "Moves PTEs from one table to another, and flushes the old addresses before anybody can reach a new one.",
});
/** As before eb66ae030829: whoever unmaps the new address may free a page that a TLB still has at the old one. */
export const movePtesFlushLate = movingPtes(true);
/** Whether one of them was present. */
const move_entries = kernelFunction(
  "move_ptes",
  function* (
    from: number,
    addr: number,
    end: number,
    dest: number,
    newAddr: number,
    present: boolean,
  ): Kernel<boolean> {
    const table = at(pte_table, from);
    const first = pte_entry(table, addr).index;
    const found = yield* next_pte(table, first, first + Math.ceil((end - addr) / PAGE_SIZE));
    if (found === -1) return present;
    const here = (found - first) * PAGE_SIZE;
    const pte = yield* fact(4, get_and_clear(yield* pte_offset(from, addr + here)));
    yield* fact(4, set_pte_at(yield* pte_offset(dest, newAddr + here), pte));
    const next = here + PAGE_SIZE;
    const flush = present || pte_present(pte);
    if (addr + next >= end) return flush;
    return yield* move_entries.restart(from, addr + next, end, dest, newAddr + next, flush);
  },
  {
    source: "mm/mremap.c",
    facts: "mremap",
    params: ["old_pmd", "old_addr", "old_end", "new_pmd", "new_addr", "force_flush"],
    internal: true,
  },
);
