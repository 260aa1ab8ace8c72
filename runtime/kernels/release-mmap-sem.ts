/** mmu_notifier_release() takes what register and unregister take: mmap_sem, for writing. */
import { READ_ONCE } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { hlist_empty } from "../machine/list.ts";
import { rcu_read_lock, rcu_read_unlock, synchronize_rcu } from "../machine/rcu.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { disarm_each } from "../mm/mmu_notifier_draft.ts";
import { mmu_notifier_release } from "../mm/mmu_notifier_release.ts";
import type { Patch } from "../patch.ts";

function* release(mm: mm_struct): Kernel<void> {
  if (yield* fact(1, hlist_empty(mm.mmu_notifier.head))) return;
  yield* down_write(mm.mmap_sem);
  yield* fact(2, rcu_read_lock());
  yield* disarm_each(mm, yield* fact(3, READ_ONCE(mm.mmu_notifier.head.first)));
  yield* fact(4, rcu_read_unlock());
  yield* up_write(mm.mmap_sem);
  yield* fact(5, synchronize_rcu());
}

export const releaseMmapSem: Patch = {
  name: "release-mmap-sem",
  subject: "Re: [patch 1/6] mmu_notifier: Core code: take mmap_sem in mmu_notifier_release()",
  source: "linux-kernel, 2008-01-30",
  eras: ["mmu-notifier-v3"],
  needs: [],
  replacements: [replaces(mmu_notifier_release, release, "ALT-MMAPSEM")],
};
