import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, store } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { rcu_head } from "../../runtime/machine/rcu.ts";
import { down_write, up_write } from "../../runtime/machine/rwsem.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { int, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { mmdrop, mmgrab, mmput } from "../../runtime/mm/fork.ts";
import type { mm_struct } from "../../runtime/mm/mm_types.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_invalidate_range_start_nonblock,
} from "../../runtime/mm/mmu_notifier.ts";
import {
  __mmu_notifier_register,
  mmu_notifier_call_srcu,
  mmu_notifier_register,
  mmu_notifier_unregister,
  mmu_notifier_unregister_no_release,
} from "../../runtime/mm/mmu_notifier_register.ts";
import {
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_range_init,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { EAGAIN } from "../../runtime/machine/errno.ts";
import { checkBodies, SRCU_ACTOR, World } from "./world.ts";

/** What the callbacks below have seen, as digits: which notifier, and which callback. */
class diary extends Struct {
  text = int();
}
const seen = staticObject(diary);
class two_notifiers extends Struct {
  released = int();
}
const counts = staticObject(two_notifiers);

const noteStart = kernelFunction(
  "noteStart",
  function* (_mn: mmu_notifier, range: mmu_notifier_range): Kernel<number> {
    const text = yield* load(seen.text);
    yield* store(seen.text, text * 10 + 1);
    return range[4] ? 0 : -EAGAIN;
  },
  { params: ["mn", "range"] },
);
const noteEnd = kernelFunction(
  "noteEnd",
  function* (_mn: mmu_notifier, _range: mmu_notifier_range): Kernel<void> {
    const text = yield* load(seen.text);
    yield* store(seen.text, text * 10 + 2);
  },
  { params: ["mn", "range"] },
);
const noteFlush = kernelFunction(
  "noteFlush",
  function* (_mn: mmu_notifier, _mm: mm_struct, _start: number, _end: number): Kernel<void> {
    const text = yield* load(seen.text);
    yield* store(seen.text, text * 10 + 3);
  },
  { params: ["mn", "mm", "start", "end"] },
);
const noteRelease = kernelFunction(
  "noteRelease",
  function* (_mn: mmu_notifier, _mm: mm_struct): Kernel<void> {
    const n = yield* load(counts.released);
    yield* store(counts.released, n + 1);
  },
  { params: ["mn", "mm"] },
);
const noteCallback = kernelFunction(
  "noteCallback",
  function* (_head: rcu_head): Kernel<void> {
    yield* store(seen.text, 77);
  },
  { params: ["head"] },
);

const unlock = kernelFunction(
  "unlock",
  function* (mm: mm_struct): Kernel<void> {
    yield* up_write(mm.mmap_sem);
  },
  { params: ["mm"] },
);

function notifier(world: World, parts: { start?: boolean; end?: boolean; flush?: boolean }): mmu_notifier {
  const ops = world.object(mmu_notifier_ops);
  world.poke(ops.release, noteRelease.id);
  if (parts.start === true) world.poke(ops.invalidate_range_start, noteStart.id);
  if (parts.end === true) world.poke(ops.invalidate_range_end, noteEnd.id);
  if (parts.flush === true) world.poke(ops.invalidate_range, noteFlush.id);
  const mn = world.object(mmu_notifier);
  world.poke(mn.ops, ops.addr);
  return mn;
}
const range = (world: World): mmu_notifier_range => mmu_notifier_range_init("MMU_NOTIFY_CLEAR", world.mm, 0, 0x1000);

test("registration takes one mm_count and gives it back, with and without release", () => {
  const world = new World();
  const first = notifier(world, {});
  const second = notifier(world, {});
  assert.is(world.run(mmu_notifier_register, first, world.mm), 0);
  assert.is(world.run(mmu_notifier_register, second, world.mm), 0);
  assert.is(world.peek(world.mm.mm_count), 3);
  assert.equal(world.live(), ["mmu_notifier_subscriptions"]);
  world.run(mmu_notifier_unregister, first, world.mm);
  assert.is(world.peek(counts.released), 1);
  world.run(mmu_notifier_unregister_no_release, second, world.mm);
  assert.is(world.peek(counts.released), 1);
  assert.is(world.peek(world.mm.mm_count), 1);
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
  assert.ok(world.isFreed(world.mm));
  checkBodies(world);
});

test("the __ variant needs mmap_sem held for writing", () => {
  const world = new World();
  const mn = notifier(world, {});
  assert.throws(() => world.run(__mmu_notifier_register, mn, world.mm), /down_read_trylock/);
  const other = new World();
  const held = notifier(other, {});
  other.runKeepingLocks(0, down_write, other.mm.mmap_sem);
  assert.is(other.runKeepingLocks(0, __mmu_notifier_register, held, other.mm), 0);
  other.run(unlock, other.mm);
});

test("an mm without users cannot get a notifier", () => {
  const world = new World();
  world.run(mmgrab, world.mm);
  world.run(mmput, world.mm);
  assert.throws(() => world.run(mmu_notifier_register, notifier(world, {}), world.mm), /mm_users/);
});

test("callbacks run, newest registration first; a missing one is skipped", () => {
  const world = new World();
  world.run(mmu_notifier_register, notifier(world, { start: true, end: true }), world.mm);
  world.run(mmu_notifier_register, notifier(world, { flush: true }), world.mm);
  world.run(mmu_notifier_invalidate_range_start, range(world));
  world.run(mmu_notifier_invalidate_range_end, range(world));
  assert.is(world.peek(seen.text), 132);
});

test("the non-blocking start passes on what a callback answers; the blocking one does not", () => {
  const world = new World();
  assert.is(world.run(mmu_notifier_invalidate_range_start_nonblock, range(world)), 0);
  world.run(mmu_notifier_register, notifier(world, { start: true }), world.mm);
  assert.is(world.run(mmu_notifier_invalidate_range_start_nonblock, range(world)), -EAGAIN);
  assert.is(world.run(mmu_notifier_invalidate_range_start, range(world)), undefined);
});

test("exit releases every notifier once; unregistering afterwards is quiet", () => {
  const world = new World();
  const mn = notifier(world, {});
  world.run(mmu_notifier_register, mn, world.mm);
  world.run(mmput, world.mm);
  assert.is(world.peek(counts.released), 1);
  assert.not(world.isFreed(world.mm), "the registration holds the struct");
  world.run(mmu_notifier_unregister, mn, world.mm);
  assert.is(world.peek(counts.released), 1);
  assert.ok(world.isFreed(world.mm));
  assert.equal(world.live(), []);
});

test("exit against unregister: release once or twice, and nothing is used after it was freed", () => {
  const world = new World();
  const mn = notifier(world, {});
  world.run(mmu_notifier_register, mn, world.mm);
  world.run(mmgrab, world.mm);
  world.start(0, mmput, world.mm);
  world.start(1, mmu_notifier_unregister, mn, world.mm);
  const released = new Set<number>();
  const { findings, deadlocks } = world.explore([0, 1], () => released.add(world.peek(counts.released)));
  assert.is(findings.size + deadlocks, 0);
  assert.equal([...released].sort(), [1, 2]);
});

test("a notifier left registered at the last mmdrop is a BUG", () => {
  const world = new World();
  world.oracles = "off"; // somebody has given back what is not his
  world.run(mmu_notifier_register, notifier(world, {}), world.mm);
  world.run(mmdrop, world.mm);
  world.poke(world.mm.mm_count, 1);
  assert.throws(() => world.run(mmdrop, world.mm), /hlist_empty/);
});

test("mmu_notifier_call_srcu waits for callbacks that run", () => {
  const world = new World();
  world.run(mmu_notifier_register, notifier(world, { start: true }), world.mm);
  world.start(1, mmu_notifier_invalidate_range_start, range(world));
  world.until(1, "noteStart");
  world.run(mmu_notifier_call_srcu, world.object(rcu_head), noteCallback);
  assert.is(world.machine.step(SRCU_ACTOR, 0), 0);
  world.finish(1);
  assert.is.not(world.machine.step(SRCU_ACTOR, 0), 0);
  while (world.machine.step(SRCU_ACTOR, 0) !== 0);
  assert.is(world.peek(seen.text), 77);
});

test.run();
