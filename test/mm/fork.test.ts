/** fork(): what parent and child share, what either sees of the other's writes, and what the steps are there for. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { device, device_unmap, device_write } from "../../runtime/drivers/device.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { Op, primitive, step, type Kernel } from "../../runtime/machine/step.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { mmu_notifier_register } from "../../runtime/mm/mmu_notifier_register.ts";
import { mmu_notifier, mmu_notifier_ops, type mmu_notifier_range } from "../../runtime/mm/mmu_notifier_types.ts";
import { cpuPte } from "../../runtime/mm/tlb.ts";
import { insert } from "../../runtime/mm/translations.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import {
  mm_struct,
  vm_area_struct,
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from "../../runtime/mm/mm_types.ts";
import { PMD_SIZE } from "../../runtime/mm/pgtable.ts";
import { EFAULT } from "../../runtime/machine/errno.ts";
import { watch, written } from "./witness.ts";
import { init_mm } from "../../runtime/mm/vmalloc.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const A = 0x1000;

/** One page with a 1 in it, mapped in the parent. */
function parent(mutations: readonly Mutation[] = [], flags = RW, start = A, end = 0x3000): World {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, start, end, flags);
  world.run(user_store, world.mm, start, 1);
  return world;
}
const peekUser = (world: World, mm: mm_struct, addr: number): number => {
  const mark = world.machine.mark();
  const value = world.run(user_load, mm, addr);
  world.machine.undoTo(mark);
  return value;
};
/** Everything is gone when both have exited. */
function bothExit(world: World, child: mm_struct): void {
  const mark = world.machine.mark();
  world.run(mmput, child);
  world.run(mmput, world.mm);
  assert.equal(
    world.live().filter((type) => type !== "mmu_notifier_subscriptions"),
    [],
  );
  world.machine.undoTo(mark);
}

test("the child sees what the parent had, and neither sees what the other writes then", () => {
  const world = parent();
  const child = world.run(dup_mm, world.mm);
  assert.is(world.run(user_load, child, A), 1);
  world.run(user_store, world.mm, A, 2);
  world.run(user_store, child, A, 3);
  assert.equal([world.run(user_load, world.mm, A), world.run(user_load, child, A)], [2, 3]);
  assert.is(world.run(user_store, child, 0x2000, 4), 0);
  assert.is(world.run(user_load, world.mm, 0x2000), 0);
  bothExit(world, child);
  checkBodies(world);
});

test("stores and loads in both, in every order, stay apart, and leak nothing", () => {
  for (const [mine, yours] of [
    [user_store, user_store],
    [user_store, user_load],
    [user_load, user_store],
  ] as const) {
    const world = parent();
    const child = world.run(dup_mm, world.mm);
    if (mine === user_store) world.start(0, user_store, world.mm, A, 2);
    else world.start(0, user_load, world.mm, A);
    if (yours === user_store) world.start(1, user_store, child, A, 3);
    else world.start(1, user_load, child, A);
    const { findings, deadlocks, finals } = world.explore([0, 1], () => {
      assert.is(peekUser(world, world.mm, A), mine === user_store ? 2 : 1);
      assert.is(peekUser(world, child, A), yours === user_store ? 3 : 1);
      bothExit(world, child);
    });
    assert.is(findings.size + deadlocks, 0);
    assert.ok(finals > 0);
  }
});

test("the page of a child that is gone is the parent's alone again", () => {
  const world = parent();
  const child = world.run(dup_mm, world.mm);
  world.run(mmput, child);
  const before = world.live();
  world.run(user_store, world.mm, A, 2);
  assert.equal(world.live(), before);
});

test("unmapping in one leaves the other's pages, in every order", () => {
  const world = parent();
  const child = world.run(dup_mm, world.mm);
  world.start(0, vm_munmap, world.mm, A, 0x3000);
  world.start(1, user_store, child, A, 3);
  const { findings, deadlocks } = world.explore([0, 1], () => {
    assert.is(peekUser(world, child, A), 3);
    bothExit(world, child);
  });
  assert.is(findings.size + deadlocks, 0);
});

/** Values that the child can see if a thread of the parent writes 2 while it forks, and then 3 when it has forked. */
function childSees(mutations: readonly Mutation[]): { seen: Set<number>; late: boolean } {
  const world = parent(mutations);
  world.start(0, dup_mm, world.mm);
  world.start(1, user_store, world.mm, A, 2);
  const seen = new Set<number>();
  let late = false;
  const { findings, deadlocks } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    const child = theOther(world);
    seen.add(world.run(user_load, child, A));
    world.runOn(1, user_store, world.mm, A, 3);
    late ||= world.run(user_load, child, A) === 3;
    world.machine.undoTo(mark);
  });
  assert.is(findings.size + deadlocks, 0);
  return { seen, late };
}
/** The address space that is neither the first process's nor the kernel's. */
const theOther = (world: World): mm_struct =>
  world.spaces().find(({ addr }) => addr !== world.mm.addr && addr !== init_mm.addr) as mm_struct;

