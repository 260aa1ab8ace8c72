/**
 * What mm/mmu_notifier.c and its drivers must not become: each mutant is found by a search of a small scenario, which
 * finds nothing without it. What takes more than a step left out is a body of its own, in the place of the kernel's.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { add, load, loadPrivate, READ_ONCE, store, WRITE_ONCE } from "../../runtime/machine/access.ts";
import { kfree } from "../../runtime/machine/alloc.ts";
import { atomic_read } from "../../runtime/machine/atomic.ts";
import { BUG_ON } from "../../runtime/machine/bug.ts";
import { allFunctions, kernelFunction, replaces, type Replacement } from "../../runtime/machine/function.ts";
import {
  hlist_add_head,
  hlist_del_init_rcu,
  hlist_del_rcu,
  hlist_unhashed,
  hlist_node,
  type hlist_head,
} from "../../runtime/machine/list.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { srcu_read_lock, srcu_read_unlock, synchronize_srcu, type rcu_head } from "../../runtime/machine/rcu.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import { down_read, up_read } from "../../runtime/machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, container_of, NULL } from "../../runtime/machine/struct.ts";
import { wake_up_all } from "../../runtime/machine/wait.ts";
import { user_store } from "../../runtime/mm/fault.ts";
import { mmdrop, mmput } from "../../runtime/mm/fork.ts";
import { interval_tree_iter_first } from "../../runtime/mm/interval_tree.ts";
import { anon_vma, type mm_struct, VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import {
  mmu_interval_notifier_insert,
  mmu_interval_notifier_remove,
  mmu_interval_set_seq,
} from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_notifier_call_srcu,
  mmu_notifier_invalidate_range,
  mmu_notifier_register,
  mmu_notifier_unregister,
  srcu,
} from "../../runtime/mm/mmu_notifier.ts";
import { notifierOf, releaseEach, unlinkAll } from "../../runtime/mm/mmu_notifier_hlist.ts";
import {
  mmu_interval_notifier,
  mmu_notifier,
  mmu_notifier_ops,
  type mmu_notifier_mm,
  type mmu_notifier_range,
  type mmu_notifier_subscriptions,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { functionIn, type Era, type Patch } from "../../runtime/patch.ts";
import {
  cpu,
  equip,
  gpu,
  gpu_fault,
  gpu_invalidate,
  gpu_ops,
  invalidate,
  isStale,
  kvm_fault,
  kvm_ops,
  make_gpu,
  range,
  unmap,
} from "./gpus.ts";
import { checkBodies, World } from "./world.ts";

// ---- what drivers and the kernel do

const come_and_fault = kernelFunction(
  "come_and_fault",
  function* (g: gpu, mm: mm_struct): Kernel<void> {
    yield* mmu_interval_notifier_insert(g.sub, mm, 0x1000, 0x1000, gpu_ops);
    yield* gpu_fault(g);
  },
  { params: ["g", "mm"] },
);
const remove_and_free = kernelFunction(
  "remove_and_free",
  function* (g: gpu): Kernel<void> {
    yield* mmu_interval_notifier_remove(g.sub);
    yield* kfree(g);
  },
  { params: ["g"] },
);
const unregister_and_free = kernelFunction(
  "unregister_and_free",
  function* (g: gpu, mm: mm_struct): Kernel<void> {
    yield* mmu_notifier_unregister(g.mn, mm);
    yield* kfree(g);
  },
  { params: ["g", "mm"] },
);
/** What reclaim and truncation do: the lock of the rmap is all they hold. */
const reclaim = kernelFunction(
  "reclaim",
  function* (family: anon_vma, where: mmu_notifier_range): Kernel<void> {
    yield* down_read(family.rwsem);
    yield* unmap(where);
    yield* up_read(family.rwsem);
  },
  { params: ["anon_vma", "range"] },
);
const register_and_fault = kernelFunction(
  "register_and_fault",
  function* (g: gpu, mm: mm_struct): Kernel<void> {
    yield* mmu_notifier_register(g.mn, mm);
    yield* kvm_fault(g);
  },
  { params: ["g", "mm"] },
);
const unmap_and_exit = kernelFunction(
  "unmap_and_exit",
  function* (where: mmu_notifier_range): Kernel<void> {
    yield* unmap(where);
    yield* mmput(where[0]);
  },
  { params: ["range"] },
);
/** Sets its ops, then registers. */
const arm = kernelFunction(
  "arm",
  function* (g: gpu, mm: mm_struct): Kernel<void> {
    yield* store(g.mn.ops, kvm_ops);
    yield* mmu_notifier_register(g.mn, mm);
  },
  { params: ["g", "mm"] },
);
/** Has its memory freed as soon as it is told that the mm goes away. */
const free_gpu = kernelFunction(
  "free_gpu",
  function* (head: rcu_head): Kernel<void> {
    yield* kfree(container_of(container_of(head, mmu_notifier, "rcu"), gpu, "mn"));
  },
  { params: ["head"] },
);
const leaves_by_itself = kernelFunction(
  "leaves_by_itself",
  function* (mn: mmu_notifier, _mm: mm_struct): Kernel<void> {
    yield* mmu_notifier_call_srcu(mn.rcu, free_gpu);
  },
  { params: ["mn", "mm"] },
);

