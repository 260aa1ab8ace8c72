/** The fixes of 6.1: whoever shares the CPU's page tables is told before one of them is taken out and freed. */
import { replaces } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { collapse_and_free_pmd } from "../mm/khugepaged_file.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "../mm/mmu_notifier.ts";
import { mmu_notifier_range_init } from "../mm/mmu_notifier_types.ts";
import { pmd_lockptr, PMD_SIZE, type PmdEntry } from "../mm/pgtable.ts";
import { get_and_clear } from "../mm/pgtable_steps.ts";
import { flush_tlb_range, tlb_remove_table_sync_one } from "../mm/tlb.ts";
import { erasOf, type Patch } from "../patch.ts";

function* collapse(mm: mm_struct, pmd: PmdEntry, addr: number): Kernel<number> {
  const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, addr, addr + PMD_SIZE);
  yield* fact("file", mmu_notifier_invalidate_range_start(range));
  yield* fact("file", spin_lock(pmd_lockptr(pmd)));
  const table = yield* fact("file", get_and_clear(pmd));
  yield* fact("file", flush_tlb_range(mm, addr, addr + PMD_SIZE));
  yield* fact("file", spin_unlock(pmd_lockptr(pmd)));
  yield* fact("file", tlb_remove_table_sync_one());
  yield* fact("file", mmu_notifier_invalidate_range_end(range));
  return table;
}

export const retractNotifies: Patch = {
  name: "retract-notifies",
  subject: "mm/khugepaged: invoke MMU notifiers in shmem/file collapse paths",
  source: "f268f6cf875f, with 2ba99c5e0881 and 8d3c106e19e8, 6.1",
  eras: erasOf({ since: "v5.6", until: "v6.1" }),
  builtIn: { since: "v6.1" },
  needs: [],
  replacements: [replaces(collapse_and_free_pmd, collapse)],
};
