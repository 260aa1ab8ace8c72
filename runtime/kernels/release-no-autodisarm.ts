/** mmu_notifier_release() takes nobody off the list: who registered must unregister, from release() or later. */
import { READ_ONCE } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { hlist_empty } from "../machine/list.ts";
import { rcu_read_lock, rcu_read_unlock, synchronize_rcu } from "../machine/rcu.ts";
import type { Kernel } from "../machine/step.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { disarmEach, tellRelease } from "../mm/mmu_notifier_draft.ts";
import { mmu_notifier_release } from "../mm/mmu_notifier_release.ts";
import type { Patch } from "../patch.ts";

const tell_each = disarmEach(tellRelease, "ALT-NOAUTO");
function* release(mm: mm_struct): Kernel<void> {
  if (yield* hlist_empty(mm.mmu_notifier.head)) return;
  yield* rcu_read_lock();
  yield* tell_each(mm, yield* READ_ONCE(mm.mmu_notifier.head.first));
  yield* rcu_read_unlock();
  yield* synchronize_rcu();
}

export const releaseNoAutodisarm: Patch = {
  name: "release-no-autodisarm",
  subject: "Re: [patch 1/6] mmu_notifier: Core code: remove the auto-disarming feature",
  source: "linux-kernel, 2008-01-30",
  eras: ["mmu-notifier-v3"],
  needs: [],
  replacements: [replaces(mmu_notifier_release, release, "ALT-NOAUTO")],
};
