/** Huge pages of memory and leaves of DAX devices: they come, are split and go, alone and against each other. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EFAULT } from "../../runtime/machine/errno.ts";
import { at } from "../../runtime/machine/struct.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { migrate_huge_page } from "../../runtime/mm/huge_migrate.ts";
import { __split_huge_pmd } from "../../runtime/mm/huge_memory.ts";
import { __split_huge_pud } from "../../runtime/mm/huge_pud.ts";
import { do_madvise, MADV_DONTNEED } from "../../runtime/mm/madvise.ts";
import { mmap_file, vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { empty_zero_page } from "../../runtime/mm/page_alloc.ts";
import {
  huge_page,
  is_huge_zero,
  is_migration_entry,
  is_table,
  nth_page,
  PAGE_SIZE,
  PMD_SIZE,
  pmd_trans_huge,
  pte_devmap,
  pte_dirty,
  pte_page,
  pte_special,
  pte_write,
  PUD_SIZE,
  pud_devmap,
} from "../../runtime/mm/pgtable.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { daxDevice, pmdOf, ptOf, pudOf, texts, trace } from "./tables.ts";
import { watch } from "./watch.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const A = 2 * PMD_SIZE;
const END = A + PMD_SIZE;
const STATES_MAX = 200_000;
const TABLES = ["pmd_table", "pte_table", "pud_table"];

function mapped(end = END): World {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, end, RW | VM_HUGEPAGE);
  return world;
}
/** One huge page, with a word of its own in each of its pieces that is asked for. */
function filled(...pieces: readonly number[]): { world: World; head: huge_page } {
  const world = mapped();
  for (const n of [0, ...pieces]) world.run(user_store, world.mm, A + n * PAGE_SIZE, n + 1);
  return { world, head: at(huge_page, pte_page(world.peek(pmdOf(world, A))).addr) };
}
const counts = (world: World, head: huge_page): number[] => [
  world.peek(head._refcount),
  world.peek(head.compound_mapcount),
  world.peek(head.mapcount),
  world.peek(nth_page(head, 511).mapcount),
];
const deposited = (world: World): number => {
  const pmd = pmdOf(world, A);
  return world.peek(pmd.table.deposited.at(pmd.index));
};
/** The end of the process is the end of all that it had. */
function exit(world: World): void {
  world.run(mmput, world.mm);
  assert.equal(
    world.live().filter((type) => type !== "mmu_notifier_subscriptions"), // a notifier that looks on keeps them
    [],
  );
}
/** What must hold in every final state, looked at without changing it. */
function aside(world: World, look: () => void): void {
  const mark = world.machine.mark();
  look();
  world.machine.undoTo(mark);
}
const split = (world: World, freeze = false): void =>
  world.run(__split_huge_pmd, world.run(find_vma, world.mm, A), pmdOf(world, A), A, freeze);

test("a read maps the huge zero page, with a table in reserve", () => {
  const world = mapped();
  assert.is(world.run(user_load, world.mm, A + 0x5008), 0);
  assert.ok(is_huge_zero(world.peek(pmdOf(world, A))));
  assert.is.not(deposited(world), 0);
  assert.equal(world.live(), ["anon_vma", ...TABLES, "vm_area_struct"]);
  assert.is(world.run(user_load, world.mm, END - 8), 0);
  assert.is(world.peek(empty_zero_page._refcount), 1);
  checkBodies(world);
  exit(world);
});

test("a write maps a huge page, and no other piece of it faults", () => {
  const { world, head } = filled();
  assert.ok(pmd_trans_huge(world.peek(pmdOf(world, A))) && pte_write(world.peek(pmdOf(world, A))));
  assert.is.not(deposited(world), 0);
  assert.equal(counts(world, head), [1, 1, 0, 0]);
  assert.is(trace(world, user_store, world.mm, A + 7 * PAGE_SIZE + 16, 9).steps.length, 1);
  assert.is(world.run(user_load, world.mm, A + 7 * PAGE_SIZE + 16), 9);
  assert.is(world.peek(nth_page(head, 7).data.at(2)), 9);
  assert.equal(world.live(), ["anon_vma", "huge_page", ...TABLES, "vm_area_struct"]);
  checkBodies(world);
  exit(world);
});

