/**
 * khugepaged as since 6.6: page tables of a file are taken out without mmap_sem, under the locks of the tables alone.
 * What a VMA's tables rest on is no longer that somebody holds mmap_sem.
 */
import { load, loadPrivate } from "../machine/access.ts";
import { BUG_ON } from "../machine/bug.ts";
import { replaces } from "../machine/function.ts";
import { spin_lock, spin_lock_nested, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { find_pmd } from "../mm/huge_split.ts";
import { free_table, retract_one } from "../mm/khugepaged_file.ts";
import type { vm_area_struct } from "../mm/mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "../mm/mmu_notifier.ts";
import { mmu_notifier_range_init } from "../mm/mmu_notifier_types.ts";
import { is_table, PAGE_SIZE, pmd_lockptr, PMD_SIZE, pte_lockptr, type PmdEntry } from "../mm/pgtable.ts";
import { get_and_clear, value } from "../mm/pgtable_steps.ts";
import { flush_tlb_range, tlb_remove_table_sync_one } from "../mm/tlb.ts";
import type { Patch } from "../patch.ts";

function* retractOne(vma: vm_area_struct): Kernel<void> {
  if (!(yield* fact("file", load(vma.anon_vma))).isNull) return;
  const start = yield* load(vma.vm_start);
  const addr = start - (yield* load(vma.vm_pgoff)) * PAGE_SIZE;
  if (addr % PMD_SIZE !== 0 || (yield* load(vma.vm_end)) < addr + PMD_SIZE || addr < start) return;
  const pmd = yield* fact("file", find_pmd(vma, addr));
  if (pmd === null || !is_table(yield* fact("file", value(pmd)))) return;
  const mm = yield* loadPrivate(vma.vm_mm);
  const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, addr, addr + PMD_SIZE);
  yield* fact("file", mmu_notifier_invalidate_range_start(range));
  const table = yield* takeOut(vma, pmd, addr);
  yield* fact("file", mmu_notifier_invalidate_range_end(range));
  if (table !== 0) yield* free_table(mm, table);
}
/** The table; 0 if the VMA has got pages of its own meanwhile. */
function* takeOut(vma: vm_area_struct, pmd: PmdEntry, addr: number): Kernel<number> {
  const mm = yield* loadPrivate(vma.vm_mm);
  yield* fact("file", spin_lock(pmd_lockptr(pmd)));
  const table = yield* value(pmd);
  yield* BUG_ON(!is_table(table), "pte_lockptr() of an entry that is no table");
  yield* fact("file", spin_lock_nested(pte_lockptr(table), 1));
  const goes = (yield* load(vma.anon_vma)).isNull;
  if (goes) {
    yield* fact("file", get_and_clear(pmd));
    yield* fact("file", flush_tlb_range(mm, addr, addr + PMD_SIZE));
    yield* fact("file", tlb_remove_table_sync_one());
  }
  yield* fact("file", spin_unlock(pte_lockptr(table)));
  yield* fact("file", spin_unlock(pmd_lockptr(pmd)));
  return goes ? table : 0;
}

export const retractWithoutMmapLock: Patch = {
  name: "retract-without-mmap-lock",
  subject: "mm/khugepaged: retract_page_tables() without mmap or vma lock",
  source: "1d65b771bc08, 6.6; the table is freed at once, not after an RCU grace period",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(retract_one, retractOne)],
};
