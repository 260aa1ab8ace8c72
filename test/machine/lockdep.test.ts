import { test } from "uvu";
import * as assert from "uvu/assert";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { GFP_ATOMIC, GFP_KERNEL, GFP_NOFS } from "../../runtime/machine/gfp.ts";
import {
  fs_reclaim_acquire,
  fs_reclaim_release,
  lock_map_acquire,
  lock_map_release,
  lockdep_map,
  might_lock,
} from "../../runtime/machine/lockdep-map.ts";
import { mutex_lock, mutex_lock_nested, mutex_trylock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import {
  down_read,
  down_read_nested,
  down_write,
  down_write_nested,
  rw_semaphore,
  up_read,
  up_write,
} from "../../runtime/machine/rwsem.ts";
import { spin_lock, spin_lock_nested, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { embed, mutex, spinlock, Struct } from "../../runtime/machine/struct.ts";
import { Rig } from "../support/rig.ts";

class gadget extends Struct {
  a = mutex();
  b = mutex();
  c = mutex();
  spin = spinlock();
  sem = embed(rw_semaphore);
}

const both = (name: string, first: "a" | "b" | "c", second: "a" | "b" | "c") =>
  kernelFunction(name, function* (g: gadget): Kernel<void> {
    yield* mutex_lock(g[first]);
    yield* mutex_lock(g[second]);
    yield* mutex_unlock(g[second]);
    yield* mutex_unlock(g[first]);
  });
const ab = both("ab", "a", "b");
const ba = both("ba", "b", "a");
const bc = both("bc", "b", "c");
const ca = both("ca", "c", "a");

const scene = (): { rig: Rig; g: gadget; h: gadget } => {
  const rig = new Rig();
  return { rig, g: rig.object(gadget, "g"), h: rig.object(gadget, "h") };
};

test("two locks in two orders are told though nobody waits, and the class is the member of the type", () => {
  const { rig, g, h } = scene();
  rig.run(ab, g);
  rig.run(ab, h);
  assert.equal(rig.messages(), []);
  rig.run(ba, h);
  const circle = "&gadget->b --> &gadget->a --> &gadget->b";
  assert.equal(rig.messages(), [`lockdep: possible circular locking dependency detected: ${circle}`]);
  const [finding] = rig.findings;
  assert.is(finding?.step, "mutex_lock(&h->a)");
  assert.equal(finding?.locks, ["&h->b", "&h->a"]);
  assert.equal(finding?.order?.chain[0]?.seen, { actor: 0, stack: ["ab"], step: "mutex_lock(&g->b)" });
});

test("what was undone is forgotten", () => {
  const { rig, g } = scene();
  const mark = rig.machine.mark();
  rig.run(ab, g);
  rig.machine.undoTo(mark);
  rig.run(ba, g);
  assert.equal(rig.messages(), []);
  rig.run(ab, g);
  rig.run(ab, g);
  assert.is(rig.findings.length, 2);
});
test("a circle of three; a search forgets nothing", () => {
  const { rig, g } = scene();
  rig.machine.lockOrder.remembers = true;
  const mark = rig.machine.mark();
  rig.run(ab, g);
  rig.machine.undoTo(mark);
  rig.runOn(1, bc, g);
  rig.machine.undoTo(mark);
  assert.equal(rig.messages(), []);
  rig.runOn(2, ca, g);
  assert.match(rig.messages().join(), /&gadget->c --> &gadget->a --> &gadget->b --> &gadget->c$/);
  rig.machine.undoTo(mark);
  rig.runOn(3, ca, g); // again: whoever comes there is told
  assert.is(rig.findings.length, 2);
});

const tryBack = kernelFunction("tryBack", function* (g: gadget): Kernel<void> {
  yield* mutex_lock(g.b);
  if (yield* mutex_trylock(g.a)) {
    yield* mutex_lock(g.c);
    yield* mutex_unlock(g.c);
    yield* mutex_unlock(g.a);
  }
  yield* mutex_unlock(g.b);
});
test("who only tries does not wait; what is taken under it counts", () => {
  const { rig, g } = scene();
  rig.run(ab, g);
  rig.run(tryBack, g);
  assert.equal(rig.messages(), []);
  rig.run(ca, g);
  assert.match(rig.messages().join(), /&gadget->c --> &gadget->a --> &gadget->c$/);
});

const twice = kernelFunction("twice", function* (g: gadget, h: gadget): Kernel<void> {
  yield* mutex_lock(g.a);
  yield* mutex_lock(h.a);
  yield* mutex_unlock(h.a);
  yield* mutex_unlock(g.a);
});
const nested = kernelFunction("nested", function* (g: gadget, h: gadget): Kernel<void> {
  yield* down_write(g.sem);
  yield* down_write_nested(h.sem, 1);
  yield* mutex_lock(g.a);
  yield* mutex_lock_nested(h.a, 1);
  yield* spin_lock(g.spin);
  yield* spin_lock_nested(h.spin, 1);
  yield* spin_unlock(h.spin);
  yield* spin_unlock(g.spin);
  yield* mutex_unlock(h.a);
  yield* mutex_unlock(g.a);
  yield* up_write(h.sem);
  yield* up_write(g.sem);
});
const readsTwice = kernelFunction("readsTwice", function* (g: gadget): Kernel<void> {
  yield* down_read(g.sem);
  yield* down_read(g.sem);
  yield* up_read(g.sem);
  yield* up_read(g.sem);
});
const writes = kernelFunction("writes", function* (g: gadget, subclass: number): Kernel<void> {
  yield* down_read_nested(g.sem, subclass);
  yield* up_read(g.sem);
});
test("two locks of one class are told, unless one of them is nested", () => {
  const { rig, g, h } = scene();
  rig.run(nested, g, h);
  assert.equal(rig.messages(), []);
  rig.run(twice, g, h);
  assert.equal(rig.messages(), ["lockdep: possible recursive locking detected: &gadget->a"]);
  rig.findings.length = 0;
  rig.run(readsTwice, g);
  assert.equal(rig.messages(), ["lockdep: possible recursive locking detected: &gadget->sem"]);
});
test("who waits is told before it sleeps, and once; the subclass outlives the wait", () => {
  const { rig, g, h } = scene();
  rig.start(1, nested, g, h).steps(1, 1);
  rig.start(0, writes, g, 2).steps(0, 1);
  assert.not(rig.canMove(0));
  assert.is(rig.go(1), "done");
  rig.steps(0, 1);
  assert.is(rig.machine.locksOf(0)[0]?.flags, 256);
  assert.is(rig.go(0), "done");
  rig.start(1, nested, g, h).steps(1, 1);
  rig.start(0, readsTwice, h).steps(0, 1);
  rig.start(2, nested, h, g).steps(2, 1); // queues behind the reader
  rig.steps(0, 1);
  assert.equal(rig.messages(), ["lockdep: possible recursive locking detected: &gadget->sem"]);
  assert.not(rig.canMove(0));
});

const allocates = kernelFunction("allocates", function* (g: gadget, gfp: number): Kernel<void> {
  yield* mutex_lock(g.a);
  yield* kfree(yield* kzalloc(gadget, gfp));
  yield* mutex_unlock(g.a);
});
const reclaims = kernelFunction("reclaims", function* (g: gadget): Kernel<void> {
  yield* fs_reclaim_acquire(GFP_KERNEL);
  yield* might_lock(g.a);
  yield* fs_reclaim_release(GFP_KERNEL);
});
test("an allocation that may reclaim, under a lock that reclaim takes", () => {
  for (const [gfp, expected] of [
    [GFP_KERNEL, "lockdep: possible circular locking dependency detected: &gadget->a --> fs_reclaim --> &gadget->a"],
    [GFP_NOFS, ""], // as in 5.6: it may deadlock all the same
    [GFP_ATOMIC, ""],
  ] as const) {
    const { rig, g } = scene();
    rig.run(reclaims, g);
    rig.run(allocates, g, gfp);
    assert.is(rig.messages().join(), expected);
  }
});

const mapped = kernelFunction("mapped", function* (map: lockdep_map): Kernel<void> {
  yield* lock_map_acquire(map);
  yield* lock_map_acquire(map);
  yield* lock_map_release(map);
  yield* lock_map_release(map);
});
test("a map is taken like a lock, and is in nobody's way", () => {
  const rig = new Rig();
  const map = rig.object(lockdep_map, "invalidate");
  rig.run(mapped, map);
  assert.equal(rig.messages(), ["lockdep: possible recursive locking detected: invalidate"]);
  assert.is(rig.holds(0, map), "");
});

test.run();
