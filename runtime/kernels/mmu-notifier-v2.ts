/** The second draft: release() first, which may free the notifier, then hlist_del() of what is freed. */
import { READ_ONCE } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { hlist_del, hlist_empty } from "../machine/list.ts";
import { rcu_read_lock, rcu_read_unlock, synchronize_rcu } from "../machine/rcu.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { disarmEach, tellRelease } from "../mm/mmu_notifier_draft.ts";
import { mmu_notifier_release } from "../mm/mmu_notifier_release.ts";
import type { Patch } from "../patch.ts";

const release_each = disarmEach(function* (node, mm) {
  yield* tellRelease(node, mm);
  yield* fact("3b", hlist_del(node));
}, "release A2");
function* release(mm: mm_struct): Kernel<void> {
  if (yield* hlist_empty(mm.mmu_notifier.head)) return;
  yield* rcu_read_lock();
  yield* release_each(mm, yield* READ_ONCE(mm.mmu_notifier.head.first));
  yield* rcu_read_unlock();
  yield* synchronize_rcu();
}

export const mmuNotifierV2: Patch = {
  name: "mmu-notifier-v2",
  subject: "[patch 1/6] mmu_notifier: Core code, second version",
  source: "linux-mm, 2008-01-28",
  eras: ["mmu-notifier-v3"],
  needs: [],
  replacements: [replaces(mmu_notifier_release, release, "release A2")],
};
