/** The fourth draft: nobody else is there when the mm dies, so no RCU; begin and end; invalidate_all() comes first. */
import { load } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { hlist_del_init } from "../machine/list.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { exit_mmap, releaseLast } from "../mm/exit_mmap.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "../mm/mmu_notifier.ts";
import { disarmEach, mmu_notifier_call, tellRelease } from "../mm/mmu_notifier_draft.ts";
import { mmu_notifier_release } from "../mm/mmu_notifier_release.ts";
import type { mmu_notifier_range } from "../mm/mmu_notifier_types.ts";
import { TASK_SIZE } from "../mm/pgtable.ts";
import type { Patch } from "../patch.ts";

const disarm_each = disarmEach(function* (node, mm) {
  yield* fact("3b", hlist_del_init(node));
  yield* tellRelease(node, mm);
}, "release A4");
function* release(mm: mm_struct): Kernel<void> {
  yield* disarm_each(mm, yield* load(mm.mmu_notifier.head.first));
}
const invalidate_all = mmu_notifier_call("invalidate_all");
const invalidate_range_begin = mmu_notifier_call("invalidate_range_begin");
const invalidate_range_end = mmu_notifier_call("invalidate_range_end");
function* begin([mm, start, end]: mmu_notifier_range): Kernel<void> {
  yield* invalidate_range_begin(mm, start, end);
}
function* end([mm, start, to]: mmu_notifier_range): Kernel<void> {
  yield* invalidate_range_end(mm, start, to);
}

export const mmuNotifierV4: Patch = {
  name: "mmu-notifier-v4",
  subject: "[patch 1/6] mmu_notifier: Core code, fourth version",
  source: "linux-kernel, 2008-01-30",
  eras: ["mmu-notifier-v3"],
  needs: [],
  replacements: [
    replaces(mmu_notifier_release, release, "release A4"),
    replaces(mmu_notifier_invalidate_range_start, begin),
    replaces(mmu_notifier_invalidate_range_end, end),
    replaces(mmu_notifier_invalidate_range_only_end, end),
    replaces(
      exit_mmap,
      releaseLast((mm) => invalidate_all(mm, 0, TASK_SIZE)),
    ),
  ],
};