test("where the 2 MiB do not fit into the VMA pages are small", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A + 0x1000, END, RW | VM_HUGEPAGE);
  world.run(user_store, world.mm, A + 0x1000, 1);
  assert.ok(is_table(world.peek(pmdOf(world, A))));
  exit(world);
});

test("a write to the huge zero page splits it, and copies one page", () => {
  const world = mapped();
  world.run(user_load, world.mm, A);
  const seen = watch(world, A);
  world.run(user_store, world.mm, A + 0x3000, 4);
  assert.ok(is_table(world.peek(pmdOf(world, A))));
  assert.ok(pte_special(world.peek(ptOf(world, A))) && pte_write(world.peek(ptOf(world, A + 0x3000))));
  assert.is(deposited(world), 0);
  assert.equal([seen().starts, seen().ends, seen().event], [2, 2, "MMU_NOTIFY_CLEAR"]);
  assert.is(world.run(user_load, world.mm, A + 0x3000), 4);
  assert.is(world.run(user_load, world.mm, A + 0x4000), 0);
  assert.not(world.live().includes("huge_page"));
});

test("a read-only leaf that nobody shares is written to in place", () => {
  const { world, head } = filled();
  const pmd = pmdOf(world, A);
  world.poke(pmd, world.peek(pmd) - 2); // RW
  const fresh = mapped(); // no CPU of this world has a translation
  assert.not(pte_write(world.peek(pmd)));
  fresh.run(user_load, fresh.mm, A);
  world.runOn(1, user_store, world.mm, A + 0x2000, 6);
  assert.ok(pmd_trans_huge(world.peek(pmd)) && pte_write(world.peek(pmd)) && pte_dirty(world.peek(pmd)));
  assert.equal(counts(world, head), [1, 1, 0, 0]);
});

test("a split keeps the page, in 512 pieces", () => {
  const { world, head } = filled(3, 511);
  const table = deposited(world);
  const seen = watch(world, A + 3 * PAGE_SIZE);
  split(world);
  assert.is(world.peek(pmdOf(world, A)), table);
  assert.is(deposited(world), 0);
  assert.equal(counts(world, head), [512, 0, 1, 1]);
  for (const n of [0, 3, 511]) {
    assert.is(world.runOn(1, user_load, world.mm, A + n * PAGE_SIZE), n + 1);
    assert.is(pte_page(world.peek(ptOf(world, A + n * PAGE_SIZE))).addr, nth_page(head, n).addr);
    assert.ok(pte_write(world.peek(ptOf(world, A + n * PAGE_SIZE))));
  }
  assert.equal([seen().starts, seen().ends, seen().range], [1, 1, [A, END]]);
  assert.is(seen().before, seen().after);
  assert.equal(world.live().filter((type) => type === "huge_page").length, 1);
  checkBodies(world);
  exit(world);
});

