/**
 * What mm/mmu_notifier.c and its drivers must not become: each mutant is found by a search of a small scenario, which
 * finds nothing without it. What takes more than a step left out is a body of its own, in the place of the kernel's.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { store } from "../../runtime/machine/access.ts";
import { kfree } from "../../runtime/machine/alloc.ts";
import { kernelFunction, replaces } from "../../runtime/machine/function.ts";
import { hlist_add_head_rcu } from "../../runtime/machine/list.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import type { rcu_head } from "../../runtime/machine/rcu.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import { down_read, up_read } from "../../runtime/machine/rwsem.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { container_of } from "../../runtime/machine/struct.ts";
import { user_store } from "../../runtime/mm/fault.ts";
import { mmgrab, mmput } from "../../runtime/mm/fork.ts";
import { anon_vma, type mm_struct, VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { mmu_interval_notifier_insert, mmu_interval_notifier_remove } from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start_nonblock,
} from "../../runtime/mm/mmu_notifier.ts";
import {
  mmu_notifier_call_srcu,
  mmu_notifier_register,
  mmu_notifier_unregister,
} from "../../runtime/mm/mmu_notifier_register.ts";
import { mmu_notifier, mmu_notifier_ops, type mmu_notifier_range } from "../../runtime/mm/mmu_notifier_types.ts";
import type { Era, Patch } from "../../runtime/patch.ts";
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
  npu_ops,
  range,
  unmap,
} from "./gpus.ts";
import { addPlain, asIn, endAlways, kernelBody, patched, setSeqLate, startTwice } from "./mutant_bodies.ts";
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
/** Comes late, and remembers whether it was let in. */
const come = kernelFunction(
  "come",
  function* (g: gpu, mm: mm_struct): Kernel<void> {
    const error = yield* mmu_interval_notifier_insert(g.sub, mm, 0x5000, 0x1000, gpu_ops);
    yield* store(g.count, error === 0 ? 1 : 0);
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

/** Its ops have not been seen by anybody when it is registered. */
function* armUnseen(g: gpu, mm: mm_struct): Kernel<void> {
  yield* mmu_notifier_register(g.mn, mm);
}

/** The OOM reaper: may not sleep, and leaves alone what it is refused. */
const reap = kernelFunction(
  "reap",
  function* (where: mmu_notifier_range): Kernel<void> {
    const [mm, start, end, event] = where;
    const error = yield* mmu_notifier_invalidate_range_start_nonblock(where);
    if (error === 0) yield* mmu_notifier_invalidate_range_end([mm, start, end, event, false]);
  },
  { params: ["range"] },
);
const work = kernelFunction(
  "work",
  function* (g: gpu): Kernel<void> {
    yield* mutex_lock(g.lock);
    yield* mutex_unlock(g.lock);
  },
  { params: ["g"] },
);

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
function registered(world: World, g = world.object(gpu), ops = kvm_ops): gpu {
  world.poke(g.mn.ops, ops.addr);
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
  /** What the kernel says of the scene by itself, and should. */
  readonly says?: string;
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
    era: "v5.18",
    scene: leaves,
    mutations: [{ in: "mmu_interval_notifier_remove", drop: "subscriptions->invalidate_seq", result: 2 }],
    found: "use-after-free in mn_itree_inv_next",
  },
  {
    name: "M-EARLYWAKE",
    era: "v5.18",
    scene: leaves,
    mutations: [
      { in: "mn_itree_inv_end", swap: ["spin_unlock", "wake_up_all"] },
      { in: "mmu_interval_seq_released", drop: "spin_lock" },
      { in: "mmu_interval_seq_released", drop: "spin_unlock" },
    ],
    found: "use-after-free in hlist_del",
  },
  {
    name: "M-NOOR",
    era: "v5.6",
    scene: (world) => faults(world, true),
    patch: patched(kernelBody("mn_itree_inv_start_range", startTwice)),
    found: "stale",
  },
  {
    name: "M-ENDALWAYS",
    era: "v5.6",
    scene: (world) => faults(world, true),
    patch: patched(kernelBody("mn_itree_inv_end", endAlways)),
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
    era: "v3.10",
    scene: (world) => exits(world, "unregister"),
    patch: patched(...asIn("v3.6", "mmu_notifier_unregister", true)),
    found: "null-deref in __hlist_del",
  },
  {
    name: "M-DELFIRST",
    era: "v3.10",
    scene: (world) => exits(world, "unmap"),
    patch: patched(...asIn("v3.8", "__mmu_notifier_release")),
    found: "use-after-free in kvm_release",
  },
  {
    name: "M-SRCUEARLY",
    era: "v4.19",
    scene(world) {
      const ops = world.object(mmu_notifier_ops);
      world.poke(ops.release, leaves_by_itself.id);
      registered(world, world.run(make_gpu), ops);
      world.start(0, mmput, world.mm);
      return { actors: [0] }; // and SRCU's own
    },
    patch: patched(...asIn("v3.10", "__mmu_notifier_release")),
    found: "use-after-free in hlist_del_init_rcu",
  },
  {
    name: "M-NOUNWIND",
    era: "v5.12",
    scene(world) {
      const [counts, refuses] = [registered(world), registered(world, world.object(gpu), npu_ops)];
      world.start(0, reap, range(world));
      world.start(1, work, refuses);
      return { actors: [0, 1], wrong: () => (world.peek(counts.count) === 0 ? undefined : "never told of the end") };
    },
    patch: patched(...asIn("v5.10", "mn_hlist_invalidate_range_start")),
    found: "never told of the end",
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
    name: "M-CHECKCOUNT",
    era: "v5.10",
    scene(world) {
      const [keeper, late] = [inserted(world), world.object(gpu)];
      world.run(mmgrab, world.mm);
      world.run(mmput, world.mm);
      world.start(0, mmu_interval_notifier_remove, keeper.sub);
      world.start(1, come, late, world.mm);
      const isIn = (): boolean => world.peek(late.count) !== 0;
      return { actors: [0, 1], wrong: () => (isIn() ? "never told of the exit" : undefined) };
    },
    says: "warning in __mmu_interval_notifier_insert",
    patch: patched(...asIn("v5.8", "__mmu_interval_notifier_insert")),
    found: "never told of the exit",
  },
  {
    name: "M-PLAINADD",
    era: "v5.3",
    scene(world) {
      registered(world);
      const late = world.object(gpu);
      world.start(0, arm, late, world.mm);
      world.start(1, mmu_notifier_invalidate_range, world.mm, 0x1000, 0x2000);
      return { actors: [0, 1] };
    },
    patch: patched(replaces(arm, armUnseen), replaces(hlist_add_head_rcu, addPlain)),
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

/** Everything that a search of all interleavings has to say, once each. */
function search({ era, scene }: Mutant, patch: Patch | undefined, mutations: readonly Mutation[]): string[] {
  const world = equip(new World(patch === undefined ? [] : [patch], mutations, era));
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
    assert.equal(search(mutant, undefined, []), mutant.says === undefined ? [] : [mutant.says]);
    const found = search(mutant, mutant.patch, mutant.mutations ?? []);
    assert.ok(found.includes(mutant.found), found.join(", "));
  });

/** Those that other tests have found before. */
const ELSEWHERE: readonly (readonly [name: string, file: string, test: string])[] = [
  ["M-HASITREE", "mm_all_locks.test.ts", "without the locks of the rmap one does"],
];
const ALL = [
  ...["M-NOSEQ1", "M-TREEODD", "M-EARLYWAKE", "M-NOOR", "M-ENDALWAYS", "M-HASITREE", "M-RETRYNOLOCK", "M-SETSEQLATE"],
  ...[
    "M-NOSYNC",
    "M-DELRCU",
    "M-DELFIRST",
    "M-SRCUEARLY",
    "M-NOUNWIND",
    "M-NOGRAB",
    "M-CHECKCOUNT",
    "M-PLAINADD",
    "M-NOALLLOCKS",
  ],
];
test("every mutant is found somewhere", () => {
  const found = new Set([...MUTANTS, ...ELSEWHERE.map(([name]) => ({ name }))].map(({ name }) => name.split(",")[0]));
  assert.equal(
    ALL.filter((name) => !found.has(name)),
    [],
  );
  for (const [, file, title] of ELSEWHERE) assert.ok(readFileSync(`test/mm/${file}`, "utf8").includes(title), file);
});

test.run();
