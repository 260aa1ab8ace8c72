/** The TLBs of CPUs: what they keep, who waits for whom, and what is wrong with a stale entry. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { Moved } from "../../runtime/machine/machine.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mm_alloc, mmput } from "../../runtime/mm/fork.ts";
import { do_madvise, MADV_DONTNEED } from "../../runtime/mm/madvise.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE, type mm_struct } from "../../runtime/mm/mm_types.ts";
import { PMD_SIZE, pte_dirty, pte_mkclean, pte_page, pte_write, pte_wrprotect } from "../../runtime/mm/pgtable.ts";
import { flush_tlb_mm, flush_tlb_range, irqs_off, irqs_on, tlbTables } from "../../runtime/mm/tlb.ts";
import { pmdOf, ptOf, trace } from "./tables.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const A = 0x1000;

/** Two pages of memory, with 1 and 2 in them; only CPU 3 has translations. */
function mapped(mutations: readonly Mutation[] = [], flags = RW): World {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, A + 0x4000, flags);
  world.runOn(3, user_store, world.mm, A, 1);
  world.runOn(3, user_store, world.mm, A + 0x1000, 2);
  return world;
}
/** How many translations a CPU has. */
const kept = (world: World, cpu: number): number => {
  const entries = tlbTables()[cpu]?.entries;
  return Array.from({ length: entries?.length ?? 0 }, (_, i) => world.peek(entries?.at(i) ?? { addr: 0 })).filter(
    (entry) => entry !== 0,
  ).length;
};
const flush_range = kernelFunction(
  "flush_range",
  function* (mm: mm_struct, start: number, end: number): Kernel<void> {
    yield* flush_tlb_range(mm, start, end);
  },
  { params: ["mm", "start", "end"] },
);
const flush_all = kernelFunction(
  "flush_all",
  function* (mm: mm_struct): Kernel<void> {
    yield* flush_tlb_mm(mm);
  },
  { params: ["mm"] },
);
const without_irqs = kernelFunction(
  "without_irqs",
  function* (mm: mm_struct): Kernel<void> {
    yield* irqs_off("local_irq_save(flags)");
    yield* user_load(mm, A);
    yield* irqs_on("local_irq_restore(flags)");
  },
  { params: ["mm"] },
);
/** One access without a fault. */
const steps = (world: World, ...args: [mm: mm_struct, addr: number, value: number]): number =>
  trace(world, user_store, ...args).steps.length;

test("a translation is kept until it is flushed, whatever becomes of the entry", () => {
  const world = mapped();
  world.runOn(1, user_load, world.mm, A);
  world.runOn(1, user_load, world.mm, A + 0x1000);
  assert.is(kept(world, 1), 2);
  const pte = world.peek(ptOf(world, A));
  world.poke(ptOf(world, A), 0);
  assert.is(world.runOn(1, user_load, world.mm, A), 1);
  world.runOn(2, flush_range, world.mm, A, A + 0x1000);
  assert.equal([kept(world, 1), kept(world, 3)], [1, 1]);
  assert.is(world.runOn(1, user_load, world.mm, A), 0); // faulted in anew
  world.poke(ptOf(world, A), pte);
  world.runOn(2, flush_all, world.mm);
  assert.equal([kept(world, 1), kept(world, 3)], [0, 0]);
  assert.is(world.runOn(1, user_load, world.mm, A), 1);
  checkBodies(world);
});

test("an address is one of an address space: a flush of another leaves it, and nobody confuses them", () => {
  const world = mapped();
  const other = world.run(mm_alloc);
  world.run(vm_mmap_pgoff, other, A, A + 0x1000, RW);
  world.runOn(1, user_load, world.mm, A);
  assert.is(world.runOn(1, user_load, other, A), 0);
  world.runOn(1, user_store, other, A, 8);
  assert.equal([world.runOn(1, user_load, world.mm, A), world.runOn(1, user_load, other, A)], [1, 8]);
  world.runOn(2, flush_all, other);
  assert.is(kept(world, 1), 1);
});

test("a flush waits for a CPU that has interrupts off, and not for its own", () => {
  const world = mapped();
  world.start(1, without_irqs, world.mm);
  world.step(1); // off
  world.start(0, flush_all, world.mm);
  assert.is(world.step(0), Moved.blocked);
  world.finish(1);
  assert.is.not(world.step(0), Moved.blocked);
  assert.is(kept(world, 1), 0);
  world.run(flushing, world.mm);
});

test("two CPUs that flush with interrupts off wait for each other for ever", () => {
  const world = mapped();
  for (const cpu of [0, 1]) world.start(cpu, flushing, world.mm);
  assert.ok(world.explore([0, 1]).deadlocks > 0);
});
const flushing = kernelFunction(
  "flush_without_irqs",
  function* (mm: mm_struct): Kernel<void> {
    yield* irqs_off("local_irq_save(flags)");
    yield* flush_tlb_mm(mm);
    yield* irqs_on("local_irq_restore(flags)");
  },
  { params: ["mm"] },
);

