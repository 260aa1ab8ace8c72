/** Memory of a device: pages go there, and come back when a CPU wants them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { migrate_to_device } from "../../runtime/mm/migrate_vma.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { watch, written } from "./witness.ts";
import { checkBodies, World } from "./world.ts";

const A = 0x1000;
const B = 0x2000;
const FIXED = ["device-private-page-ref"];

function mapped(patches: readonly string[] = [], mutations: readonly Mutation[] = []): World {
  const world = new World(patches, mutations, "v5.6");
  world.oracles = "off"; // who finds the page locked on the device tries again, and again
  world.run(vm_mmap_pgoff, world.mm, A, 0x3000, VM_READ | VM_WRITE);
  world.runOn(1, user_store, world.mm, A, 1); // its TLB has it
  return world;
}
function exit(world: World): void {
  const mark = world.machine.mark();
  for (const mm of world.spaces()) world.run(mmput, mm);
  assert.equal(world.live(), []);
  world.machine.undoTo(mark);
}

test("a page goes to the device and comes back with what it had, with the fix and without", () => {
  for (const patches of [[], FIXED]) {
    const world = mapped(patches);
    const before = world.live();
    assert.is(world.run(migrate_to_device, world.mm, A, 0x3000), 1);
    assert.equal(world.live(), before);
    exit(world);
    assert.is(world.run(user_load, world.mm, A), 1);
    assert.equal(world.live(), before);
    world.run(migrate_to_device, world.mm, A, B);
    assert.is(world.run(user_store, world.mm, A, 2), 0);
    assert.is(world.run(user_load, world.mm, A), 2);
    exit(world);
    checkBodies(world);
  }
});
test("a child shares what is on the device, and gets a copy when it writes", () => {
  const world = mapped();
  world.run(migrate_to_device, world.mm, A, B);
  const child = world.run(dup_mm, world.mm);
  assert.is(world.run(user_store, child, A, 2), 0);
  assert.is(world.run(user_load, world.mm, A), 1);
  exit(world);
});

test("the notifier is told before the entry changes, the TLBs are flushed before it is told of the end", () => {
  const world = mapped();
  watch(world, A);
  world.run(migrate_to_device, world.mm, A, B);
  assert.equal(written(world), ["start CLEAR rw cached", "flush not present", "end CLEAR not present"]);
});

type Other = "store" | "munmap" | "fork" | "same";
function against(other: Other, patches: readonly string[], mutations: readonly Mutation[] = []): string[] {
  const world = mapped(patches, mutations);
  world.start(0, migrate_to_device, world.mm, A, B);
  if (other === "store") world.start(1, user_store, world.mm, A, 2);
  else if (other === "munmap") world.start(1, vm_munmap, world.mm, A, 0x3000);
  else if (other === "fork") world.start(1, dup_mm, world.mm);
  else world.start(1, migrate_to_device, world.mm, A, B);
  const wrong = new Set<string>();
  const { findings, deadlocks } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    for (const mm of other === "munmap" ? [] : world.spaces())
      if (world.runOn(2, user_load, mm, A) !== (other === "store" ? 2 : 1)) wrong.add("lost");
    world.machine.undoTo(mark);
    if (mutations.length === 0) exit(world);
  });
  for (const { kind } of findings.values()) wrong.add(kind);
  if (deadlocks > 0) wrong.add("deadlock");
  return [...wrong];
}
for (const other of ["store", "munmap", "fork", "same"] as const)
  test(`going to the device against ${other}: nothing is lost, nothing leaks, nothing hangs, in every order`, () =>
    assert.equal(against(other, FIXED), []));
test("without the flush a store goes to the page that has been left", () =>
  assert.ok(against("store", FIXED, [{ in: "migrate_vma_collect_pmd", drop: "flush_tlb_range" }]).length > 0));

/** Kinds of report when two CPUs want a page back at once. */
function twoFaults(patches: readonly string[]): string[] {
  const world = mapped(patches);
  world.run(migrate_to_device, world.mm, A, B);
  world.start(0, user_load, world.mm, A);
  world.start(1, user_store, world.mm, A + 8, 2);
  const { findings, deadlocks } = world.explore([0, 1], () => exit(world));
  assert.is(deadlocks, 0);
  return [...findings.values()].map(({ kind }) => kind);
}
test("two faults at once: the page may be gone for the second before 6.1, not after", () => {
  assert.ok(twoFaults([]).includes("use-after-free"));
  assert.equal(twoFaults(FIXED), []);
});

test.run();
