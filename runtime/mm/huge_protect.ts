/** The part of mm/huge_memory.c that changes the protection of a page of 2 MiB, and undoes that when it is touched. */
import { loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { __pmd_trans_huge_lock } from "./huge_memory.ts";
import type { vm_area_struct } from "./mm_types.ts";
import {
  alignDown,
  is_huge_zero,
  is_migration_entry,
  make_migration_entry,
  pmd_lockptr,
  pmd_mkinvalid,
  PMD_SIZE,
  pte_clear_protnone,
  pte_page,
  pte_protnone,
  pte_write,
  type PmdEntry,
} from "./pgtable.ts";
import { exchange_entry, get_and_clear, set_entry, value } from "./pgtable_steps.ts";
import { pte_modify } from "./pgtable_protect.ts";
import { flush_tlb_range } from "./tlb.ts";

/** Whether there was a leaf. The lock is held from the first look to the last store. */
export const change_huge_pmd = kernelFunction(
  "change_huge_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, flags: number, numa: boolean): Kernel<boolean> {
    return yield* change_leaf(vma, pmd, addr, flags, numa, true);
  },
  {
    source: "mm/huge_memory.c",
    facts: "mprotect",
    params: ["vma", "pmd", "addr", "newprot", "prot_numa"],
    summary: "Changes the protection of a leaf of 2 MiB; while it does, the entry is invalid, but not none.",
  },
);
/** As before ced108037c2a: the entry is none for a moment, and the flush is left to the caller. */
export function* change_huge_pmd_through_none(
  vma: vm_area_struct,
  pmd: PmdEntry,
  addr: number,
  flags: number,
  numa: boolean,
): Kernel<boolean> {
  return yield* change_leaf(vma, pmd, addr, flags, numa, false);
}
const change_leaf = kernelFunction(
  "change_huge_pmd",
  function* (
    vma: vm_area_struct,
    pmd: PmdEntry,
    addr: number,
    flags: number,
    numa: boolean,
    invalidates: boolean,
  ): Kernel<boolean> {
    if (!(yield* fact(6, __pmd_trans_huge_lock(pmd)))) return false;
    const old = yield* fact(6, value(pmd));
    if (is_migration_entry(old)) {
      if (pte_write(old)) yield* fact(6, set_entry(pmd, make_migration_entry(pte_page(old), false)));
    } else if (!numa || (!is_huge_zero(old) && !pte_protnone(old))) {
      if (invalidates) yield* pmdp_invalidate(vma, pmd, addr, old);
      else yield* fact(6, get_and_clear(pmd));
      yield* fact(6, set_entry(pmd, pte_modify(old, flags, numa)));
    }
    yield* fact(6, spin_unlock(pmd_lockptr(pmd)));
    return true;
  },
  {
    source: "mm/huge_memory.c",
    facts: "mprotect",
    params: ["vma", "pmd", "addr", "newprot", "prot_numa", "invalidates"],
    internal: true,
  },
);
export const pmdp_invalidate = kernelFunction(
  "pmdp_invalidate",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, leaf: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const start = alignDown(addr, PMD_SIZE);
    yield* fact(6, exchange_entry("pmdp_establish", pmd, pmd_mkinvalid(leaf)));
    yield* fact(6, flush_tlb_range(mm, start, start + PMD_SIZE));
  },
  {
    source: "mm/pgtable-generic.c",
    facts: "mprotect",
    params: ["vma", "pmdp", "address", "pmd"],
    own: ["pmd"],
    summary: "Makes a leaf invalid: the hardware faults, who looks still finds a leaf.",
  },
);

/** A NUMA hinting fault of a leaf. */
export const do_huge_pmd_numa_page = kernelFunction(
  "do_huge_pmd_numa_page",
  function* (pmd: PmdEntry, orig: number): Kernel<number> {
    yield* fact("F5", spin_lock(pmd_lockptr(pmd)));
    const same = (yield* fact("F5", value(pmd))) === orig;
    if (same) yield* fact("F5", set_entry(pmd, pte_clear_protnone(orig)));
    yield* fact("F5", spin_unlock(pmd_lockptr(pmd)));
    return 0;
  },
  {
    source: "mm/huge_memory.c",
    facts: "handle_mm_fault",
    params: ["pmd", "orig_pmd"],
    summary: "Gives a leaf back that a NUMA hint took from the hardware.",
    differs: "The page is left where it is.",
  },
);
/** A leaf that allows the access: somebody else was faster, or is in the middle of changing it. */
export const huge_pmd_set_accessed = kernelFunction(
  "huge_pmd_set_accessed",
  function* (pmd: PmdEntry): Kernel<number> {
    yield* fact("F5", spin_lock(pmd_lockptr(pmd)));
    yield* fact("F5", spin_unlock(pmd_lockptr(pmd)));
    return 0;
  },
  {
    source: "mm/huge_memory.c",
    facts: "handle_mm_fault",
    params: ["pmd"],
    summary: "Waits for whoever changes a leaf, which is to be tried again then.",
    differs: "There is no accessed bit, and the dirty one is left to the hardware: nothing is stored.",
  },
);
