/** mremap(): pages, whole tables and huge pages that move, and CPUs that still have them at the old address. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EFAULT, EINVAL } from "../../runtime/machine/errno.ts";
import { freeBy } from "../../runtime/machine/alloc.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at } from "../../runtime/machine/struct.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { zap_page_range } from "../../runtime/mm/madvise.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE, type mm_struct } from "../../runtime/mm/mm_types.ts";
import { vm_mremap } from "../../runtime/mm/mremap.ts";
import {
  pgd_entry,
  pgd_table,
  pmd_entry,
  pmd_lockptr,
  PMD_SIZE,
  pmd_table,
  pte_page,
  pte_table,
  pud_entry,
  pud_table,
  type PmdEntry,
} from "../../runtime/mm/pgtable.ts";
import { get_and_clear } from "../../runtime/mm/pgtable_steps.ts";
import { flush_tlb_mm } from "../../runtime/mm/tlb.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { checkBodies, World, type Explored } from "./world.ts";
import { pteOf, watch } from "./watch.ts";

const RW = VM_READ | VM_WRITE;
const OLD = 4 * PMD_SIZE;
const NEW = 8 * PMD_SIZE;

function mapped(flags = RW, size = PMD_SIZE, mutations: readonly Mutation[] = []): World {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, OLD, OLD + size, flags);
  world.runOn(1, user_store, world.mm, OLD, 7);
  return world;
}
const calls = (world: World, fn: string): boolean => {
  const mark = world.machine.mark();
  try {
    world.until(0, fn);
    return true;
  } catch {
    return false;
  } finally {
    world.machine.undoTo(mark);
  }
};

test("pages move, the old address is gone, and everything is freed in the end", () => {
  for (const [flags, from, to, how] of [
    [RW, OLD + 0x1000, NEW + 0x5000, "move_ptes"],
    [RW, OLD, NEW, "move_normal_pmd"],
    [RW | VM_HUGEPAGE, OLD, NEW, "move_huge_pmd"],
    [RW | VM_HUGEPAGE, OLD, NEW + 0x1000, "move_ptes"],
  ] as const) {
    const world = mapped(flags);
    world.runOn(1, user_store, world.mm, from + 0x1000, 9);
    const page = pte_page(pteOf(world, from + 0x1000));
    const end = OLD + PMD_SIZE;
    world.start(0, vm_mremap, world.mm, from, end, to);
    assert.ok(calls(world, how), how);
    assert.is(world.finish(0), to);
    assert.is(world.runOn(1, user_load, world.mm, to + 0x1000), 9);
    assert.is(pte_page(pteOf(world, to + 0x1000)), page);
    assert.is(world.runOn(1, user_load, world.mm, from + 0x1000), -EFAULT);
    assert.is(world.peek(world.mm.tlb_flush_pending), 0);
    checkBodies(world);
    world.run(mmput, world.mm);
    assert.equal(world.live(), []);
  }
});

test("what was mapped at the new address goes; what does not fit is refused", () => {
  const world = mapped();
  world.run(vm_mmap_pgoff, world.mm, NEW, NEW + 0x2000, RW);
  world.runOn(1, user_store, world.mm, NEW, 1);
  assert.is(world.run(vm_mremap, world.mm, OLD, OLD + 0x1000, NEW), NEW);
  assert.is(world.runOn(1, user_load, world.mm, NEW), 7);
  assert.is(world.run(vm_mremap, world.mm, NEW, NEW + 0x2000, NEW + 0x1000), -EINVAL);
  assert.is(world.run(vm_mremap, world.mm, OLD, OLD + 0x1000, NEW), -EFAULT);
  assert.ok(world.run(find_vma, world.mm, NEW + 0x2000).isNull);
});

test("notifiers are told of the old range, before anything moves and after it has", () => {
  for (const flags of [RW, RW | VM_HUGEPAGE]) {
    const world = mapped(flags);
    const seen = watch(world, OLD);
    world.start(0, vm_mremap, world.mm, OLD, OLD + PMD_SIZE, NEW);
    world.until(0, "__do_munmap");
    world.until(0, "__do_munmap");
    const { starts, ends, event, range, before, after } = seen();
    assert.equal([starts, ends, event, range], [1, 1, "MMU_NOTIFY_UNMAP", [OLD, OLD + PMD_SIZE]]);
    assert.ok(before !== 0 && after === 0);
    world.finish(0);
  }
});

test("without the start a notifier hears of the end alone", () => {
  const world = mapped(RW, PMD_SIZE, [{ in: "move_page_tables", drop: "mmu_notifier_invalidate_range_start" }]);
  const seen = watch(world, OLD);
  world.start(0, vm_mremap, world.mm, OLD, OLD + PMD_SIZE, NEW);
  world.until(0, "__do_munmap");
  world.until(0, "__do_munmap");
  assert.equal([seen().starts, seen().ends], [0, 1]);
});

/** A move of one page; once it is there, somebody zaps it there while CPU 1 writes at the old one. */
function late(patches: readonly string[], mutations: readonly Mutation[] = []): Explored {
  const world = new World(patches, mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, OLD, OLD + 0x1000, RW);
  world.runOn(1, user_store, world.mm, OLD, 7);
  world.start(0, vm_mremap, world.mm, OLD, OLD + 0x1000, NEW);
  world.until(0, "move_ptes");
  const fresh = world.runOn(3, find_vma, world.mm, NEW);
  world.start(1, user_store, world.mm, OLD, 8);
  // As a truncation does, which finds the VMA by its file and needs no mmap_sem.
  world.start(2, zap_page_range, fresh, NEW, NEW + 0x1000);
  return world.explore([0, 1, 2]);
}
test("whoever frees a page at its new address finds it flushed at the old one", () => {
  const { findings, deadlocks } = late([]);
  assert.equal([...findings.keys()], []);
  assert.is(deadlocks, 0);
});
test("flushed when the locks are gone, it is written to after it has been freed", () => {
  for (const world of [late(["mremap-late-flush"]), late([], [{ in: "move_ptes", drop: "flush_tlb_range" }])])
    assert.ok([...world.findings.values()].some(({ kind }) => kind === "stale-translation"));
});
test("whole tables and huge pages are flushed under the lock, too", () => {
  for (const flags of [RW, RW | VM_HUGEPAGE]) {
    for (const fn of ["move_normal_pmd", "move_huge_pmd"]) {
      const world = mapped(flags, PMD_SIZE, [{ in: fn, drop: "flush_tlb_range" }]);
      world.start(0, vm_mremap, world.mm, OLD, OLD + PMD_SIZE, NEW);
      world.until(0, "__do_munmap");
      world.until(0, "__do_munmap");
      const mine = (flags === RW) === (fn === "move_normal_pmd");
      world.start(1, user_store, world.mm, OLD, 8);
      if (mine) world.finish(1);
      else assert.throws(() => world.finish(1), /blocked/);
    }
  }
});

