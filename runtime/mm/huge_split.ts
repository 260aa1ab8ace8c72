/** Where a VMA is cut in the middle of a huge page, the page is split first. */
import { loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { __split_huge_pmd } from "./huge_memory.ts";
import type { vm_area_struct } from "./mm_types.ts";
import { is_table, pmd_none, pmd_present, PMD_SIZE, type PmdEntry, pmd_trans_huge } from "./pgtable.ts";
import { pgd_offset, pmd_offset, pud_offset, value } from "./pgtable_steps.ts";

/** The PMD entry of an address, or null where the tables do not reach: two plain loads. */
export const find_pmd = kernelFunction(
  "mm_find_pmd",
  function* (vma: vm_area_struct, addr: number): Kernel<PmdEntry | null> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const p4d = yield* value(pgd_offset(yield* loadPrivate(mm.pgd), addr));
    if (!is_table(p4d)) return null;
    const pud = yield* value(yield* pud_offset(p4d, addr));
    return is_table(pud) ? yield* pmd_offset(pud, addr) : null;
  },
  { source: "mm/rmap.c", facts: "Helpers", params: ["vma", "address"], summary: "The PMD entry of an address." },
);
export const split_huge_pmd_address = kernelFunction(
  "split_huge_pmd_address",
  function* (vma: vm_area_struct, addr: number): Kernel<void> {
    if (addr % PMD_SIZE === 0) return;
    const pmd = yield* find_pmd(vma, addr);
    if (pmd === null) return;
    const now = yield* value(pmd);
    if (pmd_trans_huge(now) || (!pmd_none(now) && !pmd_present(now))) yield* __split_huge_pmd(vma, pmd, addr, false);
  },
  {
    source: "mm/huge_memory.c",
    facts: "munmap",
    params: ["vma", "address"],
    summary: "Splits the huge page that a boundary lies in.",
  },
);