test("the steps of a split, m1 to m14", () => {
  const { world } = filled();
  const vma = world.run(find_vma, world.mm, A);
  const { steps } = trace(world, __split_huge_pmd, vma, pmdOf(world, A), A, false);
  const taken = texts(world, steps).map((text) => text.replace(/page(#\d)?/g, "page"));
  const order = [
    /notifier_subscriptions/,
    /spin_lock\(&pmd/,
    /pmd_trans_huge/,
    /pmdp_invalidate.*!P/,
    /flush_tlb_range/,
    /_refcount|atomic_add\(511/,
    /compound_mapcount/,
    /pmd_populate/,
    /spin_unlock\(&pmd/,
    /notifier_subscriptions/,
  ];
  let from = 0;
  for (const step of order) {
    const found = taken.findIndex((text, i) => i >= from && step.test(text));
    assert.ok(found >= 0, `${step} in ${taken.join("; ")}`);
    from = found + 1;
  }
});

test("a frozen split leaves migration entries", () => {
  const { world } = filled();
  split(world, true);
  assert.ok(is_migration_entry(world.peek(ptOf(world, A + 0x7000))));
});

test("a leaf that migrates is split into pieces that do, and all are mapped again", () => {
  for (const half of [false, true]) {
    const { world, head } = filled(5, 300);
    world.start(0, migrate_huge_page, world.mm, A);
    world.until(0, "remove_migration_pmd");
    assert.ok(is_migration_entry(world.peek(pmdOf(world, A))));
    assert.equal(counts(world, head), [1, 0, 0, 0]);
    const vma = world.runOn(1, find_vma, world.mm, A);
    if (half) world.start(1, vm_munmap, world.mm, A, A + PMD_SIZE / 2);
    else world.runOn(1, __split_huge_pmd, vma, pmdOf(world, A), A, false);
    if (!half) assert.ok(is_migration_entry(world.peek(ptOf(world, A + 5 * PAGE_SIZE))));
    assert.equal(counts(world, head), [1, 0, 0, 0]);
    world.finish(0);
    world.finish(1);
    assert.is(world.runOn(1, user_load, world.mm, A + 300 * PAGE_SIZE), 301);
    exit(world);
  }
});

// ---- away with it

test("a part that is unmapped goes, and the others stay", () => {
  const { world, head } = filled(1, 300, 511);
  const middle = A + PMD_SIZE / 2;
  const seen = watch(world, A);
  assert.is(world.run(vm_munmap, world.mm, middle, END), 0);
  assert.equal(counts(world, head), [256, 0, 1, 0]);
  assert.is(world.run(user_load, world.mm, A + PAGE_SIZE), 2);
  assert.is(world.run(user_load, world.mm, A + 300 * PAGE_SIZE), -EFAULT);
  assert.equal([seen().starts, seen().ends], [2, 2]);
  checkBodies(world);
  exit(world);
});

test("DONTNEED of a part splits first, of the whole takes the leaf", () => {
  const { world, head } = filled(1, 2, 3);
  const seen = watch(world, A + PAGE_SIZE);
  world.run(do_madvise, world.mm, A + PAGE_SIZE, A + 3 * PAGE_SIZE, MADV_DONTNEED);
  assert.equal(counts(world, head), [510, 0, 1, 1]);
  assert.equal([seen().starts, seen().ends], [2, 2]); // the split's within the other
  assert.equal(
    [1, 2, 3].map((n) => world.run(user_load, world.mm, A + n * PAGE_SIZE)),
    [0, 0, 4],
  );
  exit(world);

  const whole = filled(1).world;
  const before = watch(whole, A);
  whole.run(do_madvise, whole.mm, A, END, MADV_DONTNEED);
  assert.equal([before().starts, before().ends], [1, 1]);
  assert.is(whole.peek(pmdOf(whole, A)) + deposited(whole), 0);
  assert.equal(
    whole.live().filter((type) => /page|pte/.test(type)),
    [],
  );
  assert.is(whole.run(user_load, whole.mm, A + PAGE_SIZE), 0);
  exit(whole);
});

test("the end of the process finds leaves, split ones and the huge zero page", () => {
  const world = mapped(A + 4 * PMD_SIZE);
  world.run(user_store, world.mm, A, 1);
  world.run(user_load, world.mm, A + PMD_SIZE);
  world.run(user_store, world.mm, A + 2 * PMD_SIZE, 1);
  world.run(do_madvise, world.mm, A + 2 * PMD_SIZE, A + 2 * PMD_SIZE + 0x1000, MADV_DONTNEED);
  assert.is(world.live().filter((type) => type === "huge_page").length, 2);
  exit(world);
  assert.is(world.peek(empty_zero_page._refcount), 1);
});

// ---- devices

/** A DAX device of 1 GiB, mapped from `start` on. */
function device(start: number, length: number, pgoff = 0): World {
  const world = new World([], [], "v5.6");
  world.run(mmap_file, world.mm, start, start + length, RW | VM_SHARED | VM_HUGEPAGE, daxDevice(world), pgoff);
  return world;
}

test("a device is mapped by 1 GiB, 2 MiB or pages, as it fits", () => {
  const giant = device(PUD_SIZE, PUD_SIZE);
  giant.run(user_store, giant.mm, PUD_SIZE + PMD_SIZE, 5);
  assert.ok(pud_devmap(giant.peek(pudOf(giant, PUD_SIZE))) && pte_dirty(giant.peek(pudOf(giant, PUD_SIZE))));
  assert.is(giant.run(user_load, giant.mm, PUD_SIZE + PMD_SIZE), 5);
  const medium = device(A, PMD_SIZE, 512);
  medium.run(user_store, medium.mm, A + 0x1000, 6);
  assert.ok(pud_devmap(medium.peek(pmdOf(medium, A))));
  const small = device(A, PMD_SIZE, 1);
  small.run(user_store, small.mm, A + 0x1000, 7);
  assert.ok(is_table(small.peek(pmdOf(small, A))) && pte_devmap(small.peek(ptOf(small, A + 0x1000))));
  assert.is(small.run(user_load, small.mm, A + 0x1000), 7);
  for (const world of [giant, medium, small]) {
    world.run(mmput, world.mm);
    assert.equal(world.live(), ["dax_memory"]);
    checkBodies(world);
  }
});

test("a read-only leaf of a device becomes writable in place", () => {
  for (const [world, start] of [
    [device(PUD_SIZE, PUD_SIZE), PUD_SIZE],
    [device(A, PMD_SIZE), A],
  ] as const) {
    const entry = start === PUD_SIZE ? pudOf : pmdOf;
    world.run(user_load, world.mm, start);
    const before = world.peek(entry(world, start));
    assert.not(pte_write(before));
    world.run(user_store, world.mm, start, 3);
    const after = world.peek(entry(world, start));
    assert.ok(pte_write(after) && pud_devmap(after));
    assert.is(pte_page(after).addr, pte_page(before).addr);
  }
});

test("behind its end a device has nothing to map", () => {
  for (const [start, length, pgoff] of [
    [A, PMD_SIZE, PUD_SIZE / PAGE_SIZE],
    [A, PAGE_SIZE, PUD_SIZE / PAGE_SIZE],
    [PUD_SIZE, PUD_SIZE, PUD_SIZE / PAGE_SIZE],
  ] as const) {
    const world = device(start, length, pgoff);
    assert.is(world.run(user_store, world.mm, start, 1), -EFAULT);
    assert.is(world.run(user_load, world.mm, start), -EFAULT);
  }
});

test("a leaf of a device that is split is gone, and comes back", () => {
  const world = device(PUD_SIZE, PUD_SIZE);
  world.run(user_store, world.mm, PUD_SIZE, 5);
  const seen = watch(world, PUD_SIZE);
  const vma = world.run(find_vma, world.mm, PUD_SIZE);
  world.run(__split_huge_pud, vma, pudOf(world, PUD_SIZE), PUD_SIZE);
  assert.is(world.peek(pudOf(world, PUD_SIZE)), 0);
  assert.equal([seen().starts, seen().ends, seen().range], [1, 1, [PUD_SIZE, 2 * PUD_SIZE]]);
  assert.is(world.runOn(1, user_load, world.mm, PUD_SIZE), 5);
  assert.ok(pud_devmap(world.peek(pudOf(world, PUD_SIZE))));
  // Half of it unmapped, the rest fits no more than 2 MiB at a time.
  world.run(vm_munmap, world.mm, PUD_SIZE + PUD_SIZE / 2, 2 * PUD_SIZE);
  assert.is(world.peek(pudOf(world, PUD_SIZE)), 0);
  assert.is(world.run(user_load, world.mm, PUD_SIZE), 5);
  assert.ok(pud_devmap(world.peek(pmdOf(world, PUD_SIZE))));
  checkBodies(world);

  const small = device(A, PMD_SIZE);
  small.run(user_store, small.mm, A, 5);
  split(small);
  assert.is(small.peek(pmdOf(small, A)), 0);
  assert.is(small.run(user_load, small.mm, A), 5);
});

// ---- against each other

type Run = (world: World, cpu: number) => void;
const stores =
  (addr: number, value: number): Run =>
  (world, cpu) =>
    world.start(cpu, user_store, world.mm, addr, value);
const loads =
  (addr: number): Run =>
  (world, cpu) =>
    world.start(cpu, user_load, world.mm, addr);
const gives =
  (start: number, end: number): Run =>
  (world, cpu) =>
    world.start(cpu, do_madvise, world.mm, start, end, MADV_DONTNEED);
const splits: Run = (world, cpu) =>
  world.start(cpu, __split_huge_pmd, world.runOn(cpu, find_vma, world.mm, A), pmdOf(world, A), A, false);

/** Every interleaving: what is found; nobody is stuck, and after the end of the process nothing is left. */
function against(world: World, runs: readonly Run[], left: readonly string[] = [], look = (): unknown => 0): string[] {
  runs.forEach((run, cpu) => run(world, cpu));
  const cpus = runs.map((_, cpu) => cpu);
  const atEnd = (): void =>
    aside(world, () => {
      look();
      world.run(mmput, world.mm);
      assert.equal(world.live(), left);
    });
  const { findings, deadlocks } = world.explore(cpus, atEnd, STATES_MAX);
  assert.is(deadlocks, 0);
  return [...findings.values()].map((finding) => finding.message);
}

test("two faults map one huge page", () => {
  for (const second of [stores(A, 2), loads(A + 0x1000)]) {
    const world = mapped(END + PMD_SIZE);
    world.run(user_load, world.mm, END); // so that there are upper tables and an anon_vma
    const onePage = (): void =>
      assert.is(world.live().filter((type) => type === "huge_page" || type === "page").length, 1);
    assert.equal(against(world, [stores(A, 1), second], [], onePage), []);
    checkBodies(world);
  }
});

test("faults against DONTNEED of the whole and of a part", () => {
  assert.equal(against(filled().world, [gives(A, END), stores(A, 2)]), []);
  assert.equal(against(mapped(), [gives(A, END), stores(A, 2)]), []);
  assert.equal(against(filled().world, [gives(A, A + PAGE_SIZE), stores(A, 2)]), []);
  assert.equal(against(mapped(), [gives(A, A + PAGE_SIZE), loads(A)]), []);
});

test("two writers of the huge zero page", () => {
  const world = mapped();
  world.run(user_load, world.mm, A);
  const both = (): void => {
    assert.is(world.run(user_load, world.mm, A), 1);
    assert.is(world.run(user_load, world.mm, A + 0x1000), 2);
  };
  assert.equal(against(world, [stores(A, 1), stores(A + 0x1000, 2)], [], both), []);
});

test("a split against a write, another split and DONTNEED loses nothing", () => {
  const { world } = filled(1);
  const kept = (): void => {
    assert.is(world.run(user_load, world.mm, A), 7);
    assert.is(world.run(user_load, world.mm, A + PAGE_SIZE), 2);
  };
  assert.equal(against(world, [splits, stores(A, 7)], [], kept), []);
  const twice = filled(1);
  const once = (): void => assert.equal(counts(twice.world, twice.head), [512, 0, 1, 1]);
  assert.equal(against(twice.world, [splits, splits], [], once), []);
  assert.equal(against(filled(1).world, [splits, gives(A, END)]), []);
  checkBodies(world);
});

test("migration against faults and splits loses nothing; DONTNEED may miss a leaf that migrates just then", () => {
  const migrates: Run = (world, cpu) => world.start(cpu, migrate_huge_page, world.mm, A);
  for (const [other, left] of [
    [stores(A + PAGE_SIZE, 2), [2]],
    [gives(A, END), [0, 2]],
    [splits, [2]],
  ] as const) {
    const { world } = filled(1);
    const seen = new Set<number>();
    const look = (): unknown => seen.add(world.run(user_load, world.mm, A + PAGE_SIZE));
    assert.equal(against(world, [migrates, other], [], look), []);
    assert.equal([...seen].sort(), left);
  }
});

test("faults on a device against each other, and against DONTNEED, which may take a new leaf for garbage", () => {
  for (const start of [PUD_SIZE, A]) {
    const size = start === A ? PMD_SIZE : PUD_SIZE;
    const bad = `mm/pgtable-generic.c: bad ${start === A ? "pmd" : "pud"}`;
    for (const [other, found] of [
      [stores(start, 1), []],
      [loads(start), []],
      [gives(start, start + size), [bad]],
    ] as const) {
      const world = device(start, size);
      assert.equal(against(world, [stores(start, 2), other], ["dax_memory"]), found);
      const there = device(start, size);
      there.run(user_load, there.mm, start);
      against(there, [stores(start, 2), other], ["dax_memory"]);
    }
  }
});

test.run();