test("a store during fork() comes before it or after it, a store after it is the parent's own", () => {
  const { seen, late } = childSees([]);
  assert.equal([...seen].sort(), [1, 2]);
  assert.not(late);
});
test("without the write protection, or the flush after it, the child sees what the parent writes later", () => {
  assert.ok(childSees([{ in: "copy_one_pte", drop: "ptep_set_wrprotect" }]).late);
  assert.ok(childSees([{ in: "dup_mmap", drop: "flush_tlb_mm" }]).late);
});

test("the notifier hears of it before anything is write-protected, and the end of it before the flush", () => {
  const world = parent();
  watch(world, A);
  world.run(dup_mm, world.mm);
  assert.equal(written(world), ["start PROTECTION_PAGE rw cached", "flush ro cached", "end PROTECTION_PAGE ro cached"]);
  assert.is(world.run(user_load, world.mm, A), 1);
});
test("without the start, or with the start after the change, the notes say so", () => {
  const without = parent([{ in: "copy_page_range", drop: "mmu_notifier_invalidate_range_start" }]);
  watch(without, A);
  without.run(dup_mm, without.mm);
  assert.equal(written(without), ["flush ro cached", "end PROTECTION_PAGE ro cached"]);
});

/** A driver that gave its device the page, and whose callback takes it away again. */
const gpu = staticObject(device);
const giveIt = primitive("give", (m, dev = 0, mm = 0) => {
  insert(
    m,
    dev,
    A,
    cpuPte((word) => m.peek(word), mm, A),
    mm,
  );
  return 0;
});
const give = kernelFunction("give", function* (mm: mm_struct): Kernel<void> {
  yield* step({ op: Op.primitive, primitive: giveIt, args: [gpu.addr, mm.addr], text: () => "give" });
});
const takeAway = kernelFunction("takeAway", function* (_mn: mmu_notifier, range: mmu_notifier_range): Kernel<number> {
  yield* device_unmap(gpu, range[1], range[2]);
  return 0;
});
test("a device that may write is stopped, unless the notifier is not told", () => {
  for (const mutations of [[], [{ in: "copy_page_range", drop: "mmu_notifier_invalidate_range_start" }]]) {
    const world = parent(mutations);
    const [ops, mn] = [world.object(mmu_notifier_ops), world.object(mmu_notifier)];
    world.poke(ops.invalidate_range_start, takeAway.id);
    world.poke(mn.ops, ops.addr);
    world.run(mmu_notifier_register, mn, world.mm);
    world.run(give, world.mm);
    assert.is(world.run(device_write, gpu, A, 5), 0);
    world.run(dup_mm, world.mm);
    if (mutations.length === 0) assert.is(world.run(device_write, gpu, A, 6), -EFAULT);
    else assert.throws(() => world.run(device_write, gpu, A, 6), /read-only/);
  }
});

test("shared mappings are not copied, and those that are not to be copied are not there", () => {
  const world = parent([], RW | VM_SHARED);
  watch(world, A);
  world.run(vm_mmap_pgoff, world.mm, 0x8000, 0x9000, RW);
  world.run(user_store, world.mm, 0x8000, 7);
  const hidden = world.objects(vm_area_struct).filter((vma) => world.peek(vma.vm_start) === 0x8000);
  for (const vma of hidden) world.poke(vma.vm_flags, world.peek(vma.vm_flags) | VM_DONTCOPY);
  const child = world.run(dup_mm, world.mm);
  assert.equal(written(world), []);
  assert.is(world.run(user_load, child, 0x8000), -EFAULT);
  assert.is(world.run(user_store, child, A, 5), 0);
  assert.is(world.run(user_load, world.mm, A), 5);
  bothExit(world, child);
});

test("a huge page is shared read-only, and split where one of them writes, in every order", () => {
  const world = parent([], RW | VM_HUGEPAGE, PMD_SIZE, 2 * PMD_SIZE);
  const child = world.run(dup_mm, world.mm);
  assert.is(world.run(user_load, child, PMD_SIZE), 1);
  world.start(0, user_store, world.mm, PMD_SIZE, 2);
  world.start(1, user_store, child, PMD_SIZE, 3);
  const { findings, deadlocks } = world.explore([0, 1], () => {
    assert.is(peekUser(world, world.mm, PMD_SIZE), 2);
    assert.is(peekUser(world, child, PMD_SIZE), 3);
    bothExit(world, child);
  });
  assert.is(findings.size + deadlocks, 0);
  checkBodies(world);
});

test.run();
