/** Mappings of files: the page cache, copies of private ones, the end of the file and of its last mapping. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EFAULT, ENOMEM } from "../../runtime/machine/errno.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { NULL } from "../../runtime/machine/struct.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mm_alloc, mmput } from "../../runtime/mm/fork.ts";
import { do_madvise, MADV_DONTNEED } from "../../runtime/mm/madvise.ts";
import { mmap_file, vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_SHARED, VM_WRITE, type address_space, type mm_struct } from "../../runtime/mm/mm_types.ts";
import { PageAnon, PG_locked } from "../../runtime/mm/page_flags.ts";
import { page, pte_dirty, pte_page, pte_table, pte_write } from "../../runtime/mm/pgtable.ts";
import { truncate_setsize } from "../../runtime/mm/truncate.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { namedFile, ptOf } from "./tables.ts";
import { watch } from "./watch.ts";
import { checkBodies, World } from "./world.ts";

const PRIVATE = VM_READ | VM_WRITE;
const SHARED = PRIVATE | VM_SHARED;
const A = 0x1000;
const B = 0x10000;
const STATES_MAX = 200_000;

interface Scene {
  readonly world: World;
  readonly file: address_space;
}
/** A file of four pages, mapped at A, and from its second page on at B. */
function scene(atA = SHARED, atB = SHARED, mutations: readonly Mutation[] = []): Scene {
  const world = new World([], mutations, "v5.6");
  const file = namedFile(world, 0x4000);
  world.run(mmap_file, world.mm, A, A + 0x4000, atA, file, 0);
  world.run(mmap_file, world.mm, B, B + 0x4000, atB, file, 1);
  return { world, file };
}
const cached = (world: World, file: address_space, index: number): number => world.peek(file.pages.at(index));
const pageAt = (world: World, addr: number): page => pte_page(world.peek(ptOf(world, addr)));
const pages = (world: World): number => world.live().filter((type) => type === "page").length;
const is_anon = kernelFunction(
  "is_anon",
  function* (p: page): Kernel<boolean> {
    return yield* PageAnon(p);
  },
  { params: ["page"] },
);
function aside(world: World, look: () => void): void {
  const mark = world.machine.mark();
  look();
  world.machine.undoTo(mark);
}

test("two mappings of a file are the same pages", () => {
  const { world, file } = scene();
  world.run(user_store, world.mm, A + 0x1008, 5);
  assert.is(world.run(user_load, world.mm, B + 8), 5);
  world.run(user_store, world.mm, B + 8, 6);
  assert.is(world.run(user_load, world.mm, A + 0x1008), 6);
  const p = pageAt(world, B);
  assert.is(cached(world, file, 1), p.addr);
  assert.equal([world.peek(p._refcount), world.peek(p.mapcount), world.peek(p.index)], [3, 2, 1]);
  assert.is(world.run(user_load, world.mm, B + 0x1000), 0);
  assert.is(pages(world), 2);
  world.run(vm_munmap, world.mm, A, A + 0x4000);
  assert.equal([world.peek(p._refcount), world.peek(p.mapcount)], [2, 1]);
  world.run(mmput, world.mm);
  assert.equal([world.peek(p._refcount), world.peek(p.mapcount)], [1, 0]);
  assert.equal(world.live(), ["page", "page"]); // the file keeps them
  checkBodies(world);
});

test("two processes see each other's stores", () => {
  const { world, file } = scene();
  const other = world.run(mm_alloc);
  world.run(mmap_file, other, A, A + 0x1000, SHARED, file, 2);
  world.run(user_store, world.mm, A + 0x2000, 5);
  assert.is(world.runOn(1, user_load, other, A), 5);
  world.runOn(1, user_store, other, A, 6);
  assert.is(world.run(user_load, world.mm, B + 0x1000), 6);
  for (const mm of [world.mm, other]) world.run(mmput, mm);
  assert.equal(world.live(), ["page"]);
});

test("a read of a shared page is mapped read-only, and a write makes it writable without a copy", () => {
  const { world, file } = scene();
  world.run(user_load, world.mm, A);
  assert.not(pte_write(world.peek(ptOf(world, A))));
  const seen = watch(world, A);
  world.run(user_store, world.mm, A, 5);
  assert.ok(pte_write(world.peek(ptOf(world, A))) && pte_dirty(world.peek(ptOf(world, A))));
  assert.is(cached(world, file, 0), pageAt(world, A).addr);
  assert.is(seen().starts, 0);
});

