/** Files: their pages collapse into a huge one. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { iommu, iommu_bind, iommu_read, sharedWalkerImage } from "../../runtime/drivers/shared_walker.ts";
import { imageWriter } from "../../runtime/kernel.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { khugepaged_scan_file } from "../../runtime/mm/khugepaged_file.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { PMD_SIZE } from "../../runtime/mm/pgtable.ts";
import { watch, written } from "./witness.ts";
import { checkBodies, World } from "./world.ts";

const A = PMD_SIZE;
const SHARED = VM_READ | VM_WRITE | VM_SHARED;

function file(patches: readonly string[] = [], mutations: readonly Mutation[] = []): World {
  const world = new World(patches, mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, A + PMD_SIZE, SHARED);
  world.runOn(1, user_store, world.mm, A, 1);
  world.run(user_store, world.mm, A + 0x3000, 3);
  return world;
}
function exit(world: World): void {
  const mark = world.machine.mark();
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
  world.machine.undoTo(mark);
}

test("the pages become one, the page table goes, and everything is as it was", () => {
  const world = file();
  assert.is(world.run(khugepaged_scan_file, world.mm, A), 0);
  assert.equal(world.live(), ["address_space", "huge_page", "pmd_table", "pud_table", "vm_area_struct"]);
  for (const [addr, value] of [
    [A, 1],
    [A + 0x3000, 3],
    [A + 0x5000, 0],
  ] as const)
    assert.is(world.run(user_load, world.mm, addr), value);
  exit(world);
  checkBodies(world);
});

test("a store against it is not lost, in every order", () => {
  const world = file();
  world.start(0, khugepaged_scan_file, world.mm, A);
  world.start(1, user_store, world.mm, A, 2);
  const { findings, deadlocks } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    assert.is(world.runOn(2, user_load, world.mm, A), 2);
    world.machine.undoTo(mark);
    assert.is(world.peek(world.mm.mmap_sem.count), 0);
  });
  assert.is(findings.size + deadlocks, 0);
});

test("since 6.1 whoever shares the page table is told before it goes", () => {
  const start = "mmu_notifier_invalidate_range_start";
  for (const [patches, drop, told] of [
    [[], undefined, 2], // once for each page
    [["retract-notifies"], undefined, 3],
    [["retract-notifies"], start, 2],
  ] as const) {
    const world = file(patches, drop === undefined ? [] : [{ in: "collapse_and_free_pmd", drop }]);
    watch(world, A + 0x3000);
    world.run(khugepaged_scan_file, world.mm, A);
    assert.is(written(world).filter((line) => line.startsWith("start CLEAR")).length, told);
  }
});

/** Whether a device that walks the page tables may come to one that is free. */
function deviceFalls(patches: readonly string[], mutations: readonly Mutation[] = []): boolean {
  const world = file(patches, mutations);
  sharedWalkerImage(imageWriter(world.machine));
  const mmu = world.object(iommu);
  world.run(iommu_bind, mmu, world.mm);
  world.start(0, khugepaged_scan_file, world.mm, A);
  world.start(1, readTwice, mmu);
  return [...world.explore([0, 1]).findings.values()].some(({ kind }) => kind === "use-after-free");
}
const readTwice = kernelFunction("readTwice", function* (mmu: iommu): Kernel<void> {
  yield* iommu_read(mmu, A);
  yield* iommu_read(mmu, A);
});
test("a device that remembers the table reads freed memory before 6.1, and again without the notifier", () => {
  assert.ok(deviceFalls([]));
  assert.not(deviceFalls(["retract-notifies"]));
  const silent = ["start", "end"].map((which) => `mmu_notifier_invalidate_range_${which}`);
  assert.ok(
    deviceFalls(
      ["retract-notifies"],
      silent.map((drop) => ({ in: "collapse_and_free_pmd", drop })),
    ),
  );
});

test.run();
