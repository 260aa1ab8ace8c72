/** A mistake, made on purpose, that shows what fork()'s order is for. */
import { loadPrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { copy_page_range, copy_tables, is_cow_mapping } from "../mm/copy_page_range.ts";
import type { vm_area_struct } from "../mm/mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "../mm/mmu_notifier.ts";
import { mmu_notifier_range_init } from "../mm/mmu_notifier_types.ts";
import type { Patch } from "../patch.ts";

function* endsFirst(dst: vm_area_struct, src: vm_area_struct): Kernel<boolean> {
  if (!is_cow_mapping(yield* loadPrivate(src.vm_flags))) return yield* copy_tables(dst, src);
  const mm = yield* loadPrivate(src.vm_mm);
  const start = yield* loadPrivate(src.vm_start);
  const range = mmu_notifier_range_init("MMU_NOTIFY_PROTECTION_PAGE", mm, start, yield* loadPrivate(src.vm_end));
  yield* mmu_notifier_invalidate_range_start(range);
  yield* mmu_notifier_invalidate_range_end(range);
  return yield* copy_tables(dst, src);
}

export const forkEndsBeforeWrprotect: Patch = {
  name: "fork-ends-before-wrprotect",
  subject: "a mistake, made on purpose: notifiers hear of the end before anything is write-protected",
  source: "nobody",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(copy_page_range, endsFirst)],
};
