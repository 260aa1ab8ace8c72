/** What the bodies of one kernel or another do and call, where another kernel's would not be noticed by a race. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ControlEvent } from "../../runtime/machine/automaton.ts";
import { store } from "../../runtime/machine/access.ts";
import type { Era } from "../../runtime/machine/era.ts";
import { kernelFunction, type KernelFunction } from "../../runtime/machine/function.ts";
import { rcu_read_lock, rcu_read_unlock } from "../../runtime/machine/rcu.ts";
import { down_write } from "../../runtime/machine/rwsem.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { at, int, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { user_store } from "../../runtime/mm/fault.ts";
import { mmget, mmput } from "../../runtime/mm/fork.ts";
import { migrate_to_device } from "../../runtime/mm/migrate_vma.ts";
import { mm_take_all_locks } from "../../runtime/mm/mm_all_locks.ts";
import { VM_READ, VM_SHARED, VM_WRITE, type address_space, type mm_struct } from "../../runtime/mm/mm_types.ts";
import { mmap_file, vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { mmu_interval_notifier_insert } from "../../runtime/mm/mmu_interval_notifier.ts";
import { mn_itree_inv_end } from "../../runtime/mm/mmu_notifier_itree.ts";
import { mmu_notifier_release } from "../../runtime/mm/mmu_notifier_release.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier_ops,
  mmu_notifier_subscriptions,
  type mmu_notifier,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { reclaim_pages } from "../../runtime/mm/vmscan.ts";
import { Scene } from "./notifier_scene.ts";
import { namedFile } from "./tables.ts";
import { World } from "./world.ts";

const A = 0x1000;
const B = 0x2000;

/** The functions that a call runs through, and the steps by the first word of their text, in order. */
function ways<A extends readonly Value[], R>(world: World, fn: KernelFunction<A, R>, ...args: A): string[] {
  const seen: string[] = [];
  world.start(0, fn, ...args);
  while (!world.machine.isFinished(0)) {
    const events: ControlEvent[] = [];
    seen.push(/^\w+/.exec(world.machine.nextStep(0)?.text(world.machine) ?? "")?.[0] ?? "");
    world.step(0, events);
    for (const event of events) if (event.kind === "call") seen.push(world.machine.automaton.functionName(event.fn));
  }
  return seen;
}
const notifierCalls = (seen: readonly string[]): string =>
  seen
    .filter((name) => name.startsWith("mmu_notifier_"))
    .map((name) => name.slice("mmu_notifier_".length))
    .join(", ");

// ---- who is told what

/** A page that a child shares: the next write copies it. */
function sharing(era: Era): Scene {
  const scene = new Scene(era);
  scene.run(vm_mmap_pgoff, scene.mm, A, B, VM_READ | VM_WRITE);
  scene.run(user_store, scene.mm, A, 1);
  scene.run(dup_mm, scene.mm);
  return scene;
}
test("copying a page: each kernel has its own calls, and none that came later", () => {
  const calls = (era: Era): string => {
    const scene = sharing(era);
    return notifierCalls(ways(scene, user_store, scene.mm, A, 2));
  };
  assert.is(calls("mmu-notifier-v3"), "invalidate_range_start, invalidate_range_end");
  assert.is(calls("v2.6.27"), "invalidate_page");
  assert.is(calls("v3.6"), "change_pte");
  for (const era of ["v3.8", "v3.10"] as const)
    assert.is(calls(era), "invalidate_range_start, change_pte, invalidate_range_end");
  for (const era of ["v4.19", "v5.4", "v6.1"] as const)
    assert.is(calls(era), "invalidate_range_start, invalidate_range, change_pte, invalidate_range_only_end");
});

class heard extends Struct {
  page = int();
  event = int();
}
const ear = staticObject(heard, "ear");
const hear_page = kernelFunction(
  "hear_page",
  function* (_mn: mmu_notifier, _mm: mm_struct, address: number): Kernel<void> {
    yield* store(ear.page, address);
  },
  { params: ["mn", "mm", "address"] },
);
test("change_pte() falls back on invalidate_page() while there is such a callback", () => {
  const told = (era: Era): number => {
    const scene = sharing(era);
    const mn = scene.register([]);
    scene.poke(at(mmu_notifier_ops, scene.peek(mn.ops)).invalidate_page, hear_page.id);
    scene.run(user_store, scene.mm, A, 2);
    return scene.peek(ear.page);
  };
  for (const era of ["v2.6.27", "v3.6", "v3.8", "v3.10"] as const) assert.is(told(era), A, era);
  for (const era of ["v4.19", "v5.2", "v6.1"] as const) assert.is(told(era), 0, era);
});

