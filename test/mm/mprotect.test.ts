/** mprotect() and NUMA hints: what they change, in which order, and what becomes of it with a line less. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EFAULT, EINVAL, ENOMEM } from "../../runtime/machine/errno.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_EXEC, VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { change_prot_numa, vm_mprotect } from "../../runtime/mm/mprotect.ts";
import { PMD_SIZE, pte_page, pte_present, pte_protnone, pte_write } from "../../runtime/mm/pgtable.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { checkBodies, World } from "./world.ts";
import { pteOf, watch } from "./watch.ts";

const RW = VM_READ | VM_WRITE;
const HUGE = 2 * PMD_SIZE;

/** Three pages, each written to by CPU 1. */
function three(mutations: readonly Mutation[] = [], flags = RW): World {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x4000, flags);
  for (const addr of [0x1000, 0x2000, 0x3000]) world.runOn(1, user_store, world.mm, addr, addr);
  return world;
}
const huge = (mutations: readonly Mutation[] = []): World => {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, HUGE, HUGE + 2 * PMD_SIZE, RW | VM_HUGEPAGE);
  world.runOn(1, user_store, world.mm, HUGE, 7);
  return world;
};
const flagsAt = (world: World, addr: number): number => world.peek(world.run(find_vma, world.mm, addr).vm_flags);

test("a page in the middle loses its right to be written, its neighbours do not", () => {
  const world = three();
  assert.is(world.run(vm_mprotect, world.mm, 0x2000, 0x3000, VM_READ), 0);
  assert.equal(
    [0x1000, 0x2000, 0x3000].map((addr) => flagsAt(world, addr)),
    [RW, VM_READ, RW],
  );
  assert.equal(
    [0x1000, 0x2000, 0x3000].map((addr) => pte_write(pteOf(world, addr))),
    [true, false, true],
  );
  assert.is(world.runOn(1, user_store, world.mm, 0x2000, 1), -EFAULT);
  assert.is(world.runOn(1, user_load, world.mm, 0x2000), 0x2000);
  assert.is(world.runOn(1, user_store, world.mm, 0x1000, 1), 0);
  checkBodies(world);
});

test("no access, and back: the page is the same, and a private one is writable when it is written to", () => {
  const world = three();
  const page = pte_page(pteOf(world, 0x1000));
  world.run(vm_mprotect, world.mm, 0x1000, 0x4000, 0);
  assert.ok(pte_protnone(pteOf(world, 0x1000)));
  assert.is(world.runOn(1, user_load, world.mm, 0x1000), -EFAULT);
  world.run(vm_mprotect, world.mm, 0x1000, 0x4000, RW | VM_EXEC);
  assert.not(pte_write(pteOf(world, 0x1000)));
  assert.is(world.runOn(1, user_load, world.mm, 0x1000), 0x1000);
  assert.is(world.runOn(1, user_store, world.mm, 0x1000, 5), 0);
  assert.is(pte_page(pteOf(world, 0x1000)), page);
});

test("a shared page that is dirty is writable at once", () => {
  const world = three([], RW | VM_SHARED);
  world.run(vm_mprotect, world.mm, 0x1000, 0x2000, VM_READ);
  assert.not(pte_write(pteOf(world, 0x1000)));
  world.run(vm_mprotect, world.mm, 0x1000, 0x2000, RW);
  assert.ok(pte_write(pteOf(world, 0x1000)));
});

test("holes and nonsense are refused; what comes before a hole is changed", () => {
  const world = three();
  assert.is(world.run(vm_mprotect, world.mm, 0x3000, 0x5000, VM_READ), -ENOMEM);
  assert.equal(
    [0x2000, 0x3000].map((addr) => flagsAt(world, addr)),
    [RW, VM_READ],
  );
  assert.is(world.run(vm_mprotect, world.mm, 0x8000, 0x9000, VM_READ), -ENOMEM);
  assert.is(world.run(vm_mprotect, world.mm, 0x1800, 0x2000, VM_READ), -EINVAL);
  assert.is(world.peek(world.mm.tlb_flush_pending), 0);
});