// ---- bodies of the mutants

function kernelBody(name: string, era: Era, body: (...args: never[]) => Kernel<unknown>): Replacement {
  const fn = functionIn(name, era) ?? allFunctions().find((one) => one.name === name);
  if (fn === undefined) throw new Error(`no ${name} in ${era}`);
  return { fn, body: body as Replacement["body"] };
}
const patched = (...replacements: readonly Replacement[]): Patch => ({
  ...{ name: "mutant", subject: "", source: "", eras: [], needs: [], replacements },
});

/** seq++ where it is |= 1. */
function* startTwice(
  s: mmu_notifier_subscriptions,
  [, start, end]: mmu_notifier_range,
): Kernel<readonly [mmu_interval_notifier, number]> {
  yield* spin_lock(s.lock);
  yield* add(s.active_invalidate_ranges, 1);
  const node = yield* interval_tree_iter_first(s.itree, start, end - 1);
  const seq = node.isNull ? yield* load(s.invalidate_seq) : yield* add(s.invalidate_seq, 1);
  yield* spin_unlock(s.lock);
  return [node.isNull ? NULL(mmu_interval_notifier) : container_of(node, mmu_interval_notifier, "interval_tree"), seq];
}
/** Does not ask whether it is the last. Nobody is on deferred_list here. */
function* endAlways(s: mmu_notifier_subscriptions): Kernel<void> {
  yield* spin_lock(s.lock);
  yield* add(s.active_invalidate_ranges, -1);
  const seq = yield* load(s.invalidate_seq);
  if (seq % 2 === 1) yield* store(s.invalidate_seq, seq + 1);
  yield* spin_unlock(s.lock);
  yield* wake_up_all(s.wq);
}
function* setSeqLate(sub: mmu_interval_notifier, _range: mmu_notifier_range, cur_seq: number): Kernel<boolean> {
  const g = container_of(sub, gpu, "sub");
  yield* mutex_lock(g.lock);
  yield* store(g.spte, null);
  yield* mutex_unlock(g.lock);
  yield* mmu_interval_set_seq(sub, cur_seq);
  return true;
}
/** As 3.6 did it. */
function* unregisterDelRcu(mn: mmu_notifier, mm: mm_struct): Kernel<void> {
  if (!(yield* hlist_unhashed(mn.hlist))) {
    yield* srcu_read_lock(srcu);
    const release = yield* loadPrivate((yield* load(mn.ops)).release);
    if (release !== null) yield* release(mn, mm);
    yield* srcu_read_unlock(srcu);
    const subscriptions = yield* load(mm.mmu_notifier_mm);
    yield* spin_lock(subscriptions.lock);
    yield* hlist_del_rcu(mn.hlist);
    yield* spin_unlock(subscriptions.lock);
  }
  yield* synchronize_srcu(srcu);
  yield* BUG_ON((yield* atomic_read(mm.mm_count)) <= 0, "atomic_read(&mm->mm_count) <= 0");
  yield* mmdrop(mm);
}
const release_each = releaseEach("__mmu_notifier_release", "");
const unlink_all = unlinkAll("__mmu_notifier_release", "");
/** As 3.10 did it: the list is emptied when no reader protects what is on it. */
function* releaseSrcuEarly(mm: mm_struct, subscriptions: mmu_notifier_mm): Kernel<void> {
  yield* srcu_read_lock(srcu);
  yield* release_each(mm, yield* READ_ONCE(subscriptions.list.first));
  yield* srcu_read_unlock(srcu);
  yield* spin_lock(subscriptions.lock);
  yield* unlink_all(subscriptions.list);
  yield* spin_unlock(subscriptions.lock);
  yield* synchronize_srcu(srcu);
}
/** As 3.8 did it: off the list first, then released. */
function* releaseDelFirst(mm: mm_struct, subscriptions: mmu_notifier_mm): Kernel<void> {
  yield* srcu_read_lock(srcu);
  yield* spin_lock(subscriptions.lock);
  yield* del_and_release(mm, subscriptions);
  yield* spin_unlock(subscriptions.lock);
  yield* srcu_read_unlock(srcu);
  yield* synchronize_srcu(srcu);
}
const del_and_release = kernelFunction(
  "__mmu_notifier_release",
  function* (mm: mm_struct, subscriptions: mmu_notifier_mm): Kernel<void> {
    const first = yield* load(subscriptions.list.first);
    if (first.isNull) return;
    yield* hlist_del_init_rcu(first);
    yield* spin_unlock(subscriptions.lock);
    const mn = notifierOf(first);
    const release = yield* loadPrivate((yield* load(mn.ops)).release);
    if (release !== null) yield* release(mn, mm);
    yield* spin_lock(subscriptions.lock);
    return yield* del_and_release.restart(mm, subscriptions);
  },
  { source: "mm/mmu_notifier.c", params: ["mm", "mmu_notifier_mm"], internal: true },
);
/** The model's stores happen in their order: here that of ops, which the driver made before, comes too late. */
function* armPlain(g: gpu, mm: mm_struct): Kernel<void> {
  yield* mmu_notifier_register(g.mn, mm);
}
function* addPlain(n: hlist_node, h: hlist_head): Kernel<void> {
  const first = yield* load(h.first);
  yield* store(n.next, first);
  if (!first.isNull) yield* store(first.pprev, at(hlist_node, first.addr).next);
  yield* WRITE_ONCE(h.first, n);
  yield* store(notifierOf(n).ops, kvm_ops);
  yield* store(n.pprev, h.first);
}

