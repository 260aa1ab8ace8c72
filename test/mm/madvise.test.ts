/** madvise(): pages that are given up, now or when they are needed. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../../runtime/machine/errno.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { do_madvise, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE } from "../../runtime/mm/madvise.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { MMF_OOM_SKIP, MMF_UNSTABLE, VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { mark_oom_victim, oom_reap_task_mm } from "../../runtime/mm/oom_kill.ts";
import { PG_lazyfree } from "../../runtime/mm/page_flags.ts";
import { PMD_SIZE, pte_dirty, pte_page } from "../../runtime/mm/pgtable.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { checkBodies, World } from "./world.ts";
import { pteOf, watch } from "./watch.ts";

const RW = VM_READ | VM_WRITE;
const HUGE = 2 * PMD_SIZE;

/** Two pages in a VMA each, with a hole of one page between them. */
function mapped(mutations: readonly Mutation[] = [], flags = RW): World {
  const world = new World([], mutations, "v5.6");
  for (const addr of [0x1000, 0x3000]) {
    world.run(vm_mmap_pgoff, world.mm, addr, addr + 0x1000, flags);
    world.runOn(1, user_store, world.mm, addr, addr);
  }
  return world;
}
const huge = (mutations: readonly Mutation[] = []): World => {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, HUGE, HUGE + PMD_SIZE, RW | VM_HUGEPAGE);
  world.runOn(1, user_store, world.mm, HUGE, 7);
  return world;
};

test("DONTNEED frees each VMA's part on its own, and tells of the hole at the end", () => {
  const world = mapped();
  const seen = watch(world, 0x3000);
  assert.is(world.run(do_madvise, world.mm, 0x1000, 0x4000, MADV_DONTNEED), -ENOMEM);
  const { starts, ends, event, range, before, after } = seen();
  assert.equal([starts, ends, event, range], [2, 2, "MMU_NOTIFY_CLEAR", [0x3000, 0x4000]]);
  assert.ok(before !== 0 && after === 0);
  assert.not(world.live().includes("page"));
  assert.ok(world.live().includes("pte_table"));
  assert.is(world.runOn(1, user_load, world.mm, 0x1000), 0);
  assert.is(world.run(do_madvise, world.mm, 0x2000, 0x3000, MADV_DONTNEED), -ENOMEM);
  assert.is(world.run(do_madvise, world.mm, 0x1000, 0x2000, 99), -EINVAL);
  assert.is(world.peek(world.mm.tlb_flush_pending), 0);
  checkBodies(world);
});

test("without the start a notifier hears of the end alone", () => {
  const world = mapped([{ in: "zap_page_range", drop: "mmu_notifier_invalidate_range_start" }]);
  const seen = watch(world, 0x1000);
  world.run(do_madvise, world.mm, 0x1000, 0x2000, MADV_DONTNEED);
  assert.equal([seen().starts, seen().ends], [0, 1]);
});

test("a page is freed when no CPU has it any more", () => {
  for (const mutations of [[], [{ in: "tlb_finish_mmu", drop: "tlb_flush_mmu_tlbonly" }]]) {
    const world = mapped(mutations);
    world.start(0, do_madvise, world.mm, 0x1000, 0x2000, MADV_DONTNEED);
    world.start(1, user_store, world.mm, 0x1000, 9);
    const kinds = [...world.explore([0, 1]).findings.values()].map(({ kind }) => kind);
    assert.equal(kinds, mutations.length === 0 ? [] : ["stale-translation"]);
  }
});

test("DONTNEED of a huge page frees it whole; of a part of it, splits it", () => {
  const whole = huge();
  whole.run(do_madvise, whole.mm, HUGE, HUGE + PMD_SIZE, MADV_DONTNEED);
  assert.not(whole.live().includes("huge_page"));
  const part = huge();
  const seen = watch(part, HUGE);
  part.run(do_madvise, part.mm, HUGE, HUGE + 0x1000, MADV_DONTNEED);
  assert.equal([seen().starts, seen().ends], [2, 2]);
  assert.is(part.runOn(1, user_load, part.mm, HUGE), 0);
  checkBodies(part);
});

test("FREE leaves the page where it is, clean; a write makes it dirty again", () => {
  const world = mapped();
  const seen = watch(world, 0x1000);
  const page = pte_page(pteOf(world, 0x1000));
  assert.is(world.run(do_madvise, world.mm, 0x1000, 0x2000, MADV_FREE), 0);
  assert.equal([seen().starts, seen().ends, seen().event], [1, 1, "MMU_NOTIFY_CLEAR"]);
  assert.equal([pte_dirty(seen().before), pte_dirty(seen().after)], [true, false]);
  assert.is(pte_page(pteOf(world, 0x1000)), page);
  assert.ok((world.peek(page.flags) & PG_lazyfree) !== 0);
  assert.is(world.runOn(1, user_load, world.mm, 0x1000), 0x1000);
  world.runOn(1, user_store, world.mm, 0x1000, 5);
  assert.ok(pte_dirty(pteOf(world, 0x1000)));
  const shared = mapped([], RW | VM_SHARED);
  assert.is(shared.run(do_madvise, shared.mm, 0x1000, 0x2000, MADV_FREE), -EINVAL);
});

