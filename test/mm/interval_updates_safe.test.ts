/** "make interval notifier updates safe": what each function of it promises, and what becomes of that a line short. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, store } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { EINVAL, EOVERFLOW } from "../../runtime/machine/errno.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, container_of, embed, int, mutex, pointer, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import {
  mmu_interval_notifier_insert,
  mmu_interval_notifier_remove,
  mmu_interval_read_begin,
} from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_interval_notifier_insert_safe,
  mmu_interval_notifier_update,
} from "../../runtime/mm/mmu_interval_update.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "../../runtime/mm/mmu_notifier.ts";
import { mmu_notifier_register } from "../../runtime/mm/mmu_notifier_register.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_range_init,
  mmu_notifier_subscriptions,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { erasOf, type Era } from "../../runtime/patch.ts";
import { checkBodies, World } from "./world.ts";

class region extends Struct {
  sub = embed(mmu_interval_notifier);
}
/** What the callback does when it is called first, and what it has to tell. */
class desk extends Struct {
  lock = mutex();
  todo = int();
  running = int();
  released = int();
  /** When release() was called though a callback ran, or somebody held the lock that it must not depend on. */
  early = int();
  late = pointer(() => mmu_interval_notifier);
}
const the_desk = staticObject(desk);
const ops = staticObject(mmu_interval_notifier_ops);
/** As of a driver that knows nothing of the patch. */
const old_ops = staticObject(mmu_interval_notifier_ops);

const [NOTHING, REMOVE, UPDATE, UPDATE_AND_REMOVE, INSERT, INSERT_AND_UPDATE, INSERT_AND_REMOVE] = [
  0, 1, 2, 3, 4, 5, 6,
];