test("a private mapping reads the file, and writes to a copy", () => {
  const { world, file } = scene(SHARED, PRIVATE);
  world.run(user_store, world.mm, A + 0x1000, 5);
  assert.is(world.run(user_load, world.mm, B), 5);
  assert.is(pageAt(world, B).addr, cached(world, file, 1));
  const seen = watch(world, B);
  world.run(user_store, world.mm, B + 8, 6); // a copy of what was mapped
  world.run(user_store, world.mm, B + 0x1000, 7); // a copy of what was not
  assert.equal([seen().starts, seen().ends, seen().range], [1, 1, [B, B + 0x1000]]);
  const own = pageAt(world, B);
  assert.is.not(own.addr, cached(world, file, 1));
  assert.equal([world.run(is_anon, own), world.run(is_anon, pageAt(world, A + 0x1000))], [true, false]);
  assert.equal(
    [B, B + 8, B + 0x1000].map((addr) => world.run(user_load, world.mm, addr)),
    [5, 6, 7],
  );
  const unchanged = [A + 0x1000, A + 0x1008, A + 0x2000].map((addr) => world.run(user_load, world.mm, addr));
  assert.equal(unchanged, [5, 0, 0]);
  world.run(user_store, world.mm, A + 0x1000, 9);
  assert.is(world.run(user_load, world.mm, B), 5);
  // Given up, the copy is gone, and the file is there again.
  world.run(do_madvise, world.mm, B, B + 0x1000, MADV_DONTNEED);
  assert.is(world.run(user_load, world.mm, B), 9);
  checkBodies(world);
  world.run(mmput, world.mm);
  assert.equal(
    world.live().filter((type) => type !== "mmu_notifier_subscriptions"),
    ["page", "page"],
  );
});

test("behind the end of the file there is nothing", () => {
  const { world, file } = scene(SHARED, PRIVATE);
  for (const access of [
    () => world.run(user_load, world.mm, B + 0x3000),
    () => world.run(user_store, world.mm, B + 0x3000, 1),
  ])
    assert.is(access(), -EFAULT);
  assert.is(world.run(user_load, world.mm, B + 0x2000), 0);
  world.run(user_store, world.mm, B, 3);
  assert.is(world.run(truncate_setsize, file, 0x1000), 0);
  // Even the copy of a private mapping is cut off.
  for (const addr of [A + 0x1000, B, B + 0x2000]) assert.is(world.run(user_load, world.mm, addr), -EFAULT);
  assert.is(world.run(user_store, world.mm, A, 4), 0);
  assert.is(pages(world), 1);
  assert.is(world.peek(world.mm.mmap_sem.count), 0);
});

test("no memory for a table is an error that leaks nothing", () => {
  const noTable = { in: "__pte_alloc", drop: "pte_alloc_one(mm)", result: NULL(pte_table) };
  for (const flags of [SHARED, PRIVATE]) {
    const { world } = scene(flags, SHARED, [noTable]);
    assert.is(world.run(user_store, world.mm, A, 1), -EFAULT);
    assert.is(pages(world), 1); // the file's
  }
});

// ---- memory that is shared

test("shared memory is a file of its own, that goes with the last VMA", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, A + 0x3000, SHARED);
  world.run(user_store, world.mm, A, 5);
  world.run(user_store, world.mm, A + 0x2000, 6);
  const child = world.run(dup_mm, world.mm);
  assert.equal([world.runOn(1, user_load, child, A), world.runOn(1, user_load, child, A + 0x2000)], [5, 6]);
  world.run(vm_munmap, world.mm, A + 0x1000, A + 0x2000); // two VMAs are left
  world.run(vm_munmap, world.mm, A, A + 0x1000);
  world.runOn(1, user_store, child, A + 0x2000, 7);
  assert.is(world.run(user_load, world.mm, A + 0x2000), 7);
  world.run(mmput, world.mm);
  assert.ok(world.live().includes("address_space"));
  assert.is(world.runOn(1, user_load, child, A), 5);
  world.run(mmput, child);
  assert.equal(world.live(), []);
  checkBodies(world);
});

test("more shared memory than a file can have is refused", () => {
  const world = new World([], [], "v5.6");
  assert.is(world.run(vm_mmap_pgoff, world.mm, 0, 0x201000, SHARED), -ENOMEM);
  assert.equal(world.live(), []);
  assert.is(world.run(vm_mmap_pgoff, world.mm, 0, 0x200000, SHARED), 0);
  assert.is(world.run(user_store, world.mm, 0x1ff000, 1), 0);
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
});

// ---- against each other

