/** khugepaged: anonymous pages become a huge one. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { EAGAIN } from "../../runtime/machine/errno.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { FOLL_PIN, FOLL_WRITE, get_user_pages_fast, unpin_user_page } from "../../runtime/mm/gup.ts";
import { khugepaged_scan_pmd } from "../../runtime/mm/khugepaged.ts";
import { migrate_range } from "../../runtime/mm/migrate.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { vm_area_struct, VM_HUGEPAGE, VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { huge_page, page, PMD_SIZE } from "../../runtime/mm/pgtable.ts";
import { reclaim_pages } from "../../runtime/mm/vmscan.ts";
import { watch, written } from "./witness.ts";
import { checkBodies, World } from "./world.ts";

const A = PMD_SIZE;
const B = A + 0x3000;

/** Two small pages where there may be a huge one. */
function small(mutations: readonly Mutation[] = []): World {
  const world = new World([], mutations, "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, A + PMD_SIZE, VM_READ | VM_WRITE);
  world.runOn(1, user_store, world.mm, A, 1);
  world.run(user_store, world.mm, B, 3);
  for (const vma of world.objects(vm_area_struct)) world.poke(vma.vm_flags, VM_READ | VM_WRITE | VM_HUGEPAGE);
  return world;
}
function exit(world: World): void {
  const mark = world.machine.mark();
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
  world.machine.undoTo(mark);
}

test("the pages become one that has what they had", () => {
  const world = small();
  assert.is(world.run(khugepaged_scan_pmd, world.mm, B), 0);
  assert.equal(world.objects(page).length, 1); // the zero page
  assert.is(world.objects(huge_page).length, 1);
  assert.equal(
    [A, B, A + 0x5000].map((addr) => world.run(user_load, world.mm, addr)),
    [1, 3, 0],
  );
  exit(world);
  checkBodies(world);
});

test("a page that somebody has a reference to stays, and so does everything else", () => {
  const world = small();
  const pinned = world.run(get_user_pages_fast, world.mm, B, FOLL_WRITE | FOLL_PIN);
  const before = world.live();
  assert.is(world.run(khugepaged_scan_pmd, world.mm, A), -EAGAIN);
  assert.equal(world.live(), before);
  world.run(user_store, world.mm, B, 4);
  assert.is(world.peek(pinned.data.at(0)), 4);
  world.run(unpin_user_page, pinned);
  exit(world);
});

test("the notifier is told before the table goes, the TLBs are flushed before it is told of the end", () => {
  const world = small();
  watch(world, A);
  world.run(khugepaged_scan_pmd, world.mm, A);
  assert.equal(written(world), ["start CLEAR rw cached", "flush none", "end CLEAR none"]);
  const without = small([{ in: "collapse_huge_page", drop: "mmu_notifier_invalidate_range_start" }]);
  watch(without, A);
  without.run(khugepaged_scan_pmd, without.mm, A);
  assert.is(written(without)[0], "flush none");
});

type Other = "store" | "munmap" | "migrate" | "reclaim" | "pin";
function against(other: Other, mutations: readonly Mutation[] = []): string[] {
  const world = small(mutations);
  world.start(0, khugepaged_scan_pmd, world.mm, A);
  if (other === "store") world.start(1, user_store, world.mm, A, 2);
  else if (other === "munmap") world.start(1, vm_munmap, world.mm, A, A + PMD_SIZE);
  else if (other === "migrate") world.start(1, migrate_range, world.mm, A, A + 0x1000);
  else if (other === "reclaim") world.start(1, reclaim_pages, world.mm, A, A + 0x1000);
  else world.start(1, get_user_pages_fast, world.mm, A, FOLL_WRITE | FOLL_PIN);
  const wrong = new Set<string>();
  const { findings, deadlocks } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    if (other !== "munmap" && world.runOn(2, user_load, world.mm, A) !== (other === "store" ? 2 : 1)) wrong.add("lost");
    if (other === "pin" && !isMapped(world)) wrong.add("pin lost");
    world.machine.undoTo(mark);
    if (other !== "pin" && mutations.length === 0) exit(world);
  });
  for (const { kind } of findings.values()) wrong.add(kind);
  if (deadlocks > 0) wrong.add("deadlock");
  return [...wrong];
}
/** Whether a store reaches what has been pinned: a page with a reference more than mappings. */
function isMapped(world: World): boolean {
  world.run(user_store, world.mm, A, 9);
  const heads = [...world.objects(huge_page), ...world.objects(page)].filter((p) => world.peek(p._refcount) > 1);
  return heads.some((p) => world.peek(p.data.at(0)) === 9);
}
for (const other of ["store", "munmap", "migrate", "reclaim", "pin"] as const)
  test(`collapse against ${other}: nothing is lost, nothing leaks, nothing hangs, in every order`, () =>
    assert.equal(against(other), []));
test("without the flush a store is lost, and so is a pin", () => {
  const mutations = [{ in: "collapse_huge_page", drop: "flush_tlb_range" }];
  assert.ok(against("store", mutations).some((wrong) => wrong === "lost" || wrong === "stale-translation"));
  assert.ok(against("pin", mutations).includes("pin lost"));
});

test.run();
