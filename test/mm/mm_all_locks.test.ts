/** Registration and whoever invalidates without mmap_sem: they must not overlap. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_store } from "../../runtime/mm/fault.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { mmu_interval_notifier_insert } from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier_subscriptions,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { reclaim_pages } from "../../runtime/mm/vmscan.ts";
import { World } from "./world.ts";

const A = 0x1000;

/** How many invalidations are under way, for the notifiers, when the first one has been registered during page-out. */
function active(mutations: readonly Mutation[] = []): number[] {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, A + 0x1000, VM_READ | VM_WRITE);
  world.run(user_store, world.mm, A, 1);
  const sub = world.object(mmu_interval_notifier);
  const ops = world.object(mmu_interval_notifier_ops);
  world.start(0, mmu_interval_notifier_insert, sub, world.mm, A, 0x1000, ops);
  world.start(1, reclaim_pages, world.mm, A, A + 0x1000);
  const seen = new Set<number>();
  const { deadlocks } = world.explore([0, 1], () => {
    for (const known of world.objects(mmu_notifier_subscriptions)) seen.add(world.peek(known.active_invalidate_ranges));
  });
  assert.is(deadlocks, 0);
  return [...seen].sort();
}

test("no invalidation begins without subscriptions and ends with them", () => {
  assert.equal(active(), [0]);
});
test("without the locks of the rmap one does", () => {
  assert.not.equal(active([{ in: "mm_take_all_locks", drop: "mm_take_all_locks" }]), [0]);
});

test.run();