// ---- scenes

interface Scene {
  readonly actors: readonly number[];
  /** What is wrong with a state in which all is over. */
  readonly wrong?: () => string | undefined;
}
function inserted(world: World, start = 0x1000, g = world.object(gpu)): gpu {
  assert.is(world.run(mmu_interval_notifier_insert, g.sub, world.mm, start, 0x1000, gpu_ops), 0);
  return g;
}
function registered(world: World, g = world.object(gpu)): gpu {
  world.poke(g.mn.ops, kvm_ops.addr);
  assert.is(world.run(mmu_notifier_register, g.mn, world.mm), 0);
  return g;
}
const stale = (world: World, g: gpu) => () => (isStale(world, g) ? "stale" : undefined);

/** The gpu comes while somebody unmaps its page. */
function comes(world: World, keeper: number): Scene {
  inserted(world, keeper);
  const late = world.object(gpu);
  world.start(0, unmap, range(world));
  world.start(1, come_and_fault, late, world.mm);
  return { actors: [0, 1], wrong: stale(world, late) };
}
function faults(world: World, another: boolean): Scene {
  const g = inserted(world);
  world.start(0, unmap, range(world));
  world.start(1, gpu_fault, g);
  if (another) world.start(2, invalidate, range(world));
  return { actors: another ? [0, 1, 2] : [0, 1], wrong: stale(world, g) };
}
function leaves(world: World): Scene {
  const g = inserted(world, 0x1000, world.run(make_gpu));
  world.start(0, unmap, range(world));
  world.start(1, remove_and_free, g);
  return { actors: [0, 1] };
}
function exits(world: World, other: "unregister" | "unmap"): Scene {
  const g = registered(world);
  world.poke(g.spte, world.peek(cpu.pte));
  world.start(0, mmput, world.mm);
  if (other === "unregister") world.start(1, mmu_notifier_unregister, g.mn, world.mm);
  else world.start(1, unmap, range(world));
  return { actors: [0, 1], wrong: stale(world, g) };
}

