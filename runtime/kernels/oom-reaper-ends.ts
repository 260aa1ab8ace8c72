/** A second idea against starts without an end: the OOM reaper tells of one in any case, those who refused included. */
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start_nonblock } from "../mm/mmu_notifier.ts";
import type { mmu_notifier_range } from "../mm/mmu_notifier_types.ts";
import { reap_vma, reaping } from "../mm/oom_kill.ts";
import { erasOf, type Patch } from "../patch.ts";

function* startOrEnd(range: mmu_notifier_range): Kernel<boolean> {
  const refused = (yield* fact("NS", mmu_notifier_invalidate_range_start_nonblock(range))) !== 0;
  if (refused) yield* fact("NE", mmu_notifier_invalidate_range_end(range));
  return !refused;
}

export const oomReaperEnds: Patch = {
  name: "oom-reaper-ends",
  subject: "an idea that was not taken: the OOM reaper ends what has been refused",
  source: "linux-mm, 2021",
  eras: erasOf({ since: "v4.19", until: "v5.12" }),
  needs: [],
  replacements: [replaces(reap_vma, reaping(startOrEnd))],
};
