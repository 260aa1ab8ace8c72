/** The revision of 31 January: release() before the pages go, and no lock that the caller has not taken. */
import { replaces } from "../machine/function.ts";
import { hlist_del_rcu } from "../machine/list.ts";
import type { Kernel } from "../machine/step.ts";
import { exit_mmap, releaseFirst } from "../mm/exit_mmap.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { registerLocked } from "../mm/mmu_notifier_draft.ts";
import { mmu_notifier_register, mmu_notifier_unregister } from "../mm/mmu_notifier_register.ts";
import type { mmu_notifier } from "../mm/mmu_notifier_types.ts";
import type { Patch } from "../patch.ts";

function* unregister(mn: mmu_notifier, _mm: mm_struct): Kernel<void> {
  yield* hlist_del_rcu(mn.hlist);
}

export const mmuNotifierV4EarlyRelease: Patch = {
  name: "mmu-notifier-v4-early-release",
  subject: "mmu_notifier: Core code, revised: release first, invalidate_all is gone",
  source: "linux-kernel, 2008-01-31",
  eras: ["mmu-notifier-v3"],
  needs: ["mmu-notifier-v4"],
  replacements: [
    replaces(exit_mmap, releaseFirst),
    replaces(mmu_notifier_register, registerLocked, "register A4'"),
    replaces(mmu_notifier_unregister, unregister, "unregister A4'"),
  ],
};