const obey = kernelFunction("obey", function* (sub: mmu_interval_notifier, todo: number): Kernel<void> {
  if (todo === UPDATE || todo === UPDATE_AND_REMOVE) yield* mmu_interval_notifier_update(sub, 0x2000, 0x1000);
  if (todo === REMOVE || todo === UPDATE_AND_REMOVE) yield* mmu_interval_notifier_remove(sub);
  if (todo < INSERT) return;
  const late = yield* load(the_desk.late);
  yield* mmu_interval_notifier_insert_safe(late, yield* load(sub.mm), 0x8000, 0x1000, ops);
  if (todo === INSERT_AND_UPDATE) yield* mmu_interval_notifier_update(late, 0xa000, 0x1000);
  if (todo === INSERT_AND_REMOVE) yield* mmu_interval_notifier_remove(late);
});
const invalidate = kernelFunction(
  "invalidate",
  function* (sub: mmu_interval_notifier, _range: mmu_notifier_range, _cur_seq: number): Kernel<boolean> {
    yield* mutex_lock(the_desk.lock);
    yield* store(the_desk.running, (yield* load(the_desk.running)) + 1);
    const todo = yield* load(the_desk.todo);
    yield* store(the_desk.todo, NOTHING);
    yield* mutex_unlock(the_desk.lock);
    yield* obey(sub, todo);
    yield* mutex_lock(the_desk.lock);
    yield* store(the_desk.running, (yield* load(the_desk.running)) - 1);
    yield* mutex_unlock(the_desk.lock);
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
const release = kernelFunction(
  "release",
  function* (sub: mmu_interval_notifier): Kernel<void> {
    yield* mutex_lock(the_desk.lock);
    yield* store(the_desk.released, (yield* load(the_desk.released)) + 1);
    if ((yield* load(the_desk.running)) > 0 && sub !== (yield* load(the_desk.late))) yield* store(the_desk.early, 1);
    yield* mutex_unlock(the_desk.lock);
    yield* kfree(container_of(sub, region, "sub"));
  },
  { params: ["sub"] },
);
const make = kernelFunction("make", function* (): Kernel<region> {
  return yield* kzalloc(region);
});
const invalidation = kernelFunction("invalidation", function* (range: mmu_notifier_range): Kernel<void> {
  yield* mmu_notifier_invalidate_range_start(range);
  yield* mmu_notifier_invalidate_range_end(range);
});

function patched(mutations: readonly Mutation[] = [], era: Era = "v5.5"): World {
  const world = new World(["interval-updates-safe"], mutations, era);
  world.poke(ops.invalidate, invalidate.id);
  world.poke(ops.release, release.id);
  world.poke(old_ops.invalidate, invalidate.id);
  return world;
}
const range = ({ mm }: World, start = 0x1000, end = 0x4000): mmu_notifier_range =>
  mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
function inserted(world: World, table = ops, start = 0x1000): region {
  const one = world.run(make);
  assert.is(world.run(mmu_interval_notifier_insert, one.sub, world.mm, start, 0x3000, table), 0);
  return one;
}
const subscriptions = (world: World): mmu_notifier_subscriptions =>
  at(mmu_notifier_subscriptions, world.peek(world.mm.notifier_subscriptions));
function treeOf(world: World): string[] {
  const intervals = [];
  const { itree } = subscriptions(world);
  for (let addr = world.peek(itree.first); addr !== 0;) {
    const { interval_tree } = at(mmu_interval_notifier, addr - at(mmu_interval_notifier, 0).interval_tree.addr);
    intervals.push(`${world.peek(interval_tree.start).toString(16)}-${world.peek(interval_tree.last).toString(16)}`);
    addr = world.peek(interval_tree.next);
  }
  return intervals;
}
const released = (world: World): number => world.peek(the_desk.released);
const users = (world: World): number => world.peek(world.mm.mm_count);
function well(world: World): void {
  assert.equal(world.findings, []);
  assert.is(world.peek(the_desk.early), 0);
  checkBodies(world);
}

// ---- what is promised. Each is run as it stands, and with lines left out.

const promises = {
  "remove() with nothing under way: release() at once"(world: World): void {
    const one = inserted(world);
    world.run(mmu_interval_notifier_remove, one.sub);
    assert.is(released(world), 1);
    assert.ok(world.isFreed(one));
    assert.equal(treeOf(world), []);
    assert.is(users(world), 1);
  },
  "remove() in invalidate(): release() when the last of them is over"(world: World): void {
    const one = inserted(world);
    world.poke(the_desk.todo, REMOVE);
    world.run(mmu_notifier_invalidate_range_start, range(world));
    world.run(mmu_notifier_invalidate_range_start, range(world));
    world.run(mmu_notifier_invalidate_range_end, range(world));
    assert.is(released(world), 0);
    assert.is(users(world), 2);
    world.run(mmu_notifier_invalidate_range_end, range(world));
    assert.is(released(world), 1);
    assert.ok(world.isFreed(one));
    assert.is(users(world), 1);
  },
  "several are removed in one invalidation"(world: World): void {
    const [one, two] = [inserted(world), inserted(world)];
    world.run(mmu_notifier_invalidate_range_start, range(world));
    world.run(mmu_interval_notifier_remove, one.sub);
    world.run(mmu_interval_notifier_remove, two.sub);
    world.run(mmu_notifier_invalidate_range_end, range(world));
    assert.is(released(world), 2);
    assert.equal(treeOf(world), []);
    assert.is(users(world), 1);
    assert.is(world.peek(subscriptions(world).deferred_list.first), 0);
  },
  "update() in invalidate(): the tree has the new range when it is over"(world: World): void {
    const one = inserted(world);
    world.poke(the_desk.todo, UPDATE);
    world.run(mmu_notifier_invalidate_range_start, range(world));
    assert.equal(treeOf(world), ["1000-3fff"]);
    world.run(mmu_notifier_invalidate_range_end, range(world));
    assert.equal(treeOf(world), ["2000-2fff"]);
    assert.is(world.peek(one.sub.deferred_last), 0);
    world.run(mmu_notifier_invalidate_range_start, range(world));
    world.run(mmu_interval_notifier_remove, one.sub);
    world.run(mmu_notifier_invalidate_range_end, range(world));
    assert.is(released(world), 1);
    assert.is(users(world), 1);
  },
  "update() with nothing under way: at once"(world: World): void {
    const [one] = [inserted(world), inserted(world, ops, 0x1800)];
    assert.is(world.run(mmu_interval_notifier_update, one.sub, 0x2000, 0x1000), 0);
    assert.equal(treeOf(world), ["1800-47ff", "2000-2fff"]);
    assert.is(users(world), 3);
  },
  "remove() after update() in one invalidation: it is removed"(world: World): void {
    inserted(world);
    world.poke(the_desk.todo, UPDATE_AND_REMOVE);
    world.run(invalidation, range(world));
    assert.is(released(world), 1);
    assert.equal(treeOf(world), []);
    assert.is(users(world), 1);
  },
  "insert_safe() in invalidate(): let in when it is over, wherever it is to be by then"(world: World): void {
    inserted(world);
    for (const [todo, where] of [
      [INSERT, "8000-8fff"],
      [INSERT_AND_UPDATE, "a000-afff"],
    ] as const) {
      const late = world.run(make);
      world.poke(the_desk.late, late.addr);
      world.poke(the_desk.todo, todo);
      world.run(invalidation, range(world));
      assert.equal(treeOf(world), ["1000-3fff", where]);
      world.run(mmu_interval_notifier_remove, late.sub);
    }
    assert.is(users(world), 2);
  },
  "what is removed before it was let in is released in invalidate() itself"(world: World): void {
    inserted(world);
    world.poke(the_desk.late, world.run(make).addr);
    world.poke(the_desk.todo, INSERT_AND_REMOVE);
    world.run(mmu_notifier_invalidate_range_start, range(world));
    assert.is(released(world), 1);
    world.run(mmu_notifier_invalidate_range_end, range(world));
    assert.equal(treeOf(world), ["1000-3fff"]);
    assert.is(users(world), 2);
  },
  "memory that was something else before: an insertion has no update waiting"(world: World): void {
    const one = world.run(make);
    world.poke(one.sub.deferred_last, 0x5fff);
    assert.is(world.run(mmu_interval_notifier_insert, one.sub, world.mm, 0x1000, 0x3000, ops), 0);
    world.poke(the_desk.todo, REMOVE);
    world.run(invalidation, range(world));
    assert.is(released(world), 1);
    assert.is(users(world), 1);
  },
  "without a release() update() and remove() wait, and both are woken up"(world: World): void {
    const [one, two, reader] = [inserted(world, old_ops), inserted(world, old_ops), inserted(world, old_ops)];
    world.run(mmu_notifier_invalidate_range_start, range(world));
    world.poke(reader.sub.invalidate_seq, 3);
    world.start(1, mmu_interval_notifier_update, one.sub, 0x8000, 0x1000);
    world.start(2, mmu_interval_notifier_remove, two.sub);
    world.start(3, mmu_interval_read_begin, reader.sub);
    for (const actor of [1, 2, 3]) assert.throws(() => world.finish(actor), /blocked/);
    world.run(mmu_notifier_invalidate_range_end, range(world));
    for (const actor of [1, 2, 3]) world.finish(actor);
    assert.equal(treeOf(world), ["1000-3fff", "8000-8fff"]);
    assert.is(released(world), 0);
    assert.is(users(world), 3);
  },
  "the end of the address space: everything is given back"(world: World): void {
    inserted(world);
    world.poke(the_desk.todo, REMOVE);
    world.run(mmput, world.mm);
    assert.is(released(world), 1);
    assert.equal(world.live(), []);
  },
  "two invalidations at a time: one release(), after both callbacks"(world: World): void {
    const one = inserted(world);
    world.poke(the_desk.todo, REMOVE);
    world.start(0, invalidation, range(world));
    world.start(1, invalidation, range(world));
    const found = world.explore([0, 1], () => {
      assert.is(released(world), 1);
      assert.is(world.peek(the_desk.early), 0);
      assert.ok(world.isFreed(one));
      assert.is(users(world), 1);
    });
    assert.equal([...found.findings.keys()], []);
    assert.is(found.deadlocks, 0);
  },
};
type Promised = keyof typeof promises;

for (const [name, promise] of Object.entries(promises))
  test(name, () => {
    const world = patched();
    promise(world);
    well(world);
  });
test("they hold in every kernel that the patch applies to", () => {
  for (const era of erasOf({ since: "v5.6" }))
    for (const promise of Object.values(promises)) {
      const world = patched([], era);
      promise(world);
      well(world);
    }
});

const broken: readonly (readonly [Promised, Mutation])[] = [
  [
    "remove() after update() in one invalidation: it is removed",
    { in: "mmu_interval_notifier_remove", drop: "interval_sub->deferred_last = 0" },
  ],
  [
    "memory that was something else before: an insertion has no update waiting",
    { in: "__mmu_interval_notifier_insert", drop: "interval_sub->deferred_last = 0" },
  ],
  [
    "update() in invalidate(): the tree has the new range when it is over",
    { in: "mn_itree_inv_end", drop: "interval_sub->deferred_last = 0" },
  ],
  [
    "update() in invalidate(): the tree has the new range when it is over",
    { in: "mn_itree_inv_end", drop: "interval_tree_insert" },
  ],
  [
    "update() in invalidate(): the tree has the new range when it is over",
    { in: "mmu_interval_notifier_update", drop: "hlist_add_head" },
  ],
  ["update() with nothing under way: at once", { in: "mmu_interval_notifier_update", drop: "interval_tree_remove" }],
  ["several are removed in one invalidation", { in: "mn_itree_inv_end", drop: "hlist_del" }],
  [
    "remove() in invalidate(): release() when the last of them is over",
    { in: "mn_itree_inv_end", drop: "hlist_add_head" },
  ],
  ["remove() in invalidate(): release() when the last of them is over", { in: "mn_itree_inv_end", drop: "mmdrop" }],
  ["remove() in invalidate(): release() when the last of them is over", { in: "mn_itree_inv_end", drop: "release" }],
  [
    "remove() in invalidate(): release() when the last of them is over",
    { in: "mn_itree_inv_end", drop: "spin_unlock" },
  ],
  ["remove() with nothing under way: release() at once", { in: "mmu_interval_notifier_remove", drop: "release" }],
  ["remove() with nothing under way: release() at once", { in: "mmu_interval_notifier_remove", drop: "mmdrop" }],
  ["the end of the address space: everything is given back", { in: "mn_itree_inv_end", drop: "mmdrop" }],
  [
    "without a release() update() and remove() wait, and both are woken up",
    { in: "mn_itree_inv_end", drop: "wake_up_all" },
  ],
  [
    "without a release() update() and remove() wait, and both are woken up",
    { in: "mmu_interval_notifier_update", drop: "wait_event" },
  ],
  [
    "without a release() update() and remove() wait, and both are woken up",
    { in: "mmu_interval_notifier_remove", drop: "wait_event" },
  ],
  [
    "what is removed before it was let in is released in invalidate() itself",
    { in: "mmu_interval_notifier_remove", drop: "hlist_del" },
  ],
  [
    "two invalidations at a time: one release(), after both callbacks",
    { in: "mn_itree_inv_end", drop: "--subscriptions->active_invalidate_ranges", result: 0 },
  ],
];
for (const [name, mutation] of broken)
  test(`without ${mutation.drop} in ${mutation.in}: not so that ${name}`, () => {
    const world = patched([mutation]);
    let kept = true;
    try {
      promises[name](world);
      well(world);
    } catch {
      kept = false; // uvu lets its own complaints through assert.throws()
    }
    assert.is(kept, false);
  });

// ---- return codes

test("insert_safe() wants an mm that has had an interval notifier, and a range", () => {
  const world = patched();
  const insert = (start: number, length: number): number =>
    world.run(mmu_interval_notifier_insert_safe, world.object(mmu_interval_notifier), world.mm, start, length, ops);
  assert.is(insert(0x1000, 0x1000), -EINVAL);
  const mn = world.object(mmu_notifier);
  world.poke(mn.ops, world.object(mmu_notifier_ops).addr);
  assert.is(world.run(mmu_notifier_register, mn, world.mm), 0);
  assert.is(insert(0x1000, 0x1000), -EINVAL);
  inserted(world);
  assert.is(insert(0x1000, 0), -EOVERFLOW);
  assert.is(insert(0x1000, Number.MAX_SAFE_INTEGER), -EOVERFLOW);
  assert.is(insert(0x5000, 0x1000), 0);
  assert.equal(treeOf(world), ["1000-3fff", "5000-5fff"]);
  well(world);
  world.poke(world.mm.mm_count, 0);
  assert.is(insert(0x1000, 0x1000), -EINVAL);
  assert.match(world.findings.at(-1)?.message ?? "", /mm_count/);
});

test("update() wants a range, and leaves everything alone without one", () => {
  const world = patched();
  const { sub } = inserted(world);
  assert.is(world.run(mmu_interval_notifier_update, sub, 0x1000, 0), -EOVERFLOW);
  assert.is(world.run(mmu_interval_notifier_update, sub, 0x1000, Number.MAX_SAFE_INTEGER), -EOVERFLOW);
  assert.equal(treeOf(world), ["1000-3fff"]);
  well(world);
});

test("who updates what is in no tree is warned, and runs into it", () => {
  const world = patched();
  const { sub } = inserted(world);
  const stray = world.object(mmu_interval_notifier);
  world.poke(stray.mm, world.mm.addr);
  world.poke(stray.ops, ops.addr);
  world.poke(stray.interval_tree.is_empty, 1);
  assert.throws(() => world.run(mmu_interval_notifier_update, stray, 0x1000, 0x1000), /not in the tree/);
  assert.match(world.findings[0]?.message ?? "", /RB_EMPTY_NODE/);
  assert.is(world.peek(sub.deferred_last), 0);
});

test("without the patch release() is a word that nobody reads", () => {
  const world = Object.assign(new World([], [], "v5.5"), { oracles: "off" }); // they look at release(), too
  world.poke(ops.invalidate, invalidate.id);
  world.poke(ops.release, release.id);
  const one = inserted(world);
  world.run(mmu_interval_notifier_remove, one.sub);
  assert.is(released(world), 0);
  assert.not(world.isFreed(one));
});
test.run();
