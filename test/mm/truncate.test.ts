/** Truncation: pages of a file go from all mappings without mmap_sem, and devices are told. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EFAULT, EINVAL } from "../../runtime/machine/errno.ts";
import { at } from "../../runtime/machine/struct.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { address_space, VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { truncate_setsize, unmap_mapping_range } from "../../runtime/mm/truncate.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { checkBodies, World } from "./world.ts";
import { pteOf, watch } from "./watch.ts";

function mapped(mutations: readonly Mutation[] = []): { world: World; file: address_space } {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x3000, VM_READ | VM_WRITE | VM_SHARED);
  for (const addr of [0x1000, 0x2000]) world.runOn(1, user_store, world.mm, addr, addr);
  return { world, file: at(address_space, world.peek(world.run(find_vma, world.mm, 0x1000).vm_file)) };
}

test("what is cut off is gone from mapping and cache, what is not stays", () => {
  const { world, file } = mapped();
  const seen = watch(world, 0x2000);
  assert.is(world.run(truncate_setsize, file, 0x1000), 0);
  assert.equal([seen().starts, seen().ends, seen().event], [2, 2, "MMU_NOTIFY_CLEAR"]);
  assert.equal(seen().range, [0x2000, 0x3000]);
  assert.is(world.live().filter((type) => type === "page").length, 1);
  assert.is(world.runOn(1, user_load, world.mm, 0x1000), 0x1000);
  assert.is(world.runOn(1, user_load, world.mm, 0x2000), -EFAULT);
  assert.is(world.run(truncate_setsize, file, 0x800), -EINVAL);
  checkBodies(world);
});

test("unmapping alone leaves the file as it is", () => {
  const { world, file } = mapped();
  world.run(unmap_mapping_range, file, 0, 0x1000);
  assert.is(world.runOn(1, user_load, world.mm, 0x1000), 0x1000);
});

test("against a fault nothing is left mapped; with one round of unmapping less, a page behind the end may be", () => {
  const onceOnly = { in: "truncate_setsize", drop: "unmap_mapping_range", occurrence: 2 };
  for (const mutations of [[], [onceOnly]]) {
    const { world, file } = mapped(mutations);
    world.run(unmap_mapping_range, file, 0x1000, 0x1000);
    world.start(0, truncate_setsize, file, 0x1000);
    world.start(1, user_load, world.mm, 0x2000);
    let left = 0;
    const { findings, deadlocks } = world.explore([0, 1], () => {
      if (pteOf(world, 0x2000) !== 0) left++;
    });
    assert.is(findings.size + deadlocks, 0);
    assert.is(left > 0, mutations.length > 0);
  }
});

test.run();
