/** mm/mprotect.c: what may be done with a range, and the same by way of NUMA hints, which only want to hear of it. */
import { load, loadPrivate, store } from "../machine/access.ts";
import { atomic_dec, atomic_inc } from "../machine/atomic.ts";
import { EINTR, EINVAL, ENOMEM } from "../machine/errno.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read_trylock, down_write_killable, up_read, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { __split_huge_pmd, pmd_is_huge } from "./huge_memory.ts";
import { change_huge_pmd } from "./huge_protect.ts";
import { misplaced, split_vma_to } from "./mmap.ts";
import { VM_EXEC, VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import {
  is_device_private_entry,
  is_migration_entry,
  make_device_private_entry,
  make_migration_entry,
  nextEntry,
  PAGE_SIZE,
  pgd_addr_end,
  pgd_none,
  pmd_addr_end,
  pmd_devmap,
  pmd_none,
  pmd_present,
  PMD_SIZE,
  pte_entry,
  pte_lockptr,
  pte_page,
  pte_present,
  pte_protnone,
  pte_table,
  pte_write,
  pud_addr_end,
  pud_none,
  type pgd_table,
  type PmdEntry,
  type PudEntry,
} from "./pgtable.ts";
import { pte_modify } from "./pgtable_protect.ts";
import {
  get_and_clear,
  next_pte,
  pgd_offset,
  pmd_none_or_clear_bad,
  pmd_none_or_clear_bad_unless_trans_huge,
  pmd_offset,
  pmd_trans_unstable,
  pte_offset,
  pud_none_or_clear_bad,
  pud_offset,
  reads,
  set_pte_at,
  value,
} from "./pgtable_steps.ts";
import { flush_tlb_range } from "./tlb.ts";
import { find_vma } from "./vma_tree.ts";

const ACCESS = VM_READ | VM_WRITE | VM_EXEC;
const BITS = { PROT_READ: VM_READ, PROT_WRITE: VM_WRITE, PROT_EXEC: VM_EXEC };
/** What the kernel computes PTE bits from; here the flags themselves are handed down. */
const NEWPROT = { bits: { newprot: { ...BITS, VM_SHARED, VM_HUGEPAGE } } };

/** mprotect(2). */
export const vm_mprotect = kernelFunction(
  "do_mprotect_pkey",
  function* (mm: mm_struct, start: number, end: number, prot: number): Kernel<number> {
    if (misplaced(start, end)) return -EINVAL;
    if ((yield* fact(1, down_write_killable(mm.mmap_sem))) !== 0) return -EINTR;
    const vma = yield* fact(2, find_vma(mm, start));
    const found = !vma.isNull && (yield* fact(2, load(vma.vm_start))) <= start;
    const ret = found ? yield* protect_each(mm, vma, start, end, prot & ACCESS) : -ENOMEM;
    yield* fact(11, up_write(mm.mmap_sem));
    return ret;
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["mm", "start", "end", "prot"],
    bits: { prot: BITS },
    summary: "Changes what may be done with a range.",
    differs: "No protection keys. VMAs are never merged.",
  },
);
const protect_each = kernelFunction(
  "do_mprotect_pkey",
  function* (mm: mm_struct, vma: vm_area_struct, start: number, end: number, prot: number): Kernel<number> {
    const vmEnd = yield* fact(2, load(vma.vm_end));
    const to = Math.min(vmEnd, end);
    const error = yield* mprotect_fixup(mm, vma, start, to, prot);
    if (error !== 0 || to === end) return error;
    const next = yield* fact(2, load(vma.vm_next));
    if (next.isNull || (yield* fact(2, load(next.vm_start))) !== to) return -ENOMEM;
    return yield* protect_each.restart(mm, next, to, end, prot);
  },
  { source: "mm/mprotect.c", facts: "mprotect", params: ["mm", "vma", "start", "end", "prot"], internal: true },
);
const mprotect_fixup = kernelFunction(
  "mprotect_fixup",
  function* (mm: mm_struct, vma: vm_area_struct, start: number, end: number, prot: number): Kernel<number> {
    const old = yield* fact(2, load(vma.vm_flags));
    const flags = (old & ~ACCESS) | prot;
    if (flags === old) return 0;
    const error = yield* split_vma_to(mm, vma, start, end);
    if (error !== 0) return error;
    yield* fact(2, store(vma.vm_flags, flags));
    yield* change_protection(vma, start, end, flags, false);
    return 0;
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["mm", "vma", "start", "end", "prot"],
    bits: { prot: BITS },
    summary: "One VMA: cuts it where the range begins and ends, and gives it and its pages their new protection.",
  },
);

/** Whoever fills an entry from here on sees the new flags; whoever has it in a TLB may use it until the flush. */
export const change_protection = kernelFunction(
  "change_protection",
  function* (vma: vm_area_struct, start: number, end: number, flags: number, numa: boolean): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const pgd = yield* loadPrivate(mm.pgd);
    yield* fact(3, atomic_inc(mm.tlb_flush_pending));
    const changed = yield* change_p4d_range(vma, pgd, start, end, flags, numa, false);
    if (changed) yield* fact(9, flush_tlb_range(mm, start, end));
    yield* fact(10, atomic_dec(mm.tlb_flush_pending));
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["vma", "start", "end", "newprot", "prot_numa"],
    ...NEWPROT,
    summary: "Changes the entries of a range, and flushes the TLBs when all are changed.",
    differs: "Where a VMA can have no huge entry, the loads that look for one are left out.",
  },
);
const change_p4d_range = kernelFunction(
  "change_p4d_range",
  function* (
    vma: vm_area_struct,
    pgd: pgd_table,
    addr: number,
    end: number,
    flags: number,
    numa: boolean,
    changed: boolean,
  ): Kernel<boolean> {
    const next = pgd_addr_end(addr, end);
    const table = yield* value(pgd_offset(pgd, addr));
    const here =
      !pgd_none(table) && (yield* change_puds(vma, yield* pud_offset(table, addr), addr, next, flags, numa, false));
    if (next === end) return changed || here;
    return yield* change_p4d_range.restart(vma, pgd, next, end, flags, numa, changed || here);
  },
  {
    source: "mm/mprotect.c",
    params: ["vma", "pgd", "addr", "end", "newprot", "prot_numa", "changed"],
    internal: true,
  },
);
const change_puds = kernelFunction(
  "change_pud_range",
  function* (
    vma: vm_area_struct,
    pud: PudEntry,
    addr: number,
    end: number,
    flags: number,
    numa: boolean,
    changed: boolean,
  ): Kernel<boolean> {
    const next = pud_addr_end(addr, end);
    // What says that an entry is none or bad is asked of those that may be a leaf; a leaf of a device is bad here.
    const huge = ((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0;
    const none = huge && (yield* fact(4, pud_none_or_clear_bad(pud)));
    const table = none ? 0 : yield* fact(4, value(pud));
    const here = !pud_none(table) && (yield* change_pmd_range(vma, table, addr, next, flags, numa));
    if (next === end) return changed || here;
    return yield* change_puds.restart(vma, nextEntry(pud), next, end, flags, numa, changed || here);
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["vma", "pud", "addr", "end", "newprot", "prot_numa", "changed"],
    internal: true,
  },
);

/** Where the notifiers' range began, or NOT_STARTED; and whether an entry was changed. */
type Progress = readonly [from: number, changed: boolean];
const NOT_STARTED = -1;
/** `table`: what the PUD entry held. */
const change_pmd_range = kernelFunction(
  "change_pmd_range",
  function* (
    vma: vm_area_struct,
    table: number,
    addr: number,
    end: number,
    flags: number,
    numa: boolean,
  ): Kernel<boolean> {
    const first = yield* pmd_offset(table, addr);
    const [from, changed] = yield* change_pmds(vma, first, addr, end, flags, numa, [NOT_STARTED, false]);
    if (from !== NOT_STARTED) {
      const range = mmu_notifier_range_init("MMU_NOTIFY_PROTECTION_VMA", yield* loadPrivate(vma.vm_mm), from, end);
      yield* fact(8, mmu_notifier_invalidate_range_end(range));
    }
    return changed;
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["vma", "pud", "addr", "end", "newprot", "prot_numa"],
    ...NEWPROT,
    summary: "The part of one PMD table, between notifier start and end if anything is there.",
  },
);
const change_pmds = kernelFunction(
  "change_pmd_range",
  function* (
    vma: vm_area_struct,
    pmd: PmdEntry,
    addr: number,
    end: number,
    flags: number,
    numa: boolean,
    [from, changed]: Progress,
  ): Kernel<Progress> {
    const next = pmd_addr_end(addr, end);
    let after: Progress = [from, changed];
    if (yield* has_something(vma, pmd)) {
      if (from === NOT_STARTED) {
        const mm = yield* loadPrivate(vma.vm_mm);
        const range = mmu_notifier_range_init("MMU_NOTIFY_PROTECTION_VMA", mm, addr, end);
        yield* fact(5, mmu_notifier_invalidate_range_start(range));
      }
      const here = yield* change_pmd(vma, pmd, addr, next, flags, numa);
      after = [from === NOT_STARTED ? addr : from, changed || here];
    }
    return next === end ? after : yield* change_pmds.restart(vma, nextEntry(pmd), next, end, flags, numa, after);
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["vma", "pmd", "addr", "end", "newprot", "prot_numa", "range"],
    internal: true,
  },
);
/** Whether there is a table or a leaf. */
const has_something = kernelFunction(
  "change_pmd_range",
  function* (vma: vm_area_struct, pmd: PmdEntry): Kernel<boolean> {
    if (((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) === 0) return !(yield* fact(5, reads(pmd_none, pmd)));
    return (yield* fact(5, pmd_is_huge(pmd))) || !(yield* fact(5, pmd_none_or_clear_bad(pmd)));
  },
  { source: "mm/mprotect.c", facts: "mprotect", params: ["vma", "pmd"], internal: true },
).since(
  "v5.6",
  function* (vma: vm_area_struct, pmd: PmdEntry): Kernel<boolean> {
    if (((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) === 0) return !(yield* fact(5, reads(pmd_none, pmd)));
    if (!(yield* fact(5, reads(pmd_none, pmd))) && !(yield* fact(5, reads(pmd_present, pmd)))) return true;
    if (yield* fact(5, reads(pmd_devmap, pmd))) return true;
    return !(yield* fact(5, pmd_none_or_clear_bad_unless_trans_huge(pmd)));
  },
  "mprotect",
);
const change_pmd = kernelFunction(
  "change_pmd_range",
  function* (
    vma: vm_area_struct,
    pmd: PmdEntry,
    addr: number,
    next: number,
    flags: number,
    numa: boolean,
  ): Kernel<boolean> {
    if (((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0) {
      if (yield* fact(6, pmd_is_huge(pmd))) {
        if (next - addr !== PMD_SIZE) yield* fact(6, __split_huge_pmd(vma, pmd, addr, false));
        else if (yield* fact(6, change_huge_pmd(vma, pmd, addr, flags, numa))) return true;
      }
      if (yield* fact(7, pmd_trans_unstable(pmd))) return false;
    }
    return yield* change_pte_range(vma, yield* fact(7, value(pmd)), addr, next, flags, numa);
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["vma", "pmd", "addr", "next", "newprot", "prot_numa"],
    internal: true,
  },
);
const change_pte_range = kernelFunction(
  "change_pte_range",
  function* (
    _vma: vm_area_struct,
    table: number,
    addr: number,
    end: number,
    flags: number,
    numa: boolean,
  ): Kernel<boolean> {
    yield* fact(7, spin_lock(pte_lockptr(table)));
    const changed = yield* change_ptes(table, addr, end, flags, numa, false);
    yield* fact(7, spin_unlock(pte_lockptr(table)));
    return changed;
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["vma", "pmd", "addr", "end", "newprot", "prot_numa"],
    ...NEWPROT,
    summary: "Changes the PTEs of one table.",
  },
);
const change_ptes = kernelFunction(
  "change_pte_range",
  function* (
    table: number,
    addr: number,
    end: number,
    flags: number,
    numa: boolean,
    changed: boolean,
  ): Kernel<boolean> {
    const tableView = at(pte_table, table);
    const from = pte_entry(tableView, addr).index;
    const found = yield* fact(7, next_pte(tableView, from, from + Math.ceil((end - addr) / PAGE_SIZE)));
    if (found === "none") return changed;
    const here = addr + (found - from) * PAGE_SIZE;
    const done = (yield* change_pte(table, here, flags, numa)) || changed;
    const next = here + PAGE_SIZE;
    return next >= end ? done : yield* change_ptes.restart(table, next, end, flags, numa, done);
  },
  {
    source: "mm/mprotect.c",
    facts: "mprotect",
    params: ["pmd", "addr", "end", "newprot", "prot_numa", "changed"],
    internal: true,
  },
);
/** Through none, so that the hardware cannot set the dirty bit of what is about to be overwritten. */
const change_pte = kernelFunction(
  "change_pte_range",
  function* (table: number, addr: number, flags: number, numa: boolean): Kernel<boolean> {
    const entry = yield* pte_offset(table, addr);
    const old = yield* fact(7, value(entry));
    if (pte_present(old)) {
      if (numa && pte_protnone(old)) return false;
      const taken = yield* fact(7, get_and_clear(entry));
      yield* fact(7, set_pte_at(entry, pte_modify(taken, flags, numa)));
      return true;
    }
    if (!pte_write(old)) return false;
    if (is_migration_entry(old)) yield* fact(7, set_pte_at(entry, make_migration_entry(pte_page(old), false)));
    else if (is_device_private_entry(old))
      yield* fact(7, set_pte_at(entry, make_device_private_entry(pte_page(old), false)));
    else return false;
    return true;
  },
  { source: "mm/mprotect.c", facts: "mprotect", params: ["pmd", "addr", "newprot", "prot_numa"], internal: true },
);

/** What automatic NUMA balancing does to a task now and then: each page of a range is to fault once. */
export const change_prot_numa = kernelFunction(
  "task_numa_work",
  function* (mm: mm_struct, start: number, end: number): Kernel<void> {
    if (misplaced(start, end) || !(yield* fact(1, down_read_trylock(mm.mmap_sem)))) return;
    const vma = yield* fact(2, find_vma(mm, start));
    if (!vma.isNull) yield* hint_each(vma, start, end);
    yield* fact(11, up_read(mm.mmap_sem));
  },
  {
    source: "kernel/sched/fair.c",
    facts: "mprotect",
    params: ["mm", "start", "end"],
    summary:
      "Takes the pages of a range from the hardware, under mmap_sem for reading, so that the next access faults.",
    differs:
      "The range is given, not scanned for. Shared pages, and those of files that are only read, are hinted too.",
  },
);
const hint_each = kernelFunction(
  "task_numa_work",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<void> {
    const vmStart = yield* fact(2, load(vma.vm_start));
    if (vmStart >= end) return;
    const vmEnd = yield* fact(2, load(vma.vm_end));
    const flags = yield* fact(2, load(vma.vm_flags));
    const accessible = (flags & ACCESS) !== 0;
    if (accessible) yield* change_protection(vma, Math.max(start, vmStart), Math.min(end, vmEnd), flags, true);
    const next = yield* fact(2, load(vma.vm_next));
    if (!next.isNull) return yield* hint_each.restart(next, start, end);
  },
  { source: "kernel/sched/fair.c", facts: "mprotect", params: ["vma", "start", "end"], internal: true },
);
