/** References to the pages of a process, against whatever takes the pages away. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { FOLL_PIN, FOLL_WRITE, get_user_pages_fast, unpin_user_page } from "../../runtime/mm/gup.ts";
import { migrate_range } from "../../runtime/mm/migrate.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_HUGEPAGE, VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { empty_zero_page, put_page } from "../../runtime/mm/page_alloc.ts";
import { page, PMD_SIZE } from "../../runtime/mm/pgtable.ts";
import { reclaim_pages } from "../../runtime/mm/vmscan.ts";
import type { Era } from "../../runtime/patch.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const A = 0x1000;
const PIN = FOLL_PIN | FOLL_WRITE;

function mapped(patches: readonly string[] = [], mutations: readonly Mutation[] = [], era: Era = "v5.6"): World {
  const world = new World(patches, mutations, era);
  world.run(vm_mmap_pgoff, world.mm, A, 0x3000, RW);
  return world;
}
function exit(world: World): void {
  for (const mm of world.spaces()) world.run(mmput, mm);
  assert.equal(world.live(), []);
}

test("a page that is there is taken without locks, one that is not is faulted in", () => {
  const world = mapped();
  const faulted = world.run(get_user_pages_fast, world.mm, A + 8, FOLL_WRITE);
  assert.is(world.peek(faulted._refcount), 2);
  assert.is(world.run(get_user_pages_fast, world.mm, A, 0).addr, faulted.addr);
  assert.is(world.peek(faulted._refcount), 3);
  assert.is(world.run(get_user_pages_fast, world.mm, 0x2000, 0).addr, empty_zero_page.addr);
  assert.ok(world.run(get_user_pages_fast, world.mm, 0x8000, 0).isNull);
  for (const p of [faulted, faulted, empty_zero_page]) world.run(unpin_user_page, p);
  checkBodies(world);
  exit(world);
});

test("a part of a huge page is taken by a reference to the whole", () => {
  const world = mapped();
  world.run(vm_mmap_pgoff, world.mm, PMD_SIZE, 2 * PMD_SIZE, RW | VM_HUGEPAGE);
  world.run(user_store, world.mm, PMD_SIZE + 0x3000, 5);
  const p = world.run(get_user_pages_fast, world.mm, PMD_SIZE + 0x3000, FOLL_WRITE);
  assert.is(world.peek(p.data.at(0)), 5);
  world.run(unpin_user_page, p);
  exit(world);
});

type Other = "munmap" | "migrate" | "reclaim";
/** What goes wrong if a page is looked up while others take it away, and used and given up then. */
function against(other: Other, mutations: readonly Mutation[] = [], era: Era = "v5.6"): string[] {
  const world = mapped([], mutations, era);
  world.run(user_store, world.mm, A, 1);
  world.start(0, get_user_pages_fast, world.mm, A, FOLL_WRITE);
  if (other === "munmap") world.start(1, vm_munmap, world.mm, A, 0x3000);
  else if (other === "migrate") world.start(1, migrate_range, world.mm, A, 0x2000);
  else world.start(1, reclaim_pages, world.mm, A, 0x2000);
  const wrong = new Set<string>();
  const { findings, deadlocks } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    const pinned = world.objects(page).filter((p) => p.addr !== empty_zero_page.addr && world.peek(p._refcount) > 0);
    const extra = pinned.filter((p) => world.peek(p._refcount) > world.peek(p.mapcount));
    if (other !== "munmap" && world.runOn(2, user_load, world.mm, A) !== 1) wrong.add("lost");
    for (const p of extra) world.run(put_page, p);
    if (extra.length > 1) wrong.add("more than one");
    if (mutations.length === 0) exit(world);
    world.machine.undoTo(mark);
  });
  for (const { kind } of findings.values()) wrong.add(kind);
  if (deadlocks > 0) wrong.add("deadlock");
  return [...wrong];
}
for (const other of ["munmap", "migrate", "reclaim"] as const)
  for (const era of ["v5.6", "v5.10"] as const)
    test(`${era}, against ${other}: what has been got is a page that lives, in every order`, () =>
      assert.equal(against(other, [], era), []));
test("with interrupts on, a page that is being freed is touched", () => {
  const mutations = ["local_irq_save", "local_irq_restore"].map((drop) => ({
    in: "internal_get_user_pages_fast",
    drop,
  }));
  assert.ok(against("munmap", mutations).includes("use-after-free"));
});

/** Whether a page that is pinned during fork() may end up not being the parent's after its next write. */
function parentLosesPin(patches: readonly string[], mutations: readonly Mutation[] = []): boolean {
  const world = mapped(patches, mutations);
  world.run(user_store, world.mm, A, 1);
  world.start(0, dup_mm, world.mm);
  world.start(1, get_user_pages_fast, world.mm, A, PIN);
  let loses = false;
  const { findings, deadlocks } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    world.run(user_store, world.mm, A, 2);
    const pinned = world.objects(page).filter((p) => world.peek(p._refcount) >= 1024);
    assert.is(pinned.length, 1);
    for (const p of pinned) loses ||= world.peek(p.data.at(0)) !== 2;
    world.machine.undoTo(mark);
  });
  assert.is(findings.size + deadlocks, 0);
  return loses;
}
test("fork against a pin: the parent may lose its page before 5.11, and again with a line of the fix less", () => {
  assert.ok(parentLosesPin(["fork-copies-pinned"]));
  const fixed = ["fork-copies-pinned", "gup-fast-write-protect-seq"];
  assert.not(parentLosesPin(fixed));
  assert.ok(parentLosesPin(fixed, [{ in: "copy_page_range", drop: "mm->write_protect_seq = " }]));
});

test.run();