/** As khugepaged does since 6.6 with a table of a file's pages: under the lock of the PMD, without mmap_sem. */
const retract = kernelFunction(
  "retract_page_tables",
  function* (mm: mm_struct, pmd: PmdEntry): Kernel<void> {
    yield* spin_lock(pmd_lockptr(pmd));
    const table = yield* get_and_clear(pmd);
    yield* flush_tlb_mm(mm);
    yield* spin_unlock(pmd_lockptr(pmd));
    if (table !== 0) yield* freeBy("pte_free", at(pte_table, table));
  },
  { params: ["mm", "pmd"] },
);
/** The table goes while mremap() is about to move it, having looked at the entry before it took the lock. */
function retracted(patches: readonly string[]): Explored {
  const world = new World(patches, [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, OLD, OLD + PMD_SIZE, RW | VM_SHARED);
  world.runOn(1, user_load, world.mm, OLD);
  const pud = pud_entry(at(pud_table, world.peek(pgd_entry(at(pgd_table, world.peek(world.mm.pgd)), OLD))), OLD);
  const pmd = pmd_entry(at(pmd_table, world.peek(pud)), OLD);
  world.start(0, vm_mremap, world.mm, OLD, OLD + PMD_SIZE, NEW);
  world.until(0, "move_normal_pmd");
  world.start(1, retract, world.mm, pmd);
  return world.explore([0, 1], () => assert.is(world.peek(pmd), 0));
}
test("a table that has gone before the lock was taken is not moved: asked again, there is nothing to move", () => {
  const { findings } = retracted([]);
  assert.equal(
    [...findings.values()].map(({ kind }) => kind),
    ["bug"],
  );
  const fixed = retracted(["mremap-recheck-pmd"]);
  assert.equal([...fixed.findings.keys()], []);
  assert.is(fixed.deadlocks, 0);
});

test.run();
