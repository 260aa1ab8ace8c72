/**
 * Small races between drivers, those who unmap and the end of an address space: what notifiers have to survive. Each is
 * set up in a world of whatever kernel, and searched in all its interleavings.
 */
import * as assert from "uvu/assert";
import { store } from "../../runtime/machine/access.ts";
import { kfree } from "../../runtime/machine/alloc.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
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
export const arm = kernelFunction(
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
export function* armUnseen(g: gpu, mm: mm_struct): Kernel<void> {
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

export interface Scene {
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
export function comes(world: World, keeper: number): Scene {
  inserted(world, keeper);
  const late = world.object(gpu);
  world.start(0, unmap, range(world));
  world.start(1, come_and_fault, late, world.mm);
  return { actors: [0, 1], wrong: stale(world, late) };
}
export function faults(world: World, another: boolean): Scene {
  const g = inserted(world);
  world.start(0, unmap, range(world));
  world.start(1, gpu_fault, g);
  if (another) world.start(2, invalidate, range(world));
  return { actors: another ? [0, 1, 2] : [0, 1], wrong: stale(world, g) };
}
export function leaves(world: World): Scene {
  const g = inserted(world, 0x1000, world.run(make_gpu));
  world.start(0, unmap, range(world));
  world.start(1, remove_and_free, g);
  return { actors: [0, 1] };
}
/** `other`: what happens besides the exit. */
export function exits(world: World, other: "unregister" | "unmap"): Scene {
  const g = registered(world);
  world.poke(g.spte, world.peek(cpu.pte));
  world.start(0, mmput, world.mm);
  if (other === "unregister") world.start(1, mmu_notifier_unregister, g.mn, world.mm);
  else world.start(1, unmap, range(world));
  return { actors: [0, 1], wrong: stale(world, g) };
}

export function unregisters(world: World): Scene {
  const g = registered(world, world.run(make_gpu));
  world.start(0, unmap, range(world));
  world.start(1, unregister_and_free, g, world.mm);
  return { actors: [0, 1] };
}
export function leavesByItself(world: World): Scene {
  const ops = world.object(mmu_notifier_ops);
  world.poke(ops.release, leaves_by_itself.id);
  registered(world, world.run(make_gpu), ops);
  world.start(0, mmput, world.mm);
  return { actors: [0] }; // and SRCU's own
}
export function isReaped(world: World): Scene {
  const [counts, refuses] = [registered(world), registered(world, world.object(gpu), npu_ops)];
  world.start(0, reap, range(world));
  world.start(1, work, refuses);
  return { actors: [0, 1], wrong: () => (world.peek(counts.count) === 0 ? undefined : "never told of the end") };
}
export function leavesWithTheMm(world: World): Scene {
  const g = inserted(world);
  world.start(0, unmap_and_exit, range(world));
  world.start(1, mmu_interval_notifier_remove, g.sub);
  return { actors: [0, 1] };
}
export function comesTooLate(world: World): Scene {
  const [keeper, late] = [inserted(world), world.object(gpu)];
  world.run(mmgrab, world.mm);
  world.run(mmput, world.mm);
  world.start(0, mmu_interval_notifier_remove, keeper.sub);
  world.start(1, come, late, world.mm);
  const isIn = (): boolean => world.peek(late.count) !== 0;
  return { actors: [0, 1], wrong: () => (isIn() ? "never told of the exit" : undefined) };
}
export function arms(world: World): Scene {
  registered(world);
  const late = world.object(gpu);
  world.start(0, arm, late, world.mm);
  world.start(1, mmu_notifier_invalidate_range, world.mm, 0x1000, 0x2000);
  return { actors: [0, 1] };
}
export function registers(world: World): Scene {
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
}
/** Everything that a search of all interleavings has to say, once each. */
export function search(
  era: Era,
  scene: (world: World) => Scene,
  patch?: Patch,
  mutations: readonly Mutation[] = [],
): string[] {
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
/** As exits(), for who counts how often he is told. */
export function isReleased(world: World): Scene {
  const { actors } = exits(world, "unregister");
  const [g] = world.objects(gpu);
  return { actors, wrong: () => (g !== undefined && world.peek(g.released) > 1 ? "released twice" : undefined) };
}
