import { test } from "uvu";
import * as assert from "uvu/assert";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { empty_zero_page } from "../../runtime/mm/page_alloc.ts";
import { EFAULT } from "../../runtime/machine/errno.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const TABLES = ["pmd_table", "pte_table", "pud_table"];

function mapped(): World {
  const world = new World();
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x3000, RW);
  return world;
}

test("a read maps the zero page, a write replaces it", () => {
  const world = mapped();
  assert.is(world.run(user_load, world.mm, 0x1008), 0);
  assert.equal(world.live(), [...TABLES, "vm_area_struct"]);
  assert.is(world.run(user_store, world.mm, 0x1008, 5), 0);
  assert.equal(world.live(), ["anon_vma", "page", ...TABLES, "vm_area_struct"]);
  assert.is(world.run(user_load, world.mm, 0x1008), 5);
  assert.is(world.run(user_load, world.mm, 0x1000), 0);
  assert.is(world.peek(empty_zero_page.data.at(1)), 0);
  assert.is(world.peek(empty_zero_page._refcount), 1);
  checkBodies(world);
});

test("protection is kept", () => {
  const world = new World();
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x2000, VM_READ);
  world.run(vm_mmap_pgoff, world.mm, 0x2000, 0x3000, 0);
  assert.is(world.run(user_load, world.mm, 0x1000), 0);
  assert.is(world.run(user_store, world.mm, 0x1000, 1), -EFAULT);
  assert.is(world.run(user_load, world.mm, 0x2000), -EFAULT);
  assert.is(world.run(user_load, world.mm, 0x3000), -EFAULT);
});

test("who loses the race for a table or a page frees its own", () => {
  for (const pages of [
    [0x1000, 0x1000],
    [0x1000, 0x2000],
  ]) {
    const world = mapped();
    pages.forEach((addr, cpu) => world.start(cpu, user_store, world.mm, addr, cpu + 1));
    const expected = [...new Set(pages)].map(() => "page");
    const { findings, deadlocks } = world.explore([0, 1], () => {
      assert.equal(world.live(), ["anon_vma", ...expected, ...TABLES, "vm_area_struct"]);
      assert.is(world.peek(world.mm.mmap_sem.count), 0);
    });
    assert.is(findings.size, 0);
    assert.is(deadlocks, 0);
    checkBodies(world);
  }
});

test("a read and a write of one page end in a page of its own", () => {
  const world = mapped();
  world.start(0, user_load, world.mm, 0x1000);
  world.start(1, user_store, world.mm, 0x1000, 9);
  const { findings, deadlocks } = world.explore([0, 1], () =>
    assert.equal(world.live(), ["anon_vma", "page", ...TABLES, "vm_area_struct"]),
  );
  assert.is(findings.size + deadlocks, 0);
});

test("faults against munmap end with or without SIGSEGV, and leak nothing", () => {
  const world = mapped();
  world.run(user_store, world.mm, 0x1000, 1);
  world.start(0, vm_munmap, world.mm, 0x1000, 0x2000);
  world.start(1, user_store, world.mm, 0x1000, 2);
  const { findings, deadlocks, finals } = world.explore([0, 1], () => {
    const mark = world.machine.mark();
    world.run(mmput, world.mm);
    assert.equal(world.live(), []);
    world.machine.undoTo(mark);
  });
  assert.is(findings.size + deadlocks, 0);
  assert.ok(finals >= 1);
});

test("two writers of the zero page: one copies, the other finds it copied", () => {
  const world = mapped();
  world.run(user_load, world.mm, 0x1000);
  world.start(0, user_store, world.mm, 0x1000, 1);
  world.start(1, user_store, world.mm, 0x1000, 2);
  const { findings, deadlocks } = world.explore([0, 1], () =>
    assert.equal(world.live(), ["anon_vma", "page", ...TABLES, "vm_area_struct"]),
  );
  assert.is(findings.size + deadlocks, 0);
});

test.run();
