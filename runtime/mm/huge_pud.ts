/** The part of mm/huge_memory.c and drivers/dax/device.c that is about entries of 1 GiB. Only DAX devices make them. */
import { loadPrivate } from "../machine/access.ts";
import { WARN_ON } from "../machine/bug.ts";
import { failNext, HUGE_FAULT } from "../machine/failure.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { SpinLock } from "../machine/struct.ts";
import { VM_FAULT_FALLBACK } from "./fault_flags.ts";
import { VM_WRITE, type vm_area_struct } from "./mm_types.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import {
  alignDown,
  mk_huge_devmap,
  pmd_devmap,
  pte_mkdirty,
  pte_mkwrite,
  pte_page,
  PUD_SIZE,
  pud_devmap,
  pud_none,
  pud_trans_huge,
  type PudEntry,
} from "./pgtable.ts";
import { get_and_clear, reads, set_entry, value } from "./pgtable_steps.ts";
import { linear_page_index } from "./rmap.ts";
import { flush_tlb_range } from "./tlb.ts";

/** Whether there is a leaf: one load, or two if the first says no. */
export const pud_is_huge = kernelFunction(
  "pud_trans_huge || pud_devmap",
  function* (pud: PudEntry): Kernel<boolean> {
    return (yield* reads(pud_trans_huge, pud)) || (yield* reads(pud_devmap, pud));
  },
  { source: "include/linux/pgtable.h", params: ["pud"], internal: true },
);
/** The PUD lock, held, if there is a leaf under it; else null, and nothing held. */
export const pud_trans_huge_lock = kernelFunction(
  "pud_trans_huge_lock",
  function* (pud: PudEntry, vma: vm_area_struct): Kernel<boolean> {
    if (!(yield* pud_is_huge(pud))) return false;
    const lock = yield* pud_lockptr(vma);
    yield* spin_lock(lock);
    if (yield* pud_is_huge(pud)) return true;
    yield* spin_unlock(lock);
    return false;
  },
  {
    source: "include/linux/huge_mm.h",
    facts: "Helpers",
    params: ["pud", "vma"],
    summary: "Takes the PUD lock if the entry is a leaf, before and after.",
  },
);
/** The PUD lock is page_table_lock: it is never split. */
export function* pud_lockptr(vma: vm_area_struct): Kernel<SpinLock> {
  return (yield* loadPrivate(vma.vm_mm)).page_table_lock;
}

