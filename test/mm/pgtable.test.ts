/** What entries of page tables hold, and how often the helpers look at them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kernelFunction, type KernelFunction } from "../../runtime/machine/function.ts";
import { spin_unlock } from "../../runtime/machine/spinlock.ts";
import { Op, type Kernel } from "../../runtime/machine/step.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { pmd_trans_huge_lock, split_huge_pmd } from "../../runtime/mm/huge_memory.ts";
import { pud_lockptr, pud_trans_huge_lock, split_huge_pud } from "../../runtime/mm/huge_pud.ts";
import { find_pmd } from "../../runtime/mm/huge_split.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_HUGEPAGE, VM_READ, VM_WRITE, type vm_area_struct } from "../../runtime/mm/mm_types.ts";
import { alloc_hugepage, compound_head, get_page, put_page } from "../../runtime/mm/page_alloc.ts";
import * as pgtable from "../../runtime/mm/pgtable.ts";
import { huge_page, nth_page, page, PMD_SIZE, pmd_table, pte_table, TASK_SIZE } from "../../runtime/mm/pgtable.ts";
import * as steps from "../../runtime/mm/pgtable_steps.ts";
import { swap_slot } from "../../runtime/mm/swap_slot.ts";
import { find_vma } from "../../runtime/mm/vma_tree.ts";
import { checkBodies, World } from "./world.ts";
import { loadsOf, pmdOf, ptOf, pudOf, trace } from "./tables.ts";

const RW = VM_READ | VM_WRITE;
const HUGE = 2 * PMD_SIZE;

/** Entries are written here as no kernel would: the invariants do not hold. */
function byHand(): World {
  const made = new World();
  made.oracles = "off";
  return made;
}
const world = byHand();
const p = world.object(page);
const slot = world.object(swap_slot);
const pteTable = world.object(pte_table);
const pmdTable = world.object(pmd_table);

type Rows = Readonly<Record<string, readonly [value: number, ...answers: (0 | 1)[]]>>;
function check(predicates: readonly ((value: number) => boolean)[], rows: Rows): void {
  for (const [kind, [value, ...answers]] of Object.entries(rows))
    assert.equal(
      predicates.map((holds) => Number(holds(value))),
      answers,
      kind,
    );
}

test("PUD entries", () => {
  const { pud_none, pud_present, pud_trans_huge, pud_devmap, pud_leaf, pud_bad } = pgtable;
  check([pud_none, pud_present, pud_trans_huge, pud_devmap, pud_leaf, pud_bad], {
    none: [0, 1, 0, 0, 0, 0, 0],
    table: [pmdTable.addr, 0, 1, 0, 0, 0, 0],
    "devmap leaf": [pgtable.mk_huge_devmap(p, true), 0, 1, 0, 1, 1, 1],
    "read-only devmap leaf": [pgtable.mk_huge_devmap(p, false), 0, 1, 0, 1, 1, 1],
    "trans-huge leaf": [pgtable.mk_huge(p, true), 0, 1, 1, 0, 1, 1],
  });
});

test("PMD entries", () => {
  const { pmd_none, pmd_present, pmd_trans_huge, pmd_devmap, is_swap_pte, pmd_bad } = pgtable;
  check([pmd_none, pmd_present, pmd_trans_huge, pmd_devmap, is_swap_pte, pmd_bad], {
    none: [0, 1, 0, 0, 0, 0, 1],
    table: [pteTable.addr, 0, 1, 0, 0, 0, 0],
    "THP leaf": [pgtable.mk_huge(p, true), 0, 1, 1, 0, 0, 1],
    "read-only THP leaf": [pgtable.mk_huge(p, false), 0, 1, 1, 0, 0, 1],
    "THP leaf being split": [pgtable.pmd_mkinvalid(pgtable.mk_huge(p, true)), 0, 1, 1, 0, 0, 1],
    "prot-none leaf": [pgtable.pte_mkprotnone(pgtable.mk_huge(p, true)), 0, 1, 1, 0, 0, 1],
    "huge zero page": [pgtable.mk_huge_zero(p), 0, 1, 1, 0, 0, 1],
    "devmap leaf": [pgtable.mk_huge_devmap(p, true), 0, 1, 0, 1, 0, 1],
    "migration entry": [pgtable.make_migration_entry(p, true), 0, 0, 0, 0, 1, 1],
  });
  for (const value of [pgtable.mk_huge(p, true), pgtable.mk_huge_devmap(p, true), pgtable.mk_huge_zero(p)])
    assert.ok(pgtable.pmd_leaf(value) && pgtable.is_huge(value) && !pgtable.is_table(value));
});

