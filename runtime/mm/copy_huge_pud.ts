/** The part of mm/huge_memory.c that copies a leaf of 1 GiB for fork(). */
import { loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_lock_nested, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { vm_area_struct } from "./mm_types.ts";
import { pte_wrprotect, pud_leaf, type PudEntry } from "./pgtable.ts";
import { ptep_set_wrprotect, set_entry, value } from "./pgtable_steps.ts";

/** False: there is no leaf any more. */
export const copy_huge_pud = kernelFunction(
  "copy_huge_pud",
  function* (dst: vm_area_struct, src: vm_area_struct, dstPud: PudEntry, pud: PudEntry): Kernel<boolean> {
    const child = yield* loadPrivate(dst.vm_mm);
    const parent = yield* loadPrivate(src.vm_mm);
    yield* fact(6, spin_lock(child.page_table_lock));
    yield* fact(6, spin_lock_nested(parent.page_table_lock, 1));
    const old = yield* fact(6, value(pud));
    if (pud_leaf(old)) {
      yield* fact(6, ptep_set_wrprotect(pud));
      yield* fact(6, set_entry(dstPud, pte_wrprotect(old)));
    }
    yield* fact(6, spin_unlock(parent.page_table_lock));
    yield* fact(6, spin_unlock(child.page_table_lock));
    return pud_leaf(old);
  },
  {
    source: "mm/huge_memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pud", "src_pud"],
    summary: "Copies a leaf of 1 GiB, read-only in both.",
  },
);
