import { test } from "uvu";
import * as assert from "uvu/assert";
import { mm_alloc, mmdrop, mmget, mmget_not_zero, mmgrab, mmput } from "../../runtime/mm/fork.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { MAP_FIXED, vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { EEXIST, EFAULT, EINVAL } from "../../runtime/machine/errno.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;

/** The VMAs by list, checked against the tree. */
function vmas(world: World): [number, number][] {
  const { memory } = world.machine;
  const found: [number, number][] = [];
  let end = 0;
  for (;;) {
    const vma = world.run(find_vma, world.mm, end);
    if (vma.isNull) break;
    found.push([world.peek(vma.vm_start), world.peek(vma.vm_end)]);
    end = world.peek(vma.vm_end);
  }
  let listed = 0;
  for (let addr = world.peek(world.mm.mmap), before = 0; addr !== 0; listed++) {
    const vma = world.run(find_vma, world.mm, found[listed]?.[0] ?? -1);
    assert.is(vma.addr, addr, "list and tree hold the same VMAs");
    assert.is(world.peek(vma.vm_prev), before);
    before = addr;
    addr = memory.peek(vma.vm_next.addr);
  }
  assert.is(listed, found.length);
  return found;
}

test("mappings are found whatever the order they were made in", () => {
  for (const order of [
    [1, 5, 9],
    [9, 5, 1],
    [5, 1, 9],
    [5, 9, 1],
    [1, 9, 5],
  ]) {
    const world = new World();
    for (const n of order) assert.is(world.run(vm_mmap_pgoff, world.mm, n * 0x1000, (n + 2) * 0x1000, RW), n * 0x1000);
    assert.equal(vmas(world), [
      [0x1000, 0x3000],
      [0x5000, 0x7000],
      [0x9000, 0xb000],
    ]);
    checkBodies(world);
  }
});

test("mmap refuses what does not fit, and replaces with MAP_FIXED", () => {
  const world = new World();
  assert.is(world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x4000, RW), 0x1000);
  assert.is(world.run(vm_mmap_pgoff, world.mm, 0x3000, 0x5000, RW), -EEXIST);
  assert.is(world.run(vm_mmap_pgoff, world.mm, 0x1800, 0x2000, RW), -EINVAL);
  assert.is(world.run(vm_mmap_pgoff, world.mm, 0x2000, 0x2000, RW), -EINVAL);
  assert.is(world.run(vm_mmap_pgoff, world.mm, 2 ** 47 - 0x1000, 2 ** 47 + 0x1000, RW), -EINVAL);
  assert.is(world.run(vm_mmap_pgoff, world.mm, 0x2000, 0x5000, VM_READ | MAP_FIXED), 0x2000);
  assert.equal(vmas(world), [
    [0x1000, 0x2000],
    [0x2000, 0x5000],
  ]);
  assert.is(world.peek(world.run(find_vma, world.mm, 0x2000).vm_flags), VM_READ);
});

test("munmap splits at both ends and leaves neighbours alone, for every range over three mappings", () => {
  for (let from = 0; from < 12; from++)
    for (let to = from + 1; to <= 12; to++) {
      const world = new World();
      const before = [
        [5, 7],
        [1, 4],
        [9, 11],
      ];
      const mapped = new Set<number>();
      for (const [a = 0, b = 0] of before) {
        world.run(vm_mmap_pgoff, world.mm, a * 0x1000, b * 0x1000, RW);
        for (let n = a; n < b; n++) mapped.add(n);
      }
      for (const n of mapped) assert.is(world.run(user_store, world.mm, n * 0x1000, n), 0);
      assert.is(world.run(vm_munmap, world.mm, from * 0x1000, to * 0x1000), 0);
      for (let n = 0; n < 12; n++) {
        const stays = mapped.has(n) && !(n >= from && n < to);
        assert.is(world.run(user_load, world.mm, n * 0x1000), stays ? n : -EFAULT, `page ${n} after ${from}..${to}`);
      }
      assert.is(
        vmas(world).reduce((sum, [a, b]) => sum + (b - a) / 0x1000, 0),
        [...mapped].filter((n) => !(n >= from && n < to)).length,
      );
      world.run(vm_munmap, world.mm, 0, 12 * 0x1000);
      assert.equal(world.live(), [], "nothing is left behind");
      assert.is(world.peek(world.mm.mmap), 0);
      assert.is(world.peek(world.mm.mm_rb.rb_node), 0);
    }
});