interface Mutant {
  readonly name: string;
  readonly era: Era;
  readonly scene: (world: World) => Scene;
  readonly mutations?: readonly Mutation[];
  readonly patch?: Patch;
  /** Which kernel it is a mutant of, if not that of the era. */
  readonly kernel?: Patch;
  /** What the search finds of it, among other things. */
  readonly found: string;
}
const MUTANTS: readonly Mutant[] = [
  {
    name: "M-NOSEQ1",
    era: "v5.6",
    scene: (world) => comes(world, 0x8000),
    mutations: [{ in: "__mmu_interval_notifier_insert", drop: "subscriptions->active_invalidate_ranges", result: 0 }],
    found: "stale",
  },
  {
    name: "M-TREEODD",
    era: "v5.6",
    scene: (world) => comes(world, 0x1000),
    mutations: [{ in: "__mmu_interval_notifier_insert", drop: "subscriptions->invalidate_seq", result: 2 }],
    found: "I3", // whoever walks the tree may or may not meet it
  },
  {
    name: "M-TREEODD, of who leaves",
    era: "v5.6",
    kernel: patched(kernelBody("seq_has_changed", "v5.6", lockedChange)),
    scene: leaves,
    mutations: [{ in: "mmu_interval_notifier_remove", drop: "subscriptions->invalidate_seq", result: 2 }],
    found: "use-after-free in mn_itree_inv_next",
  },
  {
    name: "M-EARLYWAKE",
    era: "v5.6",
    kernel: patched(kernelBody("seq_has_changed", "v5.6", lockedChange)),
    scene: leaves,
    mutations: [
      { in: "mn_itree_inv_end", swap: ["spin_unlock", "wake_up_all"] },
      { in: "seq_has_changed", drop: "spin_lock" },
      { in: "seq_has_changed", drop: "spin_unlock" },
    ],
    found: "use-after-free in hlist_del",
  },
  {
    name: "M-NOOR",
    era: "v5.6",
    scene: (world) => faults(world, true),
    patch: patched(kernelBody("mn_itree_inv_start_range", "v5.6", startTwice)),
    found: "stale",
  },
  {
    name: "M-ENDALWAYS",
    era: "v5.6",
    scene: (world) => faults(world, true),
    patch: patched(kernelBody("mn_itree_inv_end", "v5.6", endAlways)),
    found: "stale",
  },
  {
    name: "M-RETRYNOLOCK",
    era: "v5.6",
    scene: (world) => faults(world, false),
    mutations: [{ in: "gpu_fault", swap: ["mutex_lock", "mmu_interval_read_retry"] }],
    found: "stale",
  },
  {
    name: "M-SETSEQLATE",
    era: "v5.6",
    scene: (world) => faults(world, false),
    patch: patched(replaces(gpu_invalidate, setSeqLate)),
    found: "stale",
  },
  {
    name: "M-NOSYNC",
    era: "v5.2",
    scene(world) {
      const g = registered(world, world.run(make_gpu));
      world.start(0, unmap, range(world));
      world.start(1, unregister_and_free, g, world.mm);
      return { actors: [0, 1] };
    },
    mutations: [{ in: "mmu_notifier_unregister", drop: "synchronize_srcu" }],
    found: "use-after-free in __mmu_notifier_invalidate_range_end",
  },
  {
    name: "M-DELRCU",
    era: "v5.2",
    scene: (world) => exits(world, "unregister"),
    patch: patched(kernelBody("mmu_notifier_unregister", "v5.2", unregisterDelRcu)),
    found: "null-deref in __hlist_del",
  },
  {
    name: "M-DELFIRST",
    era: "v5.2",
    scene: (world) => exits(world, "unmap"),
    patch: patched(kernelBody("__mmu_notifier_release", "v5.2", releaseDelFirst)),
    found: "use-after-free in kvm_release",
  },
  {
    name: "M-SRCUEARLY",
    era: "v5.2",
    scene(world) {
      const ops = world.object(mmu_notifier_ops);
      world.poke(ops.release, leaves_by_itself.id);
      const g = world.run(make_gpu);
      world.poke(g.mn.ops, ops.addr);
      assert.is(world.run(mmu_notifier_register, g.mn, world.mm), 0);
      world.start(0, mmput, world.mm);
      return { actors: [0] }; // and SRCU's own
    },
    patch: patched(kernelBody("__mmu_notifier_release", "v5.2", releaseSrcuEarly)),
    found: "use-after-free in hlist_del_init_rcu",
  },
  {
    name: "M-NOGRAB",
    era: "v5.6",
    scene(world) {
      const g = inserted(world);
      world.start(0, unmap_and_exit, range(world));
      world.start(1, mmu_interval_notifier_remove, g.sub);
      return { actors: [0, 1] };
    },
    mutations: [{ in: "__mmu_interval_notifier_insert", drop: "mmgrab" }],
    found: "use-after-free in mmu_interval_notifier_remove",
  },
  {
    name: "M-PLAINADD",
    era: "v5.2",
    scene(world) {
      registered(world);
      const late = world.object(gpu);
      world.start(0, arm, late, world.mm);
      world.start(1, mmu_notifier_invalidate_range, world.mm, 0x1000, 0x2000);
      return { actors: [0, 1] };
    },
    patch: patched(replaces(arm, armPlain), replaces(hlist_add_head, addPlain)),
    found: "null-deref in __mmu_notifier_invalidate_range",
  },
  {
    name: "M-NOALLLOCKS",
    era: "v5.2",
    scene(world) {
      world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x2000, VM_READ | VM_WRITE);
      world.run(user_store, world.mm, 0x1000, 1);
      const [family] = world.objects(anon_vma);
      assert.ok(family !== undefined);
      registered(world);
      const late = world.object(gpu);
      world.poke(late.mn.ops, kvm_ops.addr);
      world.start(0, reclaim, family, range(world));
      world.start(1, register_and_fault, late, world.mm);
      return { actors: [0, 1], wrong: stale(world, late) };
    },
    mutations: [
      { in: "do_mmu_notifier_register", drop: "mm_take_all_locks", result: 0 },
      { in: "do_mmu_notifier_register", drop: "mm_drop_all_locks" },
    ],
    found: "stale",
  },
];