/** dev_dax_huge_fault() for a PUD. */
export const create_huge_pud = kernelFunction(
  "create_huge_pud",
  function* (vma: vm_area_struct, pud: PudEntry, addr: number, write: boolean): Kernel<number> {
    const file = yield* loadPrivate(vma.vm_file);
    if (file.isNull || !(yield* loadPrivate(file.dax))) return VM_FAULT_FALLBACK;
    if (yield* failNext(HUGE_FAULT)) return VM_FAULT_FALLBACK;
    return yield* __dev_dax_pud_fault(vma, pud, addr, write);
  },
  {
    source: "mm/memory.c",
    facts: "huge PUD",
    params: ["vma", "pud", "address", "write"],
    summary: "Asks the device for an entry of 1 GiB.",
    differs: "Anonymous memory has none.",
  },
);
export const __dev_dax_pud_fault = kernelFunction(
  "__dev_dax_pud_fault",
  function* (vma: vm_area_struct, pud: PudEntry, addr: number, write: boolean): Kernel<number> {
    const start = alignDown(addr, PUD_SIZE);
    const vmStart = yield* fact("h2", loadPrivate(vma.vm_start));
    const vmEnd = yield* fact("h2", loadPrivate(vma.vm_end));
    if (start < vmStart || start + PUD_SIZE > vmEnd) return VM_FAULT_FALLBACK;
    const index = yield* linear_page_index(vma, start);
    if (index !== 0) return VM_FAULT_FALLBACK; // a device has 1 GiB: what begins elsewhere does not fit
    const file = yield* loadPrivate(vma.vm_file);
    yield* insert_pfn_pud(vma, pud, (yield* loadPrivate(file.memory)).addr, write);
    return 0;
  },
  {
    source: "drivers/dax/device.c",
    facts: "huge PUD",
    params: ["vma", "pud", "address", "write"],
    summary: "Maps the whole device by one entry, if the mapping covers it.",
    differs: "No SRCU against the device's going away; page->mapping is not set.",
  },
);
const insert_pfn_pud = kernelFunction(
  "insert_pfn_pud",
  function* (vma: vm_area_struct, pud: PudEntry, pfn: number, write: boolean): Kernel<void> {
    const vmFlags = yield* loadPrivate(vma.vm_flags);
    const lock = yield* pud_lockptr(vma);
    const writable = write && (vmFlags & VM_WRITE) !== 0;
    yield* fact("h3", spin_lock(lock));
    const old = yield* fact("h4", value(pud));
    const leaf = mk_huge_devmap(pte_page(pfn), writable);
    if (pud_none(old)) yield* fact("h5b", set_entry(pud, writable ? pte_mkdirty(leaf) : leaf));
    else if (write) {
      const other = !pmd_devmap(old) || pte_page(old).addr !== pfn;
      if (!(yield* WARN_ON(other, "pud_pfn(*pud) != pfn_t_to_pfn(pfn)")))
        yield* fact("h5a", set_entry(pud, pte_mkdirty(pte_mkwrite(old))));
    }
    yield* fact("h6", spin_unlock(lock));
  },
  {
    source: "mm/huge_memory.c",
    facts: "huge PUD",
    params: ["vma", "pud", "pfn", "write"],
    summary: "Stores a leaf where there is nothing, or makes the one there is writable.",
  },
);
/** The device maps it writable when it is asked again. */
export const wp_huge_pud = kernelFunction(
  "wp_huge_pud",
  function* (vma: vm_area_struct, pud: PudEntry, addr: number, _orig: number): Kernel<number> {
    return yield* __dev_dax_pud_fault(vma, pud, addr, true);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "pud", "address", "orig_pud"],
    summary: "A write to a read-only leaf.",
  },
);

/** Splitting leaves nothing: the slot is empty then, not a table. */
export const __split_huge_pud = kernelFunction(
  "__split_huge_pud",
  function* (vma: vm_area_struct, pud: PudEntry, addr: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const start = alignDown(addr, PUD_SIZE);
    const end = start + PUD_SIZE;
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
    yield* fact("s1", mmu_notifier_invalidate_range_start(range));
    yield* fact("s2", spin_lock(mm.page_table_lock));
    if (yield* fact("s3", pud_is_huge(pud))) {
      yield* fact("s4", get_and_clear(pud));
      yield* fact("s5", flush_tlb_range(mm, start, end));
      yield* fact("s6", mmu_notifier_invalidate_range(mm, start, end));
    }
    yield* fact("s7", spin_unlock(mm.page_table_lock));
    yield* fact("s8", mmu_notifier_invalidate_range_only_end(range));
  },
  {
    source: "mm/huge_memory.c",
    facts: "Splits PUD",
    params: ["vma", "pud", "address"],
    summary: "Takes a leaf away, so that smaller entries can take its place.",
  },
);
/** split_huge_pud(): looks without the lock first. */
export const split_huge_pud = kernelFunction(
  "split_huge_pud",
  function* (vma: vm_area_struct, pud: PudEntry, addr: number): Kernel<void> {
    if (yield* pud_is_huge(pud)) yield* __split_huge_pud(vma, pud, addr);
  },
  { source: "include/linux/huge_mm.h", facts: "Helpers", params: ["vma", "pud", "address"], atom: true },
);
/** zap_huge_pud(): whether there was a leaf. What it mapped has no reference to drop. */
export const zap_huge_pud = kernelFunction(
  "zap_huge_pud",
  function* (vma: vm_area_struct, pud: PudEntry): Kernel<boolean> {
    const lock = yield* pud_lockptr(vma);
    yield* fact("8a", spin_lock(lock));
    const leaf = yield* fact("8a", pud_is_huge(pud));
    if (leaf) yield* fact("8a", get_and_clear(pud));
    yield* fact("8a", spin_unlock(lock));
    return leaf;
  },
  { source: "mm/huge_memory.c", facts: "munmap", params: ["vma", "pud"], summary: "Clears a leaf of 1 GiB." },
);