test("a write through a read-only translation walks again", () => {
  const world = mapped();
  const pte = ptOf(world, A);
  const writable = world.peek(pte);
  world.poke(pte, pte_wrprotect(writable));
  world.run(user_load, world.mm, A);
  world.poke(pte, writable); // somebody has made it writable, and need not flush
  assert.is(steps(world, world.mm, A, 5), 1);
  assert.is(world.run(user_load, world.mm, A), 5);
  // The other way round the old right stays until the flush.
  world.poke(pte, pte_wrprotect(writable));
  assert.is(steps(world, world.mm, A, 6), 1);
  world.runOn(1, flush_all, world.mm);
  assert.ok(steps(world, world.mm, A, 7) > 1);
  assert.ok(pte_write(world.peek(pte)));
});

test("the hardware sets the dirty bit in the entry, once for each translation", () => {
  const world = mapped();
  const pte = ptOf(world, A);
  world.poke(pte, pte_mkclean(world.peek(pte)));
  world.run(user_load, world.mm, A);
  assert.not(pte_dirty(world.peek(pte)));
  assert.is(steps(world, world.mm, A, 5), 1);
  assert.ok(pte_dirty(world.peek(pte)));
  // Who cleans without a flush loses the next write's bit.
  world.poke(pte, pte_mkclean(world.peek(pte)));
  world.run(user_store, world.mm, A, 6);
  assert.not(pte_dirty(world.peek(pte)));
  world.runOn(1, flush_all, world.mm);
  world.run(user_store, world.mm, A, 7);
  assert.ok(pte_dirty(world.peek(pte)));
});

test("a write through a clean translation finds what the entry says by now", () => {
  const world = mapped();
  const pte = ptOf(world, A);
  world.poke(pte, pte_mkclean(world.peek(pte)));
  world.run(user_load, world.mm, A);
  const before = pte_page(world.peek(pte));
  world.poke(pte, 0);
  world.run(user_store, world.mm, A, 5);
  assert.is.not(pte_page(world.peek(pte)).addr, before.addr);
  assert.is(world.peek(before.data.at(0)), 1);
});

test("pieces of a huge page are cached one by one, and the dirty bit is the leaf's", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, PMD_SIZE, 2 * PMD_SIZE, RW | VM_HUGEPAGE);
  world.runOn(3, user_store, world.mm, PMD_SIZE, 1);
  const pmd = pmdOf(world, PMD_SIZE);
  world.poke(pmd, pte_mkclean(world.peek(pmd)));
  world.run(user_load, world.mm, PMD_SIZE + 0x3000);
  world.run(user_load, world.mm, PMD_SIZE + 0x4000);
  assert.is(kept(world, 0), 2);
  world.runOn(1, flush_range, world.mm, PMD_SIZE + 0x3000, PMD_SIZE + 0x4000);
  assert.is(kept(world, 0), 1);
  world.run(user_store, world.mm, PMD_SIZE + 0x4000, 9);
  assert.ok(pte_dirty(world.peek(pmd)));
});

test("a translation of a page that was freed is stale; while the page lives it may be used", () => {
  const noFlush = [{ in: "tlb_flush_mmu_tlbonly", drop: "flush_tlb_range" }];
  const world = mapped(noFlush);
  world.runOn(1, user_load, world.mm, A);
  world.run(do_madvise, world.mm, A, A + 0x1000, MADV_DONTNEED);
  assert.throws(() => world.runOn(1, user_load, world.mm, A), /TLB of this CPU still has it/);
  assert.is(world.findings[0]?.kind, "stale-translation");

  const shared = mapped(noFlush, RW | VM_SHARED);
  shared.runOn(1, user_store, shared.mm, A, 3);
  const cached = pte_page(shared.peek(ptOf(shared, A)));
  shared.run(do_madvise, shared.mm, A, A + 0x1000, MADV_DONTNEED);
  assert.is(shared.peek(ptOf(shared, A)), 0);
  assert.is(shared.runOn(1, user_store, shared.mm, A, 4), 0); // the page is still the file's
  assert.is(shared.peek(cached.data.at(0)), 4);
  assert.equal(shared.findings, []);
});

test("an unmapped page is never used: every interleaving, and without the flush one finds it", () => {
  for (const drop of ["", "flush_tlb_range"]) {
    const world = mapped(drop === "" ? [] : [{ in: "tlb_flush_mmu_tlbonly", drop }]);
    world.start(0, vm_munmap, world.mm, A, A + 0x2000);
    world.start(1, user_load, world.mm, A);
    world.start(3, user_load, world.mm, A);
    const { findings, deadlocks } = world.explore([0, 1, 3], () => {}, 200_000);
    assert.is(deadlocks, 0);
    assert.equal(
      [...findings.values()].map((finding) => finding.kind),
      drop === "" ? [] : ["stale-translation"],
    );
  }
});

test("the end of the process leaves no translation", () => {
  const world = mapped();
  world.runOn(1, user_load, world.mm, A);
  world.run(mmput, world.mm);
  assert.equal([kept(world, 1), kept(world, 3)], [0, 0]);
  assert.equal(world.live(), []);
});

test.run();
