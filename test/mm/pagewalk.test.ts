/** What a page walk promises to its callbacks, and how often it looks at an entry before it goes on. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EINVAL } from "../../runtime/machine/errno.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { clean_record_shared_mapping_range } from "../../runtime/mm/mapping_dirty_helpers.ts";
import { mmap_file, vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { VM_HUGEPAGE, VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { walk_page_mapping, walk_page_range } from "../../runtime/mm/pagewalk.ts";
import { ACTION_AGAIN, ACTION_CONTINUE } from "../../runtime/mm/pagewalk_types.ts";
import { is_table, PMD_SIZE, pmd_trans_huge, PUD_SIZE, pud_devmap } from "../../runtime/mm/pgtable.ts";
import { ptdump_walk_pgd } from "../../runtime/mm/ptdump.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { daxDevice, loadsOf, namedFile, pmdOf, pudOf, texts, trace } from "./tables.ts";
import { operations, walk, walkFile, walkNovma, walkWith, type Callback } from "./walker.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const SHARED = RW | VM_SHARED;
const SEED = "pagewalk-read-once-pud";
const MAINLINE = "pagewalk-pud-snapshot";
const EACH: readonly Callback[] = ["pgd_entry", "p4d_entry", "pud_entry", "pmd_entry", "pte_entry"];
const VMA: readonly Callback[] = ["test_walk", "pre_vma", "post_vma"];

/** Two pages, the first of which is there, in each of two VMAs with a hole of two pages between them. */
function mapped(patches: readonly string[] = []): World {
  const world = new World(patches, [], "v5.6");
  for (const start of [0x1000, 0x5000]) {
    world.run(vm_mmap_pgoff, world.mm, start, start + 0x2000, RW);
    world.run(user_store, world.mm, start, 1);
  }
  return world;
}
/** Anonymous memory with a huge page. */
function huge(patches: readonly string[] = []): World {
  const world = new World(patches, [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, PMD_SIZE, 2 * PMD_SIZE, RW | VM_HUGEPAGE);
  world.run(user_store, world.mm, PMD_SIZE, 1);
  return world;
}
/** A leaf of 1 GiB. */
function giant(patches: readonly string[] = [], write = true) {
  const world = new World(patches, [], "v5.6");
  const file = daxDevice(world);
  world.run(mmap_file, world.mm, PUD_SIZE, 2 * PUD_SIZE, SHARED | VM_HUGEPAGE, file, 0);
  if (write) world.run(user_store, world.mm, PUD_SIZE, 1);
  else world.run(user_load, world.mm, PUD_SIZE);
  assert.ok(pud_devmap(world.peek(pudOf(world, PUD_SIZE))));
  return { world, file, pud: pudOf(world, PUD_SIZE) };
}

test("each level is called, VMA by VMA, and holes with their depth", () => {
  for (const patches of [[], [SEED], [MAINLINE]]) {
    const world = mapped(patches);
    const { calls, result } = walk(world, [0x1000, 0x8000], [...EACH, ...VMA, "pte_hole"]);
    assert.is(result, 0);
    const one = (start: string, middle: string, end: string): string[] => [
      `test_walk ${start} ${end}`,
      `pre_vma ${start} ${end}`,
      ...["pgd_entry", "p4d_entry", "pud_entry", "pmd_entry"].map((name) => `${name} ${start} ${end}`),
      `pte_entry ${start} ${middle}`,
      `pte_entry ${middle} ${end}`,
      "post_vma",
    ];
    const hole = (start: string, end: string): string[] => [
      `pgd_entry ${start} ${end}`,
      `p4d_entry ${start} ${end}`,
      `pte_hole ${start} ${end} 2`,
    ];
    assert.equal(calls, [
      ...one("1000", "2000", "3000"),
      ...hole("3000", "5000"),
      ...one("5000", "6000", "7000"),
      ...hole("7000", "8000"),
    ]);
    checkBodies(world);
  }
});

test("a hole says at what level there is nothing", () => {
  const world = new World([], [], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 3 * PMD_SIZE, RW);
  world.run(vm_mmap_pgoff, world.mm, 2 * PUD_SIZE, 3 * PUD_SIZE, RW);
  const holes = (start: number, end: number): readonly string[] =>
    walk(world, [start, end], ["pte_hole", "pte_entry"]).calls;
  assert.equal(holes(0x1000, 0x2000), ["pte_hole 1000 2000 1"]);
  world.run(user_store, world.mm, 0x1000, 1);
  assert.equal(holes(0x1000, 0x2000), ["pte_entry 1000 2000"]);
  assert.equal(holes(PMD_SIZE, 3 * PMD_SIZE), ["pte_hole 200000 400000 3", "pte_hole 400000 600000 3"]);
  assert.equal(holes(2 * PUD_SIZE, 2 * PUD_SIZE + 0x1000), ["pte_hole 80000000 80001000 2"]);
});

test("in a hole the tables are looked at nonetheless, until 6.0", () => {
  for (const [patches, depth, loads] of [
    [[], 2, 1],
    [["pagewalk-holes"], "-1", 0],
  ] as const) {
    const world = mapped([...patches]);
    const { calls, steps } = walk(world, [0x3000, 0x5000], ["pte_hole", "pte_entry"]);
    assert.equal(calls, [`pte_hole 3000 5000 ${depth}`]);
    assert.is(loadsOf(pudOf(world, 0x3000), steps), loads);
    assert.equal(walk(world, [0x3000, 0x5000], ["pte_entry"]).calls, []);
  }
});

test("no range, no walk", () => {
  const world = mapped();
  for (const range of [
    [0x2000, 0x2000],
    [0x3000, 0x1000],
  ] as const)
    for (const walked of [walk(world, range, EACH), walkNovma(world, range, EACH)])
      assert.equal([walked.result, walked.calls], [-EINVAL, []]);
});

test("what a callback answers stops the walk and is handed on", () => {
  for (const name of [...EACH, "pte_hole"] as const)
    for (const says of [7, -5]) {
      const world = mapped();
      const { result, calls } = walk(world, [0x2000, 0x4000], [...EACH, ...VMA, "pte_hole"], { [name]: says });
      assert.is(result, says, name);
      assert.is(calls.at(name === "pte_hole" ? -1 : -2)?.split(" ")[0], name);
      assert.is(calls.includes("post_vma"), true);
    }
});

test("test_walk leaves a VMA out or ends the walk, pre_vma ends it without post_vma", () => {
  const world = mapped();
  const range = [0x1000, 0x7000] as const;
  const skipped = walk(world, range, [...VMA, "pte_entry"], { test_walk: 1 });
  assert.equal([skipped.result, skipped.calls], [0, ["test_walk 1000 3000", "test_walk 5000 7000"]]);
  const aborted = walk(world, range, [...VMA, "pte_entry"], { test_walk: -5 });
  assert.equal([aborted.result, aborted.calls], [-5, ["test_walk 1000 3000"]]);
  for (const says of [3, -5]) {
    const refused = walk(world, range, [...VMA, "pte_entry"], { pre_vma: says });
    assert.equal([refused.result, refused.calls], [says, ["test_walk 1000 3000", "pre_vma 1000 3000"]]);
  }
});

test("a VMA of page frames is a hole, unless somebody asks for it", () => {
  const world = mapped();
  world.poke(world.run(find_vma, world.mm, 0x1000).vm_flags, RW | VM_PFNMAP);
  const { calls, result } = walk(world, [0x1000, 0x3000], ["pte_entry", "pte_hole", "pre_vma", "post_vma"]);
  assert.equal([result, calls], [0, ["pte_hole 1000 3000 -1"]]);
  // Unlike an error, a positive answer says no more than that the VMA is left out.
  assert.is(walk(world, [0x1000, 0x3000], ["pte_hole"], { pte_hole: 4 }).result, 0);
  assert.is(walk(world, [0x1000, 0x3000], ["pte_hole"], { pte_hole: -4 }).result, -4);
  assert.equal(walk(world, [0x1000, 0x3000], ["pte_entry"]).calls, []);
  assert.is(walk(world, [0x1000, 0x3000], ["pte_entry", "test_walk"]).calls.length, 3);
});

test("who holds no lock is told", () => {
  const world = mapped();
  world.oracles = "off"; // a mistake, made on purpose
  walkWith(world, walk_page_range, [0x1000, 0x2000], ["pte_entry"]);
  const [ops, what] = operations(world, ["pte_entry"], {});
  trace(world, walk_page_mapping, namedFile(world, 0x1000), 0, 1, ops, what.addr);
  assert.equal(
    world.findings.map((f) => f.message),
    ["lockdep_assert_held() failed", "lockdep_assert_held() failed"],
  );
});

test("PTEs are looked at under their lock, but for walks without VMAs", () => {
  const world = mapped();
  const locks = (steps: readonly string[]): number => steps.filter((s) => s.startsWith("spin_lock")).length;
  assert.is(locks(texts(world, walk(world, [0x1000, 0x3000], ["pte_entry"]).steps)), 1);
  const { calls, steps } = walkNovma(world, [0x1000, 0x4000], [...EACH, ...VMA, "pte_hole"]);
  assert.is(locks(texts(world, steps)), 0);
  assert.is(calls.filter((call) => call.startsWith("pte_entry")).length, 3);
  assert.not(calls.some((call) => /vma|test/.test(call)));
  assert.is(loadsOf(pmdOf(world, 0x1000), steps), 4);
});

// ---- actions

test("SUBTREE splits a leaf, CONTINUE leaves it alone", () => {
  for (const patches of [[], [SEED], [MAINLINE]]) {
    const range = [PMD_SIZE, PMD_SIZE + 0x2000] as const;
    const left = huge(patches);
    assert.is(walk(left, range, ["pmd_entry", "pte_entry"], { pmdAction: ACTION_CONTINUE, times: 1 }).calls.length, 1);
    assert.ok(pmd_trans_huge(left.peek(pmdOf(left, PMD_SIZE))));
    assert.is(walk(left, range, ["pmd_entry"]).calls.length, 1);
    assert.ok(pmd_trans_huge(left.peek(pmdOf(left, PMD_SIZE))));
    assert.is(walk(left, range, ["pmd_entry", "pte_entry"]).calls.length, 3);
    assert.ok(is_table(left.peek(pmdOf(left, PMD_SIZE))));

    const { world, pud } = giant(patches);
    const giantRange = [PUD_SIZE, PUD_SIZE + 0x1000] as const;
    const skipped = walk(world, giantRange, ["pud_entry", "pte_entry"], { pudAction: ACTION_CONTINUE, times: 1 });
    assert.equal(skipped.calls, ["pud_entry 40000000 40001000"]);
    assert.ok(pud_devmap(world.peek(pud)));
    // A leaf of 1 GiB that is split leaves nothing, so that the entry is looked at again, and is a hole then.
    const split = walk(world, giantRange, ["pud_entry", "pte_entry", "pte_hole"]);
    assert.equal(split.calls, ["pud_entry 40000000 40001000", "pte_hole 40000000 40001000 2"]);
    assert.is(world.peek(pud), 0);
    checkBodies(world);
  }
});

test("AGAIN begins with the same entry, at its first load", () => {
  for (const patches of [[], [SEED], [MAINLINE]])
    for (const [action, name] of [
      ["pudAction", "pud_entry"],
      ["pmdAction", "pmd_entry"],
    ] as const) {
      const world = mapped(patches);
      const { calls, result, steps } = walk(world, [0x1000, 0x2000], [name], { [action]: ACTION_AGAIN, times: 2 });
      assert.equal([result, calls], [0, Array(3).fill(`${name} 1000 2000`)]);
      const entry = name === "pud_entry" ? pudOf(world, 0x1000) : pmdOf(world, 0x1000);
      const first = steps.filter(
        (s) => s.addr === entry.addr && s.fact !== undefined && /^(B1|A1|F1|P1)$/.test(s.fact),
      );
      assert.is(first.length, 3);
    }
});

// ---- a file

test("the pages of a file are walked in every VMA that maps them, and no further", () => {
  const world = new World([], [], "v5.6");
  const file = namedFile(world, 0x8000);
  world.run(mmap_file, world.mm, 0x10000, 0x14000, SHARED, file, 0);
  world.run(mmap_file, world.mm, 0x20000, 0x24000, SHARED, file, 2);
  world.run(mmap_file, world.mm, 0x30000, 0x31000, SHARED, file, 7);
  for (const addr of [0x10000, 0x20000]) world.run(user_store, world.mm, addr, 1);
  const { calls, result } = walkFile(world, file, [3, 2], ["pte_entry", "pre_vma", "post_vma"]);
  const first = ["pre_vma 13000 14000", "pte_entry 13000 14000", "post_vma"];
  const second = ["pre_vma 21000 23000", "pte_entry 21000 22000", "pte_entry 22000 23000", "post_vma"];
  assert.equal([result, calls], [0, [...first, ...second]]);
  assert.equal(walkFile(world, file, [6, 1], ["pte_entry"]).calls, []);
  // What is no error ends the walk, too; a VMA that is to be left out ends it with success.
  for (const says of [4, -5]) {
    const stopped = walkFile(world, file, [3, 2], ["pte_entry"], { pte_entry: says });
    assert.equal([stopped.result, stopped.calls.length], [says, 1]);
  }
  const left = walkFile(world, file, [3, 2], ["pte_entry", "test_walk"], { test_walk: 1 });
  assert.equal([left.result, left.calls], [0, ["test_walk 10000 14000"]]);
  assert.is(walkFile(world, file, [3, 2], ["test_walk"], { test_walk: -5 }).result, -5);
  checkBodies(world);
});

// ---- how often the PUD entry is read

test("loads of a PUD entry that is a table, before the patch of 2020, with it, and in mainline", () => {
  for (const [patches, below, holes, novma] of [
    [[], 5, 1, 5],
    [[SEED], 4, 1, 1],
    [[MAINLINE], 5, 1, 5],
  ] as const) {
    const world = huge([...patches]);
    const pud = pudOf(world, PMD_SIZE);
    const range = [PMD_SIZE, PMD_SIZE + 0x1000] as const;
    assert.is(loadsOf(pud, walk(world, range, ["pmd_entry"]).steps), below, "a walk of VMAs");
    assert.is(loadsOf(pud, walk(world, range, ["pud_entry"]).steps), 1, "nobody below");
    assert.is(loadsOf(pud, walk(world, [0, 0x1000], ["pte_hole", "pte_entry"]).steps), holes, "a hole");
    assert.is(loadsOf(pud, walkNovma(world, range, ["pmd_entry"]).steps), novma, "without VMAs");
  }
});

test("loads of a PUD entry by ptdump and by those who look for dirty pages", () => {
  for (const [patches, dump, clean] of [
    [[], 6, 6],
    [[SEED], 1, 4],
  ] as const) {
    const world = huge([...patches]);
    const { steps, result } = trace(world, ptdump_walk_pgd, world.mm, PMD_SIZE, PMD_SIZE + 0x1000);
    assert.is(loadsOf(pudOf(world, PMD_SIZE), steps), dump, "ptdump");
    assert.is(result, 1);
    const other = new World([...patches], [], "v5.6");
    const file = daxDevice(other);
    other.run(mmap_file, other.mm, PMD_SIZE, 2 * PMD_SIZE, SHARED | VM_HUGEPAGE, file, 0);
    other.run(user_load, other.mm, PMD_SIZE);
    const cleaned = trace(other, clean_record_shared_mapping_range, file, 0, 1);
    assert.is(loadsOf(pudOf(other, PMD_SIZE), cleaned.steps), clean, "dirty pages");
  }
});

test("a leaf is split with two more loads under the lock", () => {
  for (const [patches, loads] of [
    [[], 1 + 2 + 2 + 1 + 1],
    [[SEED], 1 + 2 + 2 + 1 + 1],
    [[MAINLINE], 1 + 2 + 2 + 1 + 1],
  ] as const) {
    const { world, pud } = giant([...patches]);
    const { steps } = walk(world, [PUD_SIZE, PUD_SIZE + 0x1000], ["pmd_entry"]);
    assert.is(loadsOf(pud, steps), loads);
    assert.equal(
      texts(world, steps).filter((s) => /flush_tlb|spin_|clear/.test(s)),
      [
        "spin_lock(&mm->page_table_lock)",
        "pudp_huge_get_and_clear(&pud[1])",
        "flush_tlb_range(0x40000000, 0x80000000)",
        "spin_unlock(&mm->page_table_lock)",
      ],
    );
  }
});

test.run();