test("munmap holds mmap_sem for reading only while it zaps", () => {
  const world = new World();
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x3000, RW);
  world.run(user_store, world.mm, 0x1000, 1);
  world.start(0, vm_munmap, world.mm, 0x1000, 0x3000);
  world.until(0, "detach_vmas_to_be_unmapped");
  assert.is(world.peek(world.mm.mmap_sem.count), -1);
  world.until(0, "unmap_vmas");
  assert.is(world.peek(world.mm.mmap_sem.count), 1);
  world.until(0, "remove_vma");
  assert.is(world.peek(world.mm.mmap_sem.count), 1);
  assert.is(world.finish(0), 0);
  assert.is(world.peek(world.mm.mmap_sem.count), 0);
});

test("an address near 2^47 costs what one near zero costs", () => {
  const costs = [0x1000, 2 ** 47 - 0x3000].map((base) => {
    const world = new World();
    world.start(0, vm_mmap_pgoff, world.mm, base, base + 0x2000, RW);
    const map = world.cost(0);
    world.finish(0);
    world.start(0, user_store, world.mm, base + 0x1000, 3);
    const fault = world.cost(0);
    world.finish(0);
    assert.is(world.run(user_load, world.mm, base + 0x1000), 3);
    world.start(0, vm_munmap, world.mm, base, base + 0x2000);
    const unmap = world.cost(0);
    world.finish(0);
    assert.equal(world.live(), []);
    return [map, fault, unmap];
  });
  assert.equal(costs[0], costs[1]);
});

test("tables of neighbours stay when a mapping goes", () => {
  const world = new World();
  world.run(vm_mmap_pgoff, world.mm, 0x200000, 0x400000, RW);
  world.run(vm_mmap_pgoff, world.mm, 0x400000, 0x401000, RW);
  world.run(user_store, world.mm, 0x200000, 1);
  world.run(user_store, world.mm, 0x400000, 2);
  world.run(vm_munmap, world.mm, 0x200000, 0x400000);
  assert.equal(world.live(), ["anon_vma", "page", "pmd_table", "pte_table", "pud_table", "vm_area_struct"]);
  assert.is(world.run(user_load, world.mm, 0x400000), 2);
  checkBodies(world);
});

test("the last mmput frees mappings, pages and tables, and the mm with them", () => {
  const world = new World();
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x4000, RW);
  world.run(vm_mmap_pgoff, world.mm, 2 ** 30, 2 ** 30 + 0x4000, RW);
  for (const addr of [0x1000, 0x3000, 2 ** 30]) world.run(user_store, world.mm, addr, 1);
  world.run(user_load, world.mm, 2 ** 30 + 0x1000);
  world.run(mmget, world.mm);
  world.run(mmput, world.mm);
  assert.not(world.isFreed(world.mm));
  world.run(mmput, world.mm);
  assert.ok(world.isFreed(world.mm));
  assert.equal(world.live(), []);
  assert.equal(world.findings, []);
});

test("mm_count keeps the struct, mm_users the address space", () => {
  const world = new World();
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x4000, RW);
  world.run(mmgrab, world.mm);
  assert.is(world.run(mmget_not_zero, world.mm), true);
  world.run(mmput, world.mm);
  world.run(mmput, world.mm);
  assert.is(world.run(mmget_not_zero, world.mm), false);
  assert.not(world.isFreed(world.mm));
  assert.equal(world.live(), []);
  assert.is.not(world.peek(world.mm.mmap), 0, "exit leaves the list as it is");
  world.run(mmdrop, world.mm);
  assert.ok(world.isFreed(world.mm));
});

test("mmget of a dying mm is found by the last mmput", () => {
  const world = new World();
  world.start(0, mmput, world.mm);
  world.start(1, mmget, world.mm);
  const { findings } = world.explore([0, 1]);
  assert.equal([...findings.values()].map((f) => f.kind).sort(), ["bug", "use-after-free"]);
});

test("a second address space lives and dies like the first", () => {
  const world = new World();
  const mm = world.run(mm_alloc);
  world.run(vm_mmap_pgoff, mm, 0x1000, 0x2000, RW);
  world.run(user_store, mm, 0x1000, 1);
  assert.is(world.run(user_load, world.mm, 0x1000), -EFAULT);
  world.run(mmput, mm);
  assert.equal(world.live(), []);
});

test("a flush for a dirty page of a file is one for all that has been gathered so far", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, 0x1ff000, 0x200000, RW);
  world.run(vm_mmap_pgoff, world.mm, 0x200000, 0x201000, RW | VM_SHARED);
  world.runOn(1, user_store, world.mm, 0x1ff000, 1); // in another table, and freed by that flush as well
  world.run(user_store, world.mm, 0x200000, 1);
  world.start(0, vm_munmap, world.mm, 0x1ff000, 0x201000);
  world.start(1, user_load, world.mm, 0x1ff000);
  assert.is(world.explore([0, 1]).findings.size, 0);
});

test.run();
