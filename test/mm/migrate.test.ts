/** Migration: pages change under a process's feet, and nobody notices. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { migrate_range } from "../../runtime/mm/migrate.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { reclaim_pages } from "../../runtime/mm/vmscan.ts";
import { watch, written } from "./witness.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const A = 0x1000;
const B = 0x2000;

function mapped(mutations: readonly Mutation[] = [], flags = RW): World {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, 0x3000, flags);
  world.runOn(1, user_store, world.mm, A, 1); // its TLB has it
  return world;
}
function exit(world: World): void {
  const mark = world.machine.mark();
  for (const mm of world.spaces()) world.run(mmput, mm);
  assert.equal(world.live(), []);
  world.machine.undoTo(mark);
}

test("a page moves with what it has, and so do those that are shared or belong to a file", () => {
  for (const [flags, forked] of [
    [RW, false],
    [RW, true],
    [RW | VM_SHARED, false],
  ] as const) {
    const world = mapped([], flags);
    const child = forked ? world.run(dup_mm, world.mm) : world.mm;
    const before = world.live();
    assert.is(world.run(migrate_range, world.mm, A, 0x3000), 1);
    assert.equal(world.live(), before);
    assert.is(world.run(user_load, child, A), 1);
    world.run(user_store, world.mm, A, 2);
    assert.is(world.run(user_load, child, A), forked ? 1 : 2);
    exit(world);
    checkBodies(world);
  }
});

test("the notifier is told before the entry changes, the TLBs are flushed before it is told of the end", () => {
  const world = mapped();
  watch(world, A);
  world.run(migrate_range, world.mm, A, B);
  assert.equal(written(world), ["start CLEAR rw cached", "flush not present", "end CLEAR not present"]);
  const without = mapped([{ in: "try_to_unmap_one", drop: "mmu_notifier_invalidate_range_start" }]);
  watch(without, A);
  without.run(migrate_range, without.mm, A, B);
  assert.is(written(without)[0], "flush not present");
});

type Other = "store" | "load" | "munmap" | "fork" | "reclaim";
function against(other: Other, mutations: readonly Mutation[] = []): string[] {
  const world = mapped(mutations);
  world.start(0, migrate_range, world.mm, A, B);
  if (other === "store") world.start(1, user_store, world.mm, A, 2);
  else if (other === "load") world.start(1, user_load, world.mm, A);
  else if (other === "munmap") world.start(1, vm_munmap, world.mm, A, 0x3000);
  else if (other === "fork") world.start(1, dup_mm, world.mm);
  else world.start(1, reclaim_pages, world.mm, A, B);
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
for (const other of ["store", "load", "munmap", "fork", "reclaim"] as const)
  test(`migration against ${other}: nothing is lost, nothing leaks, nothing hangs, in every order`, () =>
    assert.equal(against(other), []));

test("a VMA is not cut while somebody looks up the place of a page in it", () => {
  const cut = (mutations: readonly Mutation[]): void => {
    const world = mapped(mutations);
    world.run(user_store, world.mm, B, 7);
    world.start(0, vm_munmap, world.mm, A, B);
    world.start(1, migrate_range, world.mm, B, 0x3000);
    const { findings } = world.explore([0, 1], () => {
      const mark = world.machine.mark();
      assert.is(world.runOn(2, user_load, world.mm, B), 7);
      world.machine.undoTo(mark);
    });
    assert.is(findings.size, 0);
  };
  cut([]);
  // A migration entry is missed, and stays when its page is gone.
  assert.throws(() => cut([{ in: "__split_vma", drop: "__vma_adjust" }]), /freed memory/);
});

test("without the flush a store goes to the old page; without waking up the others sleep for ever", () => {
  assert.ok(against("store", [{ in: "try_to_unmap_one", drop: "flush_tlb_range" }]).includes("lost"));
  assert.ok(against("store", [{ in: "__unmap_and_move", drop: "unlock_page" }]).includes("deadlock"));
});

test.run();
