/** What the contract of mmu notifiers forbids, to see why: the range may be used again while it is still mapped. */
import { loadPrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { zap_page_range } from "../mm/madvise.ts";
import { unmap_page_range } from "../mm/memory_zap.ts";
import type { vm_area_struct } from "../mm/mm_types.ts";
import { tlb_finish_mmu, tlb_gather_mmu } from "../mm/mmu_gather.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "../mm/mmu_notifier.ts";
import { mmu_notifier_range_init } from "../mm/mmu_notifier_types.ts";
import { ERAS, type Patch } from "../patch.ts";

function* zapLast(vma: vm_area_struct, start: number, end: number): Kernel<void> {
  const mm = yield* loadPrivate(vma.vm_mm);
  const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
  yield* tlb_gather_mmu(mm);
  yield* mmu_notifier_invalidate_range_start(range);
  yield* mmu_notifier_invalidate_range_end(range);
  const pages = yield* unmap_page_range(vma, start, end, [], start);
  yield* tlb_finish_mmu(mm, start, end, [], pages);
}

export const endBeforeZap: Patch = {
  name: "end-before-zap",
  subject: "a mistake, made on purpose: MADV_DONTNEED clears entries after mmu_notifier_invalidate_range_end()",
  source: "nobody",
  eras: ERAS,
  needs: [],
  replacements: [replaces(zap_page_range, zapLast)],
};
