/** The list has a lock of its own again, which all three take for what they do to it; mmap_sem is left alone. */
import { READ_ONCE } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { hlist_add_head_rcu_2_6_24, hlist_del_rcu, hlist_empty } from "../machine/list.ts";
import { rcu_read_lock, rcu_read_unlock, synchronize_rcu } from "../machine/rcu.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { disarmEach, tellRelease } from "../mm/mmu_notifier_draft.ts";
import {
  __mmu_notifier_register,
  mmu_notifier_register,
  mmu_notifier_unregister,
} from "../mm/mmu_notifier_register.ts";
import { mmu_notifier_release } from "../mm/mmu_notifier_release.ts";
import type { mmu_notifier } from "../mm/mmu_notifier_types.ts";
import type { Patch } from "../patch.ts";

function* register(mn: mmu_notifier, mm: mm_struct): Kernel<number> {
  yield* spin_lock(mm.mmu_notifier.lock);
  yield* hlist_add_head_rcu_2_6_24(mn.hlist, mm.mmu_notifier.head);
  yield* spin_unlock(mm.mmu_notifier.lock);
  return 0;
}
function* unregister(mn: mmu_notifier, mm: mm_struct): Kernel<void> {
  yield* spin_lock(mm.mmu_notifier.lock);
  yield* hlist_del_rcu(mn.hlist);
  yield* spin_unlock(mm.mmu_notifier.lock);
}
const disarm_each = disarmEach(function* (node, mm) {
  yield* spin_lock(mm.mmu_notifier.lock);
  yield* fact("3b", hlist_del_rcu(node));
  yield* spin_unlock(mm.mmu_notifier.lock);
  yield* tellRelease(node, mm);
}, "ALT-LOCK");
function* release(mm: mm_struct): Kernel<void> {
  if (yield* fact(1, hlist_empty(mm.mmu_notifier.head))) return;
  yield* fact(2, rcu_read_lock());
  yield* disarm_each(mm, yield* fact(3, READ_ONCE(mm.mmu_notifier.head.first)));
  yield* fact(4, rcu_read_unlock());
  yield* fact(5, synchronize_rcu());
}

export const mmuNotifierSpinlock: Patch = {
  name: "mmu-notifier-spinlock",
  subject: "Re: [patch 1/6] mmu_notifier: Core code: move to a different lock",
  source: "linux-kernel, 2008-01-30",
  eras: ["mmu-notifier-v3"],
  needs: [],
  replacements: [
    replaces(mmu_notifier_register, register, "ALT-LOCK"),
    replaces(__mmu_notifier_register, register, "ALT-LOCK"),
    replaces(mmu_notifier_unregister, unregister, "ALT-LOCK"),
    replaces(mmu_notifier_release, release, "ALT-LOCK"),
  ],
};
