/** Types of objects that a script can name: those that a driver embeds or declares, and those the kernel makes. */
import { kref } from "../machine/atomic.ts";
import { hlist_head, hlist_node, list_head } from "../machine/list.ts";
import { lockdep_map } from "../machine/lockdep-map.ts";
import { rcu_head, srcu_struct } from "../machine/rcu.ts";
import { rw_semaphore } from "../machine/rwsem.ts";
import type { Life } from "../machine/era.ts";
import type { StructClass } from "../machine/struct.ts";
import { typeNumber } from "../machine/types.ts";
import { completion, wait_queue_head } from "../machine/wait.ts";
import { work_struct } from "../machine/workqueue.ts";
import { device } from "../drivers/device.ts";
import { iommu } from "../drivers/shared_walker.ts";
import { ib_ucontext_per_mm, ib_umem_odp } from "../drivers/ib_types.ts";
import { hmm, hmm_vma_walk, hmm_mirror, hmm_mirror_ops, hmm_range } from "../mm/hmm_types.ts";
import { address_space, anon_vma, mm_struct, vm_area_struct } from "../mm/mm_types.ts";
import { mm_walk, mm_walk_ops } from "../mm/pagewalk_types.ts";
import { swap_slot } from "../mm/swap_slot.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_subscriptions,
} from "../mm/mmu_notifier_types.ts";
import { dax_memory, huge_page, page, pgd_table, pmd_table, pte_table, pud_table } from "../mm/pgtable.ts";

type Types = Readonly<Record<string, () => StructClass>>;

export const declarableTypes: Types = {
  completion: () => completion,
  device: () => device,
  hlist_head: () => hlist_head,
  hlist_node: () => hlist_node,
  hmm_mirror: () => hmm_mirror,
  hmm_mirror_ops: () => hmm_mirror_ops,
  hmm_range: () => hmm_range,
  ib_umem_odp: () => ib_umem_odp,
  iommu: () => iommu,
  kref: () => kref,
  list_head: () => list_head,
  lockdep_map: () => lockdep_map,
  mm_walk_ops: () => mm_walk_ops,
  mmu_interval_notifier: () => mmu_interval_notifier,
  mmu_interval_notifier_ops: () => mmu_interval_notifier_ops,
  mmu_notifier: () => mmu_notifier,
  mmu_notifier_ops: () => mmu_notifier_ops,
  rcu_head: () => rcu_head,
  rw_semaphore: () => rw_semaphore,
  rwsem: () => rw_semaphore,
  srcu: () => srcu_struct,
  srcu_struct: () => srcu_struct,
  wait_queue_head: () => wait_queue_head,
  wait_queue_head_t: () => wait_queue_head,
  waitqueue: () => wait_queue_head,
  work_struct: () => work_struct,
};

/** Types that only the kernel itself allocates: a script can point to them. */
export const kernelTypes: Types = {
  hmm: () => hmm,
  ib_ucontext_per_mm: () => ib_ucontext_per_mm,
  mm_struct: () => mm_struct,
  mm_walk: () => mm_walk,
  mmu_notifier_mm: () => mmu_notifier_subscriptions,
  mmu_notifier_subscriptions: () => mmu_notifier_subscriptions,
  page: () => page,
  vm_area_struct: () => vm_area_struct,
};
const internals: readonly StructClass[] = [
  ...[pgd_table, pmd_table, pte_table, pud_table, huge_page, dax_memory],
  ...[anon_vma, address_space, swap_slot, hmm_vma_walk],
];
const MIRRORS: Life = { since: "v5.2", until: "v5.3" };
/** Types that only some eras have. */
export const livesOfTypes: Readonly<Record<string, Life>> = {
  hmm: MIRRORS,
  hmm_mirror: MIRRORS,
  hmm_mirror_ops: MIRRORS,
  hmm_range: { since: "v5.2", until: "v5.8" },
  ib_umem_odp: MIRRORS,
  mmu_interval_notifier: { since: "v5.5" },
  mmu_interval_notifier_ops: { since: "v5.5" },
  mmu_notifier_mm: { since: "v2.6.27", until: "v5.6" },
  mmu_notifier_subscriptions: { since: "v5.6" },
};

// Numbers of types are part of a state: they must not depend on which body runs first.
for (const type of [declarableTypes, kernelTypes].flatMap((types) => Object.values(types))) typeNumber(type());
for (const type of internals) typeNumber(type);
