/** The OOM reaper before 4.19, and before it learned in 4.15 to pass by whoever has notifiers: it waits for them. */
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { mmu_notifier_invalidate_range_start } from "../mm/mmu_notifier.ts";
import type { mmu_notifier_range } from "../mm/mmu_notifier_types.ts";
import { reap_vma, reaping } from "../mm/oom_kill.ts";
import type { Patch } from "../patch.ts";

function* startAndWait([mm, start, end, event]: mmu_notifier_range): Kernel<boolean> {
  yield* fact("NS", mmu_notifier_invalidate_range_start([mm, start, end, event, true]));
  return true;
}

export const oomReaperBlocks: Patch = {
  name: "oom-reaper-blocks",
  subject: "mm, oom: distinguish blockable mode for mmu notifiers",
  source: "the state before 93065ac753e4, 4.19",
  eras: ["v4.19"],
  needs: [],
  replacements: [replaces(reap_vma, reaping(startAndWait))],
};
