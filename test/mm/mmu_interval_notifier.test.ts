/** Interval notifiers: what their tree and their sequence number promise, and what becomes of it with a line less. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, store } from "../../runtime/machine/access.ts";
import { EAGAIN, EINVAL, EOVERFLOW } from "../../runtime/machine/errno.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_trylock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import { down_write, up_write } from "../../runtime/machine/rwsem.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { at, container_of, embed, int, mutex, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { mmgrab, mmput } from "../../runtime/mm/fork.ts";
import type { mm_struct } from "../../runtime/mm/mm_types.ts";
import {
  mmu_interval_check_retry,
  mmu_interval_notifier_insert,
  mmu_interval_notifier_insert_locked,
  mmu_interval_notifier_remove,
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
} from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_invalidate_range_start_nonblock,
} from "../../runtime/mm/mmu_notifier.ts";
import { mmu_notifier_register, mmu_notifier_unregister } from "../../runtime/mm/mmu_notifier_register.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_range_init,
  mmu_notifier_subscriptions,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { checkBodies, World, type Explored } from "./world.ts";

/** A device that has one page mapped, or none. */
class gpu extends Struct {
  sub = embed(mmu_interval_notifier);
  /** Guards spte. */
  lock = mutex();
  /** What the device has mapped. */
  spte = int();
  /** How often it was told to let go. */
  hits = int();
}
class cpu_page extends Struct {
  /** What the CPU has mapped. */
  pte = int();
}
const the_page = staticObject(cpu_page);
class holder extends Struct {
  lock = mutex();
}
const the_mutex = staticObject(holder);