type Run = (world: World, cpu: number, mm: mm_struct) => void;
const stores =
  (addr: number, value: number): Run =>
  (world, cpu, mm) =>
    world.start(cpu, user_store, mm, addr, value);
const loads =
  (addr: number): Run =>
  (world, cpu, mm) =>
    world.start(cpu, user_load, mm, addr);
const unmaps =
  (addr: number): Run =>
  (world, cpu, mm) =>
    world.start(cpu, vm_munmap, mm, addr, addr + 0x4000);

/** Every interleaving: no finding, nobody is stuck, `look` holds; what the file keeps is all that is left. */
function against({ world, file }: Scene, runs: readonly Run[], look = (): void => {}): void {
  runs.forEach((run, cpu) => run(world, cpu, world.mm));
  const atEnd = (): void =>
    aside(world, () => {
      look();
      world.run(mmput, world.mm);
      const kept = [0, 1, 2, 3].filter((i) => cached(world, file, i) !== 0);
      assert.equal(
        world.live(),
        kept.map(() => "page"),
      );
      for (const i of kept) {
        const p = new page(cached(world, file, i));
        assert.equal([world.peek(p._refcount), world.peek(p.mapcount), world.peek(p.flags) & PG_locked], [1, 0, 0]);
      }
    });
  const cpus = runs.map((_, cpu) => cpu);
  const { findings, deadlocks } = world.explore(cpus, atEnd, STATES_MAX);
  assert.equal([...findings.keys()], []);
  assert.is(deadlocks, 0);
}
/** With tables for A and B, and the pages there that are asked for. */
function ready(atB: number, ...touched: readonly number[]): Scene {
  const s = scene(SHARED, atB);
  for (const addr of [A + 0x3000, ...touched]) s.world.runOn(3, user_load, s.world.mm, addr);
  return s;
}

test("two faults on one page of a file, at one address and at two", () => {
  for (const [addr, second] of [
    [A + 0x1000, A + 0x1000],
    [A + 0x1000, B],
  ] as const) {
    const s = ready(SHARED);
    const both = (): void => assert.is(s.world.run(user_load, s.world.mm, B + 8), 2);
    against(s, [loads(addr), stores(second + 8, 2)], both);
  }
});

test("copies of one page by two writers of a private mapping", () => {
  for (const touched of [[], [B]]) {
    const s = ready(PRIVATE, ...touched);
    against(s, [stores(B, 1), stores(B + 8, 2)], () => {
      assert.equal(
        [B, B + 8].map((addr) => s.world.run(user_load, s.world.mm, addr)),
        [1, 2],
      );
      assert.is(s.world.run(user_load, s.world.mm, A + 0x1000), 0);
    });
  }
});

test("a copy against a store to the file: it has the store or not, and the file has it", () => {
  const s = ready(PRIVATE, A + 0x1000, B);
  const copies = new Set<number>();
  against(s, [stores(B + 8, 1), stores(A + 0x1000, 2)], () => {
    copies.add(s.world.run(user_load, s.world.mm, B));
    assert.is(s.world.run(user_load, s.world.mm, A + 0x1000), 2);
  });
  assert.equal([...copies].sort(), [0, 2]);
});

test("munmap of one mapping against a fault in the other, and in the same", () => {
  against(ready(SHARED, B), [unmaps(B), stores(A + 0x1000, 3)]);
  against(ready(SHARED, B), [unmaps(B), stores(B, 3)]);
});

test("truncation against a fault: what is cut off is not mapped", () => {
  for (const [atB, fault] of [
    [SHARED, stores(B, 3)],
    [PRIVATE, stores(B, 3)],
    [SHARED, loads(B)],
  ] as const) {
    const s = ready(atB, B);
    const truncates: Run = (world, cpu) => world.start(cpu, truncate_setsize, s.file, 0x1000);
    against(s, [truncates, fault], () => {
      assert.equal(
        [1, 2, 3].map((i) => cached(s.world, s.file, i)),
        [0, 0, 0],
      );
      for (const addr of [B, A + 0x1000]) assert.is(s.world.run(user_load, s.world.mm, addr), -EFAULT);
    });
  }
});

test("the last two mappings of shared memory end at the same time", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, A + 0x1000, SHARED);
  world.run(user_store, world.mm, A, 5);
  const child = world.run(dup_mm, world.mm);
  world.start(0, mmput, world.mm);
  world.start(1, mmput, child);
  const { findings, deadlocks } = world.explore([0, 1], () => assert.equal(world.live(), []), STATES_MAX);
  assert.is(findings.size + deadlocks, 0);
});

test.run();