test("reclaim flushes each page at once before there were batches, and tells notifiers as the kernel does", () => {
  const reclaimed = (era: Era): string => {
    const world = new World([], [], era);
    world.run(vm_mmap_pgoff, world.mm, A, B, VM_READ | VM_WRITE);
    world.run(user_store, world.mm, A, 1);
    const seen = ways(world, reclaim_pages, world.mm, A, B);
    return seen
      .filter((name) => /^mmu_notifier_|^flush_tlb_range$|^arch_tlbbatch_flush$|^spin_unlock$/.test(name))
      .map((name) => name.replace("mmu_notifier_", ""))
      .join(", ");
  };
  const written = "arch_tlbbatch_flush, arch_tlbbatch_flush"; // before it is written out, and before it is freed
  const flushed = "flush_tlb_range, spin_unlock";
  assert.is(reclaimed("mmu-notifier-v3"), `invalidate_range_start, ${flushed}, invalidate_range_end, ${written}`);
  assert.is(reclaimed("v2.6.27"), `flush_tlb_range, invalidate_page, spin_unlock, ${written}`);
  assert.is(reclaimed("v3.8"), `${flushed}, invalidate_page, ${written}`);
  const late = `invalidate_range_start, invalidate_range, spin_unlock, invalidate_range_end, ${written}`;
  for (const era of ["v4.19", "v6.1"] as const) assert.is(reclaimed(era), late, era);
});

const hear_event = kernelFunction(
  "hear_event",
  function* (_sub: mmu_interval_notifier, range: mmu_notifier_range, _seq: number): Kernel<boolean> {
    yield* store(ear.event, ["MMU_NOTIFY_CLEAR", "MMU_NOTIFY_MIGRATE"].indexOf(range[3]));
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
test("who collects pages for a device says so since 5.9", () => {
  const told = (era: Era): number => {
    const world = new World([], [], era);
    world.run(vm_mmap_pgoff, world.mm, A, B, VM_READ | VM_WRITE);
    world.run(user_store, world.mm, A, 1);
    insertHearing(world, hear_event);
    world.start(0, migrate_to_device, world.mm, A, B);
    world.until(0, "hear_event");
    world.until(0, "migrate_vma_collect_pmd");
    return world.peek(ear.event);
  };
  for (const era of ["v5.6", "v5.8"] as const) assert.is(told(era), 0, era);
  for (const era of ["v5.10", "v6.1"] as const) assert.is(told(era), 1, era);
});
type Invalidate = KernelFunction<[mmu_interval_notifier, mmu_notifier_range, number], boolean>;
function insertHearing(world: World, invalidate: Invalidate): void {
  const ops = world.object(mmu_interval_notifier_ops);
  world.poke(ops.invalidate, invalidate.id);
  world.run(mmu_interval_notifier_insert, world.object(mmu_interval_notifier), world.mm, A, 0x1000, ops);
}

// ---- what is wrong, and said to be

const refuse = kernelFunction(
  "refuse",
  function* (_sub: mmu_interval_notifier, _range: mmu_notifier_range, _seq: number): Kernel<boolean> {
    return false;
  },
  { params: ["sub", "range", "cur_seq"] },
);
test("an interval notifier that refuses: each caller has a warning of its own", () => {
  const warning = (fn: "munmap" | "release"): string => {
    const world = new World([], [], "v5.6");
    world.run(vm_mmap_pgoff, world.mm, A, B, VM_READ | VM_WRITE);
    insertHearing(world, refuse);
    if (fn === "munmap") world.run(vm_munmap, world.mm, A, B);
    else world.run(mmu_notifier_release, world.mm);
    return world.findings.map(({ message }) => message).join("; ");
  };
  assert.match(warning("munmap"), "mmu_notifier_range_blockable(range)");
  assert.match(warning("release"), "!ret");
});

test("an end without a start: the count has wrapped, and the sequence number stays odd", () => {
  for (const patches of [[], ["interval-updates-safe"]]) {
    const world = new World(patches, [], "v5.6");
    world.oracles = "off";
    const subscriptions = world.object(mmu_notifier_subscriptions);
    world.poke(subscriptions.invalidate_seq, 3);
    world.run(mn_itree_inv_end, subscriptions);
    assert.is(world.peek(subscriptions.active_invalidate_ranges), -1);
    assert.is(world.peek(subscriptions.invalidate_seq), 3, patches.join());
  }
});

const put_in_section = kernelFunction(
  "put_in_section",
  function* (mm: mm_struct): Kernel<void> {
    yield* rcu_read_lock();
    yield* mmput(mm);
    yield* rcu_read_unlock();
  },
  { params: ["mm"] },
);
const with_lock_of_file = kernelFunction(
  "with_lock_of_file",
  function* (mm: mm_struct, file: address_space): Kernel<void> {
    yield* down_write(mm.mmap_sem);
    yield* down_write(file.i_mmap_rwsem);
    yield* mm_take_all_locks(mm);
  },
  { params: ["mm", "file"] },
);
test("mmput() may sleep, in every kernel, whether or not it is the last one", () => {
  for (const era of ["mmu-notifier-v3", "v3.10", "v5.2", "v6.1"] as const) {
    const world = new World([], [], era);
    world.oracles = "off";
    world.run(mmget, world.mm);
    world.run(put_in_section, world.mm);
    const [finding] = world.findings;
    assert.is(finding?.kind, "rcu", era);
  }
});
test("who registers and holds a lock of the rmap waits for itself", () => {
  const world = new World([], [], "v5.6");
  world.oracles = "off";
  const file = namedFile(world, 0x1000);
  world.run(mmap_file, world.mm, A, B, VM_READ | VM_SHARED, file, 0);
  world.start(0, with_lock_of_file, world.mm, file);
  world.until(0, "mm_take_all_locks");
  assert.throws(() => world.finish(0), /is blocked/);
});

test.run();