/** The fix of 5.18: who waits looks with the lock held. */
function* lockedChange(subscriptions: mmu_notifier_subscriptions, seq: number): Kernel<boolean> {
  yield* spin_lock(subscriptions.lock);
  const now = yield* load(subscriptions.invalidate_seq);
  yield* spin_unlock(subscriptions.lock);
  return now !== seq;
}

/** Everything that a search of all interleavings has to say, once each. */
function search({ era, kernel, scene }: Mutant, patch: Patch | undefined, mutations: readonly Mutation[]): string[] {
  const patches = [kernel, patch].flatMap((one) => one ?? []);
  const world = equip(new World(patches, mutations, era));
  world.oracles = "keep";
  const { actors, wrong } = scene(world);
  const ends = new Set<string>();
  const { findings, deadlocks } = world.explore(actors, () => {
    const message = wrong?.();
    if (message !== undefined) ends.add(message);
  });
  checkBodies(world);
  const told = [...findings.values()].map((finding) => `${finding.kind} in ${placeOf(finding)}`);
  return [...new Set([...ends, ...told, ...world.violations.keys(), ...(deadlocks > 0 ? ["deadlock"] : [])])];
}
for (const mutant of MUTANTS)
  test(`${mutant.name} is found, and nothing without it`, () => {
    assert.equal(search(mutant, undefined, []), []);
    const found = search(mutant, mutant.patch, mutant.mutations ?? []);
    assert.ok(found.includes(mutant.found), found.join(", "));
  });

test.run();
