/** Reclaim: pages that are taken away behind a process's back come back as they were. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { get_user_pages_fast } from "../../runtime/mm/gup.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_LOCKED, VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { put_page } from "../../runtime/mm/page_alloc.ts";
import { tlbTables } from "../../runtime/mm/tlb.ts";
import { addressAt } from "../../runtime/mm/translations.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { reclaim_pages } from "../../runtime/mm/vmscan.ts";
import { watch, written } from "./witness.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const A = 0x1000;
const B = 0x2000;

function written1(mutations: readonly Mutation[] = [], flags = RW): World {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, 0x3000, flags);
  world.runOn(1, user_store, world.mm, A, 1); // its TLB has it
  return world;
}
function exits(world: World): void {
  const mark = world.machine.mark();
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
  world.machine.undoTo(mark);
}

test("a page is written out and freed, and comes back with what it had", () => {
  const world = written1();
  assert.is(world.run(reclaim_pages, world.mm, A, 0x3000), 1);
  assert.ok(!world.live().includes("page") && world.live().includes("swap_slot"));
  assert.is(world.run(user_load, world.mm, A), 1);
  assert.ok(world.live().includes("page") && !world.live().includes("swap_slot"));
  world.run(reclaim_pages, world.mm, A, B);
  exits(world);
  checkBodies(world);
});

test("both who share a page get it back, and stay apart", () => {
  const world = written1();
  const child = world.run(dup_mm, world.mm);
  assert.is(world.run(reclaim_pages, world.mm, A, B), 1);
  world.run(user_store, world.mm, A, 2);
  assert.is(world.run(user_load, child, A), 1);
  world.run(mmput, child);
  exits(world);
});

test("a page that stays in the swap cache is still one that two share", () => {
  const world = written1();
  const child = world.run(dup_mm, world.mm);
  const pinned = world.run(get_user_pages_fast, world.mm, A, 0);
  assert.is(world.run(reclaim_pages, world.mm, A, B), 0); // unmapped, and not freed
  world.run(user_store, world.mm, A, 2);
  assert.is(world.run(user_load, child, A), 1);
  world.run(user_store, child, A, 3);
  assert.is(world.run(user_load, world.mm, A), 2);
  world.run(put_page, pinned);
  world.run(mmput, child);
  exits(world);
});

test("a page that stays, for one who maps it has it locked, is flushed where it was taken from", () => {
  const world = written1();
  const child = world.run(dup_mm, world.mm);
  world.poke(world.run(find_vma, child, A).vm_flags, RW | VM_LOCKED);
  world.runOn(1, user_load, world.mm, A);
  const cached = (): number => world.peek({ addr: addressAt(tlbTables()[1]?.addr ?? 0, 0) });
  assert.is(cached(), A);
  assert.is(world.run(reclaim_pages, world.mm, A, B), 0);
  assert.is(world.run(user_load, child, A), 1);
  assert.is.not(cached(), A);
  world.run(mmput, child);
  exits(world);
});

test("a page of a file is unmapped and stays in the page cache", () => {
  const world = written1([], RW | VM_SHARED);
  assert.is(world.run(reclaim_pages, world.mm, A, B), 1);
  assert.ok(world.live().includes("page"));
  assert.is(world.run(user_load, world.mm, A), 1);
  exits(world);
});

test("the notifier is told before the entry changes, and flushed after it; the TLBs later", () => {
  const world = written1();
  watch(world, A);
  world.run(reclaim_pages, world.mm, A, B);
  const lines = [
    "start CLEAR rw cached",
    "flush not present cached",
    "flush not present cached",
    "end CLEAR not present cached",
  ];
  assert.equal(written(world), lines);
});

/** A store and a load by two threads against reclaim; whether anything is lost or worse. */
function against(mutations: readonly Mutation[], by: "store" | "munmap" | "load"): string[] {
  const world = written1(mutations);
  world.start(0, reclaim_pages, world.mm, A, B);
  if (by === "store") world.start(1, user_store, world.mm, A, 2);
  else if (by === "load") world.start(1, user_load, world.mm, A);
  else world.start(1, vm_munmap, world.mm, A, 0x3000);
  const wrong = new Set<string>();
  const { findings, deadlocks } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    if (by !== "munmap" && world.runOn(2, user_load, world.mm, A) !== (by === "store" ? 2 : 1)) wrong.add("lost");
    world.machine.undoTo(mark);
    if (mutations.length === 0) exits(world);
  });
  for (const { kind } of findings.values()) wrong.add(kind);
  if (deadlocks > 0) wrong.add("deadlock");
  return [...wrong];
}
test("no store is lost, nothing leaks and nothing hangs, in every order", () => {
  for (const by of ["store", "load", "munmap"] as const) assert.equal(against([], by), []);
});
test("without the flush before writing out a store is lost; without any a freed page is written to", () => {
  assert.ok(against([{ in: "pageout", drop: "arch_tlbbatch_flush" }], "store").includes("lost"));
  const both = ["pageout", "shrink_page_list"].map((fn) => ({ in: fn, drop: "arch_tlbbatch_flush" }));
  assert.ok(against(both, "store").includes("stale-translation"));
});

test.run();
