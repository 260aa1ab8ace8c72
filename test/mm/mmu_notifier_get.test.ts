/** Notifiers that the kernel shares and frees: mmu_notifier_get() and mmu_notifier_put() of 5.6. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, store } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, int, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import type { mm_struct } from "../../runtime/mm/mm_types.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "../../runtime/mm/mmu_notifier.ts";
import { mmu_notifier_get, mmu_notifier_put, mmu_notifier_synchronize } from "../../runtime/mm/mmu_notifier_get.ts";
import {
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_range_init,
  mmu_notifier_subscriptions,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { checkBodies, SRCU_ACTOR, World } from "./world.ts";

class counter extends Struct {
  freed = int();
}
const counts = staticObject(counter);

const alloc_shared = kernelFunction("alloc_shared", function* (_mm: mm_struct): Kernel<mmu_notifier> {
  return yield* kzalloc(mmu_notifier);
});
const free_shared = kernelFunction("free_shared", function* (mn: mmu_notifier): Kernel<void> {
  yield* store(counts.freed, (yield* load(counts.freed)) + 1);
  yield* kfree(mn);
});
const look_on = kernelFunction(
  "look_on",
  function* (mn: mmu_notifier, _range: mmu_notifier_range): Kernel<number> {
    yield* load(mn.users);
    return 0;
  },
  { params: ["mn", "range"] },
);
const invalidate = kernelFunction(
  "invalidate_all",
  function* (range: mmu_notifier_range): Kernel<void> {
    yield* mmu_notifier_invalidate_range_start(range);
    yield* mmu_notifier_invalidate_range_end(range);
  },
  { params: ["range"] },
);

function scene(): { world: World; ops: mmu_notifier_ops; first: () => number } {
  const world = new World([], [], "v5.6");
  const ops = world.object(mmu_notifier_ops);
  world.poke(ops.alloc_notifier, alloc_shared.id);
  world.poke(ops.free_notifier, free_shared.id);
  world.poke(ops.invalidate_range_start, look_on.id);
  const subscriptions = (): mmu_notifier_subscriptions =>
    at(mmu_notifier_subscriptions, world.peek(world.mm.notifier_subscriptions));
  return { world, ops, first: () => world.peek(subscriptions().list.first) };
}

test("one notifier per mm and ops, freed by SRCU after the last put", () => {
  const { world, ops, first } = scene();
  const mn = world.run(mmu_notifier_get, ops, world.mm);
  assert.is(world.run(mmu_notifier_get, ops, world.mm), mn);
  assert.is(world.peek(mn.users), 2);
  assert.is(world.peek(world.mm.mm_count), 2);
  world.run(mmu_notifier_put, mn);
  assert.is(first(), mn.hlist.addr);
  world.run(mmu_notifier_put, mn);
  assert.is(first(), 0);
  assert.not(world.isFreed(mn));
  while (world.machine.step(SRCU_ACTOR, 0) !== 0);
  assert.ok(world.isFreed(mn));
  assert.is(world.peek(counts.freed), 1);
  assert.is(world.peek(world.mm.mm_count), 1);
  world.run(mmu_notifier_synchronize);
  checkBodies(world);
});

test("a put against an invalidation: no callback looks at what is freed", () => {
  const { world, ops } = scene();
  const mn = world.run(mmu_notifier_get, ops, world.mm);
  world.start(0, invalidate, mmu_notifier_range_init("MMU_NOTIFY_CLEAR", world.mm, 0x1000, 0x2000));
  world.start(1, mmu_notifier_put, mn);
  const { findings, deadlocks } = world.explore([0, 1], () => assert.ok(world.isFreed(mn)));
  assert.is(findings.size + deadlocks, 0);
});

test("a put too many is a warning", () => {
  const { world, ops } = scene();
  const mn = world.run(mmu_notifier_get, ops, world.mm);
  world.run(mmu_notifier_put, mn);
  world.run(mmu_notifier_put, mn);
  assert.match(world.findings.at(-1)?.message ?? "", /users/);
});

test.run();