const gpu_invalidate = kernelFunction(
  "gpu_invalidate",
  function* (sub: mmu_interval_notifier, range: mmu_notifier_range, cur_seq: number): Kernel<boolean> {
    const g = container_of(sub, gpu, "sub");
    if (range[4]) yield* mutex_lock(g.lock);
    else if (!(yield* mutex_trylock(g.lock))) return false;
    yield* mmu_interval_set_seq(sub, cur_seq);
    yield* store(g.spte, 0);
    yield* store(g.hits, (yield* load(g.hits)) + 1);
    yield* mutex_unlock(g.lock);
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
const gpu_ops = staticObject(mmu_interval_notifier_ops);

const gpu_fault = kernelFunction(
  "gpu_fault",
  function* (g: gpu): Kernel<void> {
    const seq = yield* mmu_interval_read_begin(g.sub);
    const pte = yield* load(the_page.pte);
    yield* mutex_lock(g.lock);
    if (yield* mmu_interval_read_retry(g.sub, seq)) {
      yield* mutex_unlock(g.lock);
      return yield* gpu_fault.restart(g);
    }
    yield* store(g.spte, pte);
    yield* mutex_unlock(g.lock);
  },
  { params: ["g"] },
);
/** What munmap() does, as far as a device cares. */
const unmap = kernelFunction(
  "unmap",
  function* (range: mmu_notifier_range): Kernel<void> {
    yield* mmu_notifier_invalidate_range_start(range);
    yield* store(the_page.pte, 0);
    yield* mmu_notifier_invalidate_range_end(range);
  },
  { params: ["range"] },
);
/** The driver's remove, after which it frees the notifier. */
const remove_and_free = kernelFunction(
  "remove_and_free",
  function* (g: gpu): Kernel<void> {
    yield* mmu_interval_notifier_remove(g.sub);
    yield* kfree(g);
  },
  { params: ["g"] },
);
const make_gpu = kernelFunction(
  "make_gpu",
  function* (): Kernel<gpu> {
    const g = yield* kzalloc(gpu);
    yield* store(g.sub.ops, gpu_ops);
    return g;
  },
  { params: [] },
);

/** What callbacks have to tell. */
const taken = staticObject(cpu_page);
const insert_with_lock = kernelFunction("insert", function* (g: gpu, mm: mm_struct): Kernel<number> {
  yield* down_write(mm.mmap_sem);
  const error = yield* mmu_interval_notifier_insert_locked(g.sub, mm, 0x1000, 0x1000, gpu_ops);
  yield* up_write(mm.mmap_sem);
  return error;
});
const hold_lock = kernelFunction("lock", function* (one: gpu): Kernel<void> {
  yield* mutex_lock(one.lock);
});
const refuse = kernelFunction("refuse", function* (): Kernel<boolean> {
  return false;
});
const come_and_go = kernelFunction("come_and_go", function* (one: gpu, mm: mm_struct): Kernel<void> {
  yield* mmu_interval_notifier_insert(one.sub, mm, 0x1000, 0x1000, gpu_ops);
  yield* mmu_interval_notifier_remove(one.sub);
});
const started = kernelFunction("started", function* (_mn: mmu_notifier, r: mmu_notifier_range): Kernel<number> {
  yield* store(taken.pte, r[1]);
  return 0;
});

const begin_under_lock = kernelFunction(
  "begin_under_lock",
  function* (g: gpu): Kernel<void> {
    yield* mutex_lock(g.lock);
    yield* mmu_interval_read_begin(g.sub);
    yield* mutex_unlock(g.lock);
  },
  { params: ["g"] },
);
const sleepy = kernelFunction(
  "sleepy",
  function* (_mn: mmu_notifier, _range: mmu_notifier_range): Kernel<number> {
    yield* mutex_lock(the_mutex.lock);
    yield* mutex_unlock(the_mutex.lock);
    return 0;
  },
  { params: ["mn", "range"] },
);

const PAGE = 1;
function v5_6(mutations: readonly Mutation[] = []): World {
  const world = new World([], mutations, "v5.6");
  world.poke(gpu_ops.invalidate, gpu_invalidate.id);
  world.poke(the_page.pte, PAGE);
  return world;
}
/** Where a driver has bugs. */
const buggy = (): World => Object.assign(v5_6(), { oracles: "off" });
const range = ({ mm }: World, start = 0x1000, end = 0x2000): mmu_notifier_range =>
  mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
function inserted(world: World, start = 0x1000, length = 0x1000): gpu {
  const g = world.object(gpu);
  assert.is(world.run(mmu_interval_notifier_insert, g.sub, world.mm, start, length, gpu_ops), 0);
  return g;
}
const subscriptions = (world: World): mmu_notifier_subscriptions =>
  at(mmu_notifier_subscriptions, world.peek(world.mm.notifier_subscriptions));
const seqOf = (world: World): number => world.peek(subscriptions(world).invalidate_seq);
function treeOf(world: World): number[] {
  const starts = [];
  for (let addr = world.peek(subscriptions(world).itree.first); addr !== 0;) {
    const sub = at(mmu_interval_notifier, addr - at(mmu_interval_notifier, 0).interval_tree.addr);
    starts.push(world.peek(sub.interval_tree.start));
    addr = world.peek(sub.interval_tree.next);
  }
  return starts;
}
const places = ({ findings }: Explored): string[] => [...findings.values()].map((f) => `${f.kind} in ${placeOf(f)}`);

test("insertion: a tree in order, an odd number, an mm_count; removal gives it back", () => {
  const world = v5_6();
  const subs = [0x3000, 0x1000, 0x2000].map((start) => inserted(world, start));
  assert.equal(treeOf(world), [0x1000, 0x2000, 0x3000]);
  assert.is(seqOf(world), 2);
  for (const g of subs) assert.is(world.peek(g.sub.invalidate_seq), 1);
  assert.is(world.peek(world.mm.mm_count), 4);
  for (const g of subs) world.run(mmu_interval_notifier_remove, g.sub);
  assert.equal(treeOf(world), []);
  assert.is(world.peek(world.mm.mm_count), 1);
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
  checkBodies(world);
});

test("trees that hold the same are the same, whatever came first", () => {
  const shape = (starts: readonly number[]): string => {
    const world = v5_6();
    const made = new Map([0x1000, 0x2000, 0x3000].map((start) => [start, world.object(gpu)]));
    for (const start of starts) {
      const { sub } = made.get(start) as gpu;
      world.run(mmu_interval_notifier_insert, sub, world.mm, start, 0x1000, gpu_ops);
    }
    return `${world.machine.memory.lo} ${world.machine.memory.hi}`;
  };
  assert.is(shape([0x1000, 0x2000, 0x3000]), shape([0x3000, 0x1000, 0x2000]));
});

test("an interval has a length, and an mm that lives", () => {
  const world = v5_6();
  const insert = (start: number, length: number): number =>
    world.run(mmu_interval_notifier_insert, world.object(gpu).sub, world.mm, start, length, gpu_ops);
  assert.is(insert(0x1000, 0), -EOVERFLOW);
  assert.is(insert(0x1000, Number.MAX_SAFE_INTEGER), -EOVERFLOW);
  world.poke(world.mm.mm_count, 0);
  assert.is(insert(0x1000, 0x1000), -EINVAL);
  assert.match(world.findings.at(-1)?.message ?? "", /mm_count/);
  const dead = v5_6();
  dead.run(mmgrab, dead.mm);
  dead.run(mmput, dead.mm);
  assert.throws(() => dead.run(mmu_interval_notifier_insert, dead.object(gpu).sub, dead.mm, 0, 1, gpu_ops), /mm_users/);
});

test("insert_locked needs mmap_sem held for writing", () => {
  const world = buggy();
  const { sub } = world.object(gpu);
  assert.throws(
    () => world.run(mmu_interval_notifier_insert_locked, sub, world.mm, 0x1000, 0x1000, gpu_ops),
    /down_read_trylock/,
  );
  assert.match(world.findings[0]?.message ?? "", /lockdep_assert_held_write/);
  const held = v5_6();
  assert.is(held.run(insert_with_lock, held.object(gpu), held.mm), 0);
  assert.equal(treeOf(held), [0x1000]);
});

test("overlapping invalidations are one epoch; which meets no interval, is none", () => {
  const world = v5_6();
  const g = inserted(world);
  const away = range(world, 0x8000, 0x9000);
  world.run(mmu_notifier_invalidate_range_start, away);
  assert.is(seqOf(world), 2);
  assert.is(world.run(mmu_interval_read_begin, g.sub), 1);
  world.run(mmu_notifier_invalidate_range_start, range(world));
  assert.is(seqOf(world), 3);
  assert.is(world.peek(g.sub.invalidate_seq), 3);
  assert.is(world.run(mmu_interval_read_retry, g.sub, 1), true);
  world.run(mmu_notifier_invalidate_range_start, range(world));
  assert.is(seqOf(world), 3);
  world.run(mmu_notifier_invalidate_range_end, range(world));
  world.run(mmu_notifier_invalidate_range_end, away);
  assert.is(seqOf(world), 3);
  assert.is(world.peek(subscriptions(world).active_invalidate_ranges), 1);
  world.run(mmu_notifier_invalidate_range_end, range(world));
  assert.is(seqOf(world), 4);
  assert.is(world.peek(g.hits), 2);
  const seq = world.run(mmu_interval_read_begin, g.sub);
  assert.is(seq, 3);
  assert.is(world.run(mmu_interval_check_retry, g.sub, seq), false);
  world.run(unmap, range(world));
  assert.is(world.run(mmu_interval_check_retry, g.sub, seq), true);
});

test("who comes during an invalidation is let in at its end; who leaves waits for that", () => {
  const world = v5_6();
  const g = inserted(world);
  world.run(mmu_notifier_invalidate_range_start, range(world));
  const late = inserted(world, 0x5000);
  assert.equal(treeOf(world), [0x1000]);
  assert.is(world.peek(late.sub.invalidate_seq), 3);
  const gone = inserted(world, 0x6000);
  world.run(mmu_interval_notifier_remove, gone.sub);
  world.start(1, mmu_interval_notifier_remove, g.sub);
  world.start(2, mmu_interval_read_begin, late.sub);
  assert.throws(() => world.finish(1), /blocked/);
  assert.throws(() => world.finish(2), /blocked/);
  world.run(mmu_notifier_invalidate_range_end, range(world));
  world.finish(1);
  world.finish(2);
  assert.equal(treeOf(world), [0x5000]);
  assert.is(world.peek(world.mm.mm_count), 2);
});

test("insertion while only others are invalidated takes part in the epoch", () => {
  const world = v5_6();
  inserted(world);
  const away = range(world, 0x8000, 0x9000);
  world.run(mmu_notifier_invalidate_range_start, away);
  const late = inserted(world, 0x5000);
  assert.equal(treeOf(world), [0x1000, 0x5000]);
  assert.is(seqOf(world), 3);
  assert.is(world.peek(late.sub.invalidate_seq), 3);
  world.run(mmu_notifier_invalidate_range_end, away);
  assert.is(seqOf(world), 4);
});

test("a callback that may not sleep refuses: -EAGAIN, and the invalidation is over", () => {
  const world = v5_6();
  const g = inserted(world);
  world.runKeepingLocks(3, hold_lock, g);
  assert.is(world.run(mmu_notifier_invalidate_range_start_nonblock, range(world)), -EAGAIN);
  assert.is(seqOf(world), 4);
  assert.is(world.peek(subscriptions(world).active_invalidate_ranges), 0);
  assert.is(world.peek(g.hits), 0);
});

test("a blockable invalidation that is refused is a warning, and goes on", () => {
  const world = v5_6();
  const ops = world.object(mmu_interval_notifier_ops);
  world.poke(ops.invalidate, refuse.id);
  const [first, second] = [world.object(gpu), inserted(world)];
  assert.is(world.run(mmu_interval_notifier_insert, first.sub, world.mm, 0x1000, 0x1000, ops), 0);
  world.run(mmu_notifier_invalidate_range_start, range(world));
  assert.match(world.findings.at(-1)?.message ?? "", /range_blockable/);
  assert.is(world.peek(second.hits), 1);
});

test("the end of an address space is told to every interval, and leaves them in the tree", () => {
  const world = v5_6();
  const subs = [inserted(world), inserted(world, 0x8000)];
  world.run(mmput, world.mm);
  for (const g of subs) assert.ok(world.peek(g.hits) > 0);
  assert.is(treeOf(world).length, 2);
  for (const g of subs) world.run(mmu_interval_notifier_remove, g.sub);
  assert.ok(world.isFreed(world.mm));
});

const raced = (mutations: readonly Mutation[] = []): { stale: number; seen: Set<string>; found: Explored } => {
  const world = v5_6(mutations);
  const g = inserted(world);
  world.start(0, unmap, range(world));
  world.start(1, gpu_fault, g);
  let stale = 0;
  const seen = new Set<string>();
  const found = world.explore([0, 1], () => {
    if (world.peek(g.spte) !== world.peek(the_page.pte) && world.peek(g.spte) !== 0) stale++;
    seen.add(`${world.peek(g.spte)} ${seqOf(world)}`);
  });
  checkBodies(world);
  return { stale, seen, found };
};

test("a fault against an invalidation: in no interleaving does the device keep the page", () => {
  const { stale, seen, found } = raced();
  assert.is(stale, 0);
  assert.equal([...seen], ["0 4"]);
  assert.equal(places(found), []);
  assert.is(found.deadlocks, 0);
});

test("without set_seq, the retry, or the wait while odd, it may keep it", () => {
  for (const mutation of [
    { in: "gpu_invalidate", drop: "mmu_interval_set_seq" },
    { in: "gpu_fault", drop: "mmu_interval_read_retry", result: false },
    { in: "mmu_interval_read_begin", drop: "wait_event" },
  ])
    assert.ok(raced([mutation]).stale > 0, mutation.drop);
});

test("two invalidations that overlap leave nothing behind either", () => {
  const world = v5_6();
  const g = inserted(world);
  world.start(0, unmap, range(world));
  world.start(1, unmap, range(world, 0x1000, 0x3000));
  world.start(2, gpu_fault, g);
  const found = world.explore([0, 1, 2], () => assert.is(world.peek(g.spte), 0));
  assert.equal(places(found), []);
  assert.is(found.deadlocks, 0);
});

test("insert and remove against an invalidation: every mm_count comes back", () => {
  const world = v5_6();
  const keeper = inserted(world);
  const late = world.object(gpu);
  world.start(0, unmap, range(world));
  world.start(1, come_and_go, late, world.mm);
  const found = world.explore([0, 1], () => {
    assert.equal(treeOf(world), [0x1000]);
    assert.is(world.peek(world.mm.mm_count), 2);
    assert.is(world.peek(subscriptions(world).deferred_list.first), 0);
  });
  assert.ok(world.peek(keeper.hits) === 0);
  assert.equal(places(found), []);
  assert.is(found.deadlocks, 0);
});

test("mmu_interval_notifier_remove() of 5.6 may return while the end still works on the notifier", () => {
  const world = v5_6();
  const g = world.run(make_gpu);
  assert.is(world.run(mmu_interval_notifier_insert, g.sub, world.mm, 0x1000, 0x1000, gpu_ops), 0);
  world.start(0, unmap, range(world));
  world.start(1, remove_and_free, g);
  assert.ok(places(world.explore([0, 1])).some((place) => /^use-after-free in (mn_itree_inv_end|hlist)/.test(place)));
});

test("lockdep knows that read_begin() may wait for a callback, though it does not wait now", () => {
  const world = buggy();
  const g = inserted(world);
  world.run(unmap, range(world));
  assert.equal(world.findings, []);
  world.run(begin_under_lock, g);
  assert.match(world.findings.map((f) => `${f.kind}: ${f.message}`).join(), /lockdep.*circular/i);
});

test("a callback that may not sleep, and might, is reported", () => {
  const world = buggy();
  const mn = world.object(mmu_notifier);
  const ops = world.object(mmu_notifier_ops);
  world.poke(ops.invalidate_range_start, sleepy.id);
  world.poke(mn.ops, ops.addr);
  world.run(mmu_notifier_register, mn, world.mm);
  world.run(mmu_notifier_invalidate_range_start, range(world));
  world.run(mmu_notifier_invalidate_range_end, range(world));
  assert.equal(world.findings, []);
  world.run(mmu_notifier_invalidate_range_start_nonblock, range(world));
  assert.match(world.findings.map((f) => f.message).join(), /sleeping function/);
});

test("a notifier of the list and one of the tree: both are told", () => {
  const world = v5_6();
  const g = inserted(world);
  const mn = world.object(mmu_notifier);
  const ops = world.object(mmu_notifier_ops);
  world.poke(ops.invalidate_range_start, started.id);
  world.poke(mn.ops, ops.addr);
  assert.is(world.run(mmu_notifier_register, mn, world.mm), 0);
  world.run(unmap, range(world));
  assert.is(world.peek(taken.pte), 0x1000);
  assert.is(world.peek(g.hits), 1);
  world.run(mmu_notifier_unregister, mn, world.mm);
  world.run(mmu_interval_notifier_remove, g.sub);
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
});
test.run();