test("PTEs", () => {
  const { pte_none, pte_present, is_swap_pte, pte_write, pte_protnone, pte_special, pte_devmap } = pgtable;
  const allows = (write: boolean) => (value: number) => pgtable.hw_allows(value, write);
  const { is_migration_entry, is_device_private_entry, is_swap_entry } = pgtable;
  const kinds = [is_migration_entry, is_device_private_entry, is_swap_entry];
  const present = [pte_none, pte_present, is_swap_pte, pte_write, pte_protnone, pte_special, pte_devmap];
  check([...present, ...kinds, allows(false), allows(true)], {
    none: [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    writable: [pgtable.mk_pte(p, true), 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1],
    "read-only": [pgtable.mk_pte(p, false), 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
    "prot-none": [pgtable.pte_mkprotnone(pgtable.mk_pte(p, true)), 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    "zero page": [pgtable.pte_mkspecial(p), 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
    devmap: [pgtable.pte_mkdevmap(p, true), 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1],
    "read migration": [pgtable.make_migration_entry(p, false), 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0],
    "write migration": [pgtable.make_migration_entry(p, true), 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0],
    "device-private": [pgtable.make_device_private_entry(p, false), 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0],
    swap: [pgtable.make_swap_entry(slot), 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0],
  });
  assert.is(pgtable.swap_slot_of(swap_slot, pgtable.make_swap_entry(slot)).addr, slot.addr);
});

test("flags come and go, and the page stays", () => {
  const { mk_pte, pte_wrprotect, pte_mkwrite, pte_mkdirty, pte_mkclean, pte_mkprotnone, pte_clear_protnone } = pgtable;
  const ro = mk_pte(p, false);
  for (const [value, wanted] of [
    [pte_wrprotect(mk_pte(p, true, false)), ro],
    [pte_wrprotect(ro), ro],
    [pte_mkclean(pte_mkdirty(pte_mkdirty(ro))), ro],
    [pte_mkdirty(pte_mkwrite(ro)), mk_pte(p, true)],
    [pte_clear_protnone(pte_mkprotnone(mk_pte(p, true, false))), ro],
  ] as const)
    assert.is(value, wanted);
  for (const value of [ro, pte_mkprotnone(ro), pgtable.mk_huge(p, true), pgtable.make_migration_entry(p, true)])
    assert.is(pgtable.pte_page(value).addr, p.addr);
  assert.is(pgtable.small_flags(pgtable.mk_huge(p, true)) + p.addr, mk_pte(p, true));
});

test("entries are told as a reader of page tables would", () => {
  const text = (value: number): string => pgtable.entryText(value, world.machine);
  assert.equal(
    [
      0,
      pteTable.addr,
      pgtable.mk_pte(p, true),
      pgtable.mk_pte(p, false),
      pgtable.mk_huge(p, true, false),
      pgtable.pmd_mkinvalid(pgtable.mk_huge(p, true)),
      pgtable.pte_mkprotnone(pgtable.mk_huge(p, false)),
      pgtable.mk_huge_devmap(p, false),
      pgtable.make_migration_entry(p, true),
      pgtable.make_device_private_entry(p, false),
      pgtable.make_swap_entry(slot),
    ].map(text),
    [
      "0",
      "pte",
      "page | RW | D",
      "page",
      "page | PSE | RW",
      "page | PSE | RW | D | !P",
      "page | PSE | PROTNONE",
      "page | PSE | DEVMAP",
      "migration(page) | RW",
      "device-private(page)",
      "swap(slot)",
    ],
  );
  assert.is(pgtable.pmd_entry(pmdTable, 3 * PMD_SIZE).expr(), "pmd[3]");
});

test("a compound page has one count, whichever part is held", () => {
  const own = byHand();
  const head = own.run(alloc_hugepage);
  assert.is(own.machine.typeAt(nth_page(head, 511).addr), huge_page);
  for (const n of [0, 1, 511]) {
    assert.is(compound_head(nth_page(head, n)).addr, head.addr);
    own.run(get_page, nth_page(head, n));
  }
  assert.is(own.peek(head._refcount), 4);
  assert.is(own.peek(nth_page(head, 511)._refcount), 0);
  for (const n of [511, 1, 0, 7]) own.run(put_page, nth_page(head, n));
  assert.equal(own.live(), []);
});

test("the end of user space costs what its beginning costs", () => {
  const costs = [0x1000, TASK_SIZE - 0x2000].map((start) => {
    const own = byHand();
    own.run(vm_mmap_pgoff, own.mm, start, start + 0x1000, RW);
    const { length } = trace(own, user_store, own.mm, start + 8, 5).steps;
    assert.is(own.run(user_load, own.mm, start + 8), 5);
    const { memory } = own.machine;
    const words = [...memory.objects()].reduce((sum, base) => sum + memory.wordsOfObject(base + 8).length, 0);
    own.start(0, vm_munmap, own.mm, start, start + 0x1000);
    const unmap = own.cost(0);
    own.finish(0);
    assert.equal(own.live(), []);
    return [length, words, unmap];
  });
  assert.equal(costs[0], costs[1]);
});

test("tables and pages that are freed are not touched unseen", () => {
  const own = byHand();
  own.run(vm_mmap_pgoff, own.mm, 0x1000, 0x2000, RW);
  own.run(user_store, own.mm, 0x1000, 1);
  const entries = [pudOf(own, 0x1000), pmdOf(own, 0x1000), ptOf(own, 0x1000)];
  const mapped = pgtable.pte_page(own.peek(ptOf(own, 0x1000)));
  own.run(vm_munmap, own.mm, 0x1000, 0x2000);
  for (const entry of entries) assert.throws(() => own.run(lookAt, entry), /freed/);
  assert.throws(() => own.run(get_page, mapped), /freed/);
  assert.equal(
    own.findings.map((f) => f.kind),
    ["use-after-free", "use-after-free", "use-after-free", "use-after-free"],
  );
});
const lookAt = kernelFunction(
  "look_at",
  function* (entry: pgtable.Entry): Kernel<number> {
    return yield* steps.value(entry);
  },
  { params: ["entry"] },
);

// ---- how often the helpers look

/** An entry of a table of its own with that value, and a VMA to go with it. */
function scene(level: "pud" | "pmd", value: (p: page) => number) {
  const own = byHand();
  own.run(vm_mmap_pgoff, own.mm, HUGE, HUGE + PMD_SIZE, RW | VM_HUGEPAGE);
  own.run(user_load, own.mm, HUGE);
  const vma = own.run(find_vma, own.mm, HUGE);
  const entry = level === "pud" ? pudOf(own, HUGE) : pmdOf(own, HUGE);
  own.poke(entry, value(own.object(huge_page)));
  return { own, vma, entry };
}
const KINDS: Readonly<Record<string, (p: page) => number>> = {
  none: () => 0,
  table: () => pteTable.addr,
  leaf: (q) => pgtable.mk_huge(q, true),
  devmap: (q) => pgtable.mk_huge_devmap(q, true),
  migration: (q) => pgtable.make_migration_entry(q, true),
};
type Looks = (entry: pgtable.Entry, vma: vm_area_struct) => readonly [KernelFunction<never, unknown>, unknown[]];
/** For each kind of entry: loads, and whether the entry was zeroed with a report. */
function count(level: "pud" | "pmd", looks: Looks, wanted: Readonly<Record<string, number | string>>): void {
  for (const [kind, expected] of Object.entries(wanted)) {
    const { own, vma, entry } = scene(level, KINDS[kind] ?? (() => 0));
    const [fn, args] = looks(entry, vma);
    const taken = trace(own, fn as unknown as KernelFunction, ...(args as [])).steps;
    const loads = loadsOf(entry, taken);
    const zeroed = own.findings.some((f) => f.message.includes(`bad ${level}`));
    assert.is(
      zeroed,
      taken.some((s) => s.op === Op.store && s.addr === entry.addr),
    );
    assert.is(zeroed ? `${loads}, zeroed` : loads, expected, `${fn.name} of ${kind}`);
    assert.is(own.peek(entry) === 0, zeroed || kind === "none");
    checkBodies(own);
  }
}
const alone =
  (fn: unknown): Looks =>
  (entry) => [fn as KernelFunction<never, unknown>, [entry]];

/** Lock and unlock: what is counted are the loads. */
const pudLock = kernelFunction(
  "pud_lock_and_unlock",
  function* (pud: pgtable.PudEntry, vma: vm_area_struct): Kernel<void> {
    if (yield* pud_trans_huge_lock(pud, vma)) yield* spin_unlock(yield* pud_lockptr(vma));
  },
  { params: ["pud", "vma"] },
);
const pmdLock = kernelFunction(
  "pmd_lock_and_unlock",
  function* (pmd: pgtable.PmdEntry): Kernel<void> {
    if (yield* pmd_trans_huge_lock(pmd)) yield* spin_unlock(pgtable.pmd_lockptr(pmd));
  },
  { params: ["pmd"] },
);

test("none_or_clear_bad looks twice and zeroes what is bad", () => {
  count("pud", alone(steps.pud_none_or_clear_bad), { none: 1, table: 2, leaf: "2, zeroed", devmap: "2, zeroed" });
  const bad = { leaf: "2, zeroed", devmap: "2, zeroed", migration: "2, zeroed" };
  count("pmd", alone(steps.pmd_none_or_clear_bad), { none: 1, table: 2, ...bad });
});

test("trans_unstable looks once", () => {
  const once = { none: 1, table: 1, leaf: 1, migration: 1 };
  count("pmd", alone(steps.pmd_trans_unstable), { ...once, devmap: "1, zeroed" });
  count("pmd", alone(steps.pmd_devmap_trans_unstable), { none: 2, table: 2, leaf: 2, migration: 2, devmap: 1 });
  count("pud", alone(steps.pud_trans_unstable), { none: 1, table: 1, leaf: 1, devmap: 1 });
  const { own, entry } = scene("pud", () => 0);
  assert.is(trace(own, steps.pud_trans_unstable, entry as pgtable.PudEntry).steps[0]?.access, "marked");
});

test("trans_huge_lock looks before and after", () => {
  const both: Looks = (entry, vma) => [pudLock as unknown as KernelFunction<never, unknown>, [entry, vma]];
  count("pud", both, { none: 2, table: 2, leaf: 2, devmap: 4 });
  count("pmd", alone(pmdLock), { none: 3, table: 4, leaf: 6, devmap: 8, migration: 4 });
});

test("split_huge looks without the lock, then with it, then takes the entry", () => {
  const pud: Looks = (entry, vma) => [split_huge_pud as unknown as KernelFunction<never, unknown>, [vma, entry, HUGE]];
  for (const [kind, loads] of [
    ["none", 2],
    ["table", 2],
  ] as const)
    count("pud", pud, { [kind]: loads });
  const pmd: Looks = (entry, vma) => [split_huge_pmd as unknown as KernelFunction<never, unknown>, [vma, entry, HUGE]];
  count("pmd", pmd, { none: 3, table: 4 });
  const { own, vma, entry } = scene("pud", (q) => pgtable.mk_huge_devmap(q, true));
  const { steps: taken } = trace(own, split_huge_pud, vma, entry as pgtable.PudEntry, HUGE);
  assert.is(loadsOf(entry, taken), 4);
  assert.is(own.peek(entry), 0);
});

test("mm_find_pmd() ends where there is no table", () => {
  const { own, vma, entry } = scene("pmd", (q) => pgtable.mk_huge(q, true));
  const { steps: taken, result } = trace(own, find_pmd, vma, HUGE + 0x1000);
  assert.is((result as pgtable.PmdEntry).addr, entry.addr);
  assert.is(loadsOf(pudOf(own, HUGE), taken), 1);
  assert.is(taken.length, 2);
  for (const kind of ["none", "devmap"]) {
    const other = scene("pud", KINDS[kind] ?? (() => 0));
    assert.is(trace(other.own, find_pmd, other.vma, HUGE).result, null);
  }
  own.run(mmput, own.mm);
});

test("a table below an entry that is none is no table, nor is the data of a leaf", () => {
  for (const [value, said] of [
    [0, /physical page 0/],
    [pgtable.mk_huge(p, true), /of a PMD leaf: the table would be its data/],
  ] as const) {
    const own = byHand();
    assert.throws(() => own.run(descend, value), said);
    assert.is(own.findings[0]?.kind, "bug");
  }
});
const descend = kernelFunction(
  "descend",
  function* (pmd: number): Kernel<number> {
    return (yield* steps.pte_offset(pmd, 0x3000)).index;
  },
  { params: ["pmd"] },
);

test.run();