test("without the flush a write after FREE leaves no trace in the page table", () => {
  const world = mapped([{ in: "tlb_finish_mmu", drop: "tlb_flush_mmu_tlbonly" }]);
  world.run(do_madvise, world.mm, 0x1000, 0x2000, MADV_FREE);
  world.runOn(1, user_store, world.mm, 0x1000, 5);
  assert.not(pte_dirty(pteOf(world, 0x1000)));
});

test("FREE of a huge page marks it whole", () => {
  const world = huge();
  world.run(do_madvise, world.mm, HUGE, HUGE + PMD_SIZE, MADV_FREE);
  assert.ok((world.peek(pte_page(pteOf(world, HUGE)).flags) & PG_lazyfree) !== 0);
  assert.not(pte_dirty(pteOf(world, HUGE)));
  checkBodies(world);
});

test("FREE of a huge page does not hide it from a DONTNEED meanwhile", () => {
  const world = huge();
  world.start(0, do_madvise, world.mm, HUGE, HUGE + PMD_SIZE, MADV_FREE);
  world.start(1, do_madvise, world.mm, HUGE, HUGE + PMD_SIZE, MADV_DONTNEED);
  const { findings } = world.explore([0, 1], () => assert.not(world.live().includes("huge_page")));
  assert.is(findings.size, 0);
});

test("HUGEPAGE cuts the VMA, and what is touched after it is huge", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, HUGE, HUGE + 2 * PMD_SIZE, RW);
  assert.is(world.run(do_madvise, world.mm, HUGE, HUGE + PMD_SIZE, MADV_HUGEPAGE), 0);
  for (const addr of [HUGE, HUGE + PMD_SIZE]) world.runOn(1, user_store, world.mm, addr, 1);
  assert.equal(
    world.live().filter((type) => type.endsWith("page")),
    ["huge_page", "page"],
  );
  assert.is(world.peek(world.run(find_vma, world.mm, HUGE + PMD_SIZE).vm_flags), RW);
});

test("the reaper takes private pages, and what is lost stays lost", () => {
  const world = mapped();
  world.run(vm_mmap_pgoff, world.mm, 0x5000, 0x6000, RW | VM_SHARED);
  world.runOn(1, user_store, world.mm, 0x5000, 5);
  const seen = watch(world, 0x1000);
  assert.is(world.run(oom_reap_task_mm, world.mm), true);
  assert.equal([seen().starts, seen().ends], [2, 2]);
  assert.is(world.peek(world.mm.flags), MMF_UNSTABLE);
  assert.is(world.runOn(1, user_load, world.mm, 0x1000), -EFAULT);
  assert.is(world.runOn(1, user_load, world.mm, 0x5000), 5);
  checkBodies(world);
});

test("who would have to sleep keeps his pages, and hears of no end", () => {
  const world = mapped();
  const seen = watch(world, 0x1000, -EAGAIN);
  assert.is(world.run(oom_reap_task_mm, world.mm), false);
  assert.equal([seen().starts, seen().ends], [0, 0]);
  assert.is(world.live().filter((type) => type === "page").length, 2);
  assert.is(world.peek(world.mm.tlb_flush_pending), 0);
});

test("a victim that exits reaps itself, and the reaper finds nothing to do", () => {
  const world = mapped();
  world.run(mark_oom_victim, world.mm);
  world.poke(world.mm.mm_count, 2);
  world.run(mmput, world.mm);
  assert.is(world.peek(world.mm.flags) & MMF_OOM_SKIP, MMF_OOM_SKIP);
  assert.is(world.run(oom_reap_task_mm, world.mm), true);
  assert.equal(
    world.live().filter((type) => type !== "pgd_table"),
    [],
  );
});

test("the exit of a victim waits for the reaper; without that the reaper walks freed VMAs", () => {
  for (const [mutations, clean] of [
    [[], true],
    [
      [
        { in: "exit_mmap", drop: "down_write" },
        { in: "exit_mmap", drop: "up_write" },
      ],
      false,
    ],
    [[{ in: "exit_mmap", drop: "set_bit(MMF_OOM_SKIP" }], false],
  ] as const) {
    const world = new World([], mutations, "v5.6");
    world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x2000, RW);
    world.runOn(1, user_store, world.mm, 0x1000, 1);
    world.run(mark_oom_victim, world.mm);
    world.poke(world.mm.mm_count, 2);
    world.start(0, mmput, world.mm);
    world.start(1, oom_reap_task_mm, world.mm);
    const { findings } = world.explore([0, 1]);
    assert.is(
      [...findings.values()].every(({ kind }) => kind !== "use-after-free"),
      clean,
      String(clean),
    );
  }
});

test.run();