test("notifiers are told from the first table to the end of the PUD, before the change and after it", () => {
  const world = three();
  const seen = watch(world, 0x2000);
  world.run(vm_mprotect, world.mm, 0x1000, 0x4000, VM_READ);
  const { starts, ends, event, range, before, after } = seen();
  assert.equal([starts, ends, event, range], [1, 1, "MMU_NOTIFY_PROTECTION_VMA", [0x1000, 0x4000]]);
  assert.equal([pte_write(before), pte_write(after)], [true, false]);
});

test("where nothing is mapped nobody is told; where flags do not change neither", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x4000, RW);
  const seen = watch(world, 0x2000);
  world.run(vm_mprotect, world.mm, 0x1000, 0x4000, VM_READ);
  world.run(vm_mprotect, world.mm, 0x1000, 0x4000, VM_READ);
  assert.is(seen().starts, 0);
});

test("without the start a notifier hears of the end alone", () => {
  const world = three([{ in: "change_pmd_range", drop: "mmu_notifier_invalidate_range_start" }]);
  const seen = watch(world, 0x2000);
  world.run(vm_mprotect, world.mm, 0x1000, 0x4000, VM_READ);
  assert.equal([seen().starts, seen().ends], [0, 1]);
});

test("without the flush a CPU goes on writing", () => {
  const world = three([{ in: "change_protection", drop: "flush_tlb_range" }]);
  world.run(vm_mprotect, world.mm, 0x1000, 0x4000, VM_READ);
  assert.not(pte_write(pteOf(world, 0x1000)));
  assert.is(world.runOn(1, user_store, world.mm, 0x1000, 9), 0);
});

test("a write in between is either done or refused, and nothing is lost", () => {
  const world = three();
  world.start(0, vm_mprotect, world.mm, 0x1000, 0x2000, VM_READ);
  world.start(1, user_store, world.mm, 0x1000, 9);
  const { findings, deadlocks, finals } = world.explore([0, 1]);
  assert.is(findings.size + deadlocks, 0);
  assert.ok(finals >= 2);
});

test("a huge page is changed whole, and split where the range ends in it", () => {
  const whole = huge();
  const seen = watch(whole, HUGE);
  whole.run(vm_mprotect, whole.mm, HUGE, HUGE + PMD_SIZE, VM_READ);
  assert.equal([seen().starts, pte_write(seen().before), pte_write(seen().after)], [1, true, false]);
  assert.is(whole.runOn(1, user_load, whole.mm, HUGE), 7);
  assert.is(whole.runOn(1, user_store, whole.mm, HUGE, 8), -EFAULT);
  const part = huge();
  part.run(vm_mprotect, part.mm, HUGE, HUGE + 0x1000, VM_READ);
  assert.equal(
    [HUGE, HUGE + 0x1000].map((addr) => pte_write(pteOf(part, addr))),
    [false, true],
  );
  assert.is(part.runOn(1, user_load, part.mm, HUGE), 7);
  checkBodies(part);
});

test("without its flush a huge page goes on being written", () => {
  const world = huge([
    { in: "pmdp_invalidate", drop: "flush_tlb_range" },
    { in: "change_protection", drop: "flush_tlb_range" },
  ]);
  world.run(vm_mprotect, world.mm, HUGE, HUGE + PMD_SIZE, VM_READ);
  assert.is(world.runOn(1, user_store, world.mm, HUGE, 8), 0);
});

test("a NUMA hint makes the next access fault, once, and takes nothing away", () => {
  for (const make of [three, huge]) {
    const world = make();
    const addr = make === huge ? HUGE : 0x1000;
    const seen = watch(world, addr);
    world.run(change_prot_numa, world.mm, addr, addr + (make === huge ? PMD_SIZE : 0x1000));
    assert.ok(pte_protnone(pteOf(world, addr)));
    assert.ok(pte_present(pteOf(world, addr)));
    assert.equal([seen().starts, seen().ends], [1, 1]);
    world.run(change_prot_numa, world.mm, addr, addr + 0x1000);
    const value = make === huge ? 7 : addr;
    assert.is(world.runOn(1, user_load, world.mm, addr), value);
    assert.not(pte_protnone(pteOf(world, addr)));
    assert.is(world.runOn(1, user_store, world.mm, addr, 3), 0);
    assert.is(world.run(vm_munmap, world.mm, addr, addr + 0x1000), 0);
    checkBodies(world);
  }
});

test.run();
