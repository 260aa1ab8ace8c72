/**
 * The part of mm/rmap.c that goes from a page to the entries that map it. No mmap_sem: what keeps the page tables there
 * is the lock of the list by which the VMA was found, for whoever frees them takes it off that list first.
 */
import { load } from "../machine/access.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { BLOCKED, fact, HoldMode, Op, primitive, step, Taken, type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { find_pmd } from "./huge_split.ts";
import { page_mapcount, PageCompound } from "./mapcount.ts";
import { address_space, anon_vma, type vm_area_struct } from "./mm_types.ts";
import { PageAnon } from "./page_flags.ts";
import {
  huge_page,
  is_migration_entry,
  is_swap_pte,
  is_table,
  page,
  PAGE_SIZE,
  pte_devmap,
  pte_lockptr,
  pte_page,
  pte_present,
  pte_special,
} from "./pgtable.ts";
import { pte_offset, snapshot, value } from "./pgtable_steps.ts";
import { first_of_family, list_first_vma, list_next_vma, next_of_family } from "./rmap.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";

/**
 * Called for each VMA that may map the page, with the address there; false ends the walk. `arg`: what the walk was
 * given.
 */
export type RmapOne = KernelFunction<[page, vm_area_struct, number, number], boolean>;

const COUNT = at(anon_vma, 0).rwsem.count.addr;
const QUEUE = at(anon_vma, 0).rwsem.queue.addr;
const lockAnonVma = primitive("page_lock_anon_vma_read", (m, p = 0, force = 0) => {
  if (force === 0 && m.read(at(page, p).mapcount.addr) === 0) return 0;
  const family = m.read(at(page, p).mapping.addr);
  const readers = m.read(family + COUNT);
  if (readers < 0 || m.read(family + QUEUE) !== 0) return BLOCKED;
  m.write(family + COUNT, readers + 1);
  m.hold(family + COUNT, HoldMode.shared + Taken.trylock);
  return family;
});
/**
 * The anon_vma of a page, its lock held for reading, or NULL if nothing maps the page any more. One step: the kernel
 * takes the lock under RCU, and then looks whether the page is still mapped, for only then is the anon_vma the one it
 * was. `pinned`: somebody has seen to it that the anon_vma stays.
 */
export function page_lock_anon_vma_read(p: page, pinned: boolean): Kernel<anon_vma> {
  return step({
    op: Op.primitive,
    addr: p.mapping.addr,
    primitive: lockAnonVma,
    args: [p.addr, pinned ? 1 : 0],
    decode: (family) => at(anon_vma, family),
    text: (names) => `page_lock_anon_vma_read(${p.expr(names)})`,
  });
}

const REFCOUNT = at(anon_vma, 0).refcount.addr;
const getAnonVma = primitive("page_get_anon_vma", (m, p = 0) => {
  const whole = PageCompound(at(page, p)) ? m.read(at(huge_page, p).compound_mapcount.addr) : 0;
  if (whole + m.read(at(page, p).mapcount.addr) === 0) return 0;
  const family = m.read(at(page, p).mapping.addr);
  m.write(family + REFCOUNT, Math.max(m.read(family + REFCOUNT), 1) + 1);
  return family;
});
/** The same without the lock, but with a reference: it stays when the last VMA goes. */
export function page_get_anon_vma(p: page): Kernel<anon_vma> {
  return step({
    op: Op.primitive,
    addr: p.mapping.addr,
    primitive: getAnonVma,
    args: [p.addr],
    decode: (family) => at(anon_vma, family),
    text: (names) => `page_get_anon_vma(${p.expr(names)})`,
  });
}

export const rmap_walk = kernelFunction(
  "rmap_walk",
  function* (p: page, one: RmapOne, arg: number, pinned: boolean): Kernel<void> {
    if (yield* PageAnon(p)) {
      const family = yield* fact("u3", page_lock_anon_vma_read(p, pinned));
      if (family.isNull) return;
      yield* walk_family(p, family, yield* first_of_family(family), one, arg);
      yield* up_read(family.rwsem);
      return;
    }
    const mapping = at(address_space, yield* load(p.mapping));
    if (mapping.isNull) return;
    yield* down_read(mapping.i_mmap_rwsem);
    yield* walk_file(p, mapping, yield* list_first_vma(mapping.i_mmap), one, arg);
    yield* up_read(mapping.i_mmap_rwsem);
  },
  {
    source: "mm/rmap.c",
    facts: "try_to_unmap_one",
    params: ["page", "rmap_one", "arg", "pinned"],
    own: ["pinned"],
    summary: "Calls a function for each VMA that may map a page.",
    differs: "VMAs are on lists, so those that map other parts of the file are met too. No KSM pages.",
  },
);
const walk_family = kernelFunction(
  "rmap_walk_anon",
  function* (p: page, family: anon_vma, vma: vm_area_struct, one: RmapOne, arg: number): Kernel<void> {
    if (vma.isNull) return;
    if (!(yield* visit(p, vma, one, arg))) return;
    return yield* walk_family.restart(p, family, yield* next_of_family(family, vma), one, arg);
  },
  { source: "mm/rmap.c", params: ["page", "anon_vma", "vma", "rmap_one", "arg"], internal: true },
);
const walk_file = kernelFunction(
  "rmap_walk_file",
  function* (p: page, mapping: address_space, vma: vm_area_struct, one: RmapOne, arg: number): Kernel<void> {
    if (vma.isNull) return;
    if (!(yield* visit(p, vma, one, arg))) return;
    return yield* walk_file.restart(p, mapping, yield* list_next_vma(vma, mapping.i_mmap), one, arg);
  },
  { source: "mm/rmap.c", params: ["page", "mapping", "vma", "rmap_one", "arg"], internal: true },
);
const visit = kernelFunction(
  "rmap_walk",
  function* (p: page, vma: vm_area_struct, one: RmapOne, arg: number): Kernel<boolean> {
    const start = yield* load(vma.vm_start);
    const pgoff = yield* load(vma.vm_pgoff);
    const addr = start + ((yield* load(p.index)) - pgoff) * PAGE_SIZE;
    if (addr < start || addr >= (yield* load(vma.vm_end))) return true;
    return yield* one(p, vma, addr, arg);
  },
  { source: "mm/rmap.c", params: ["page", "vma", "rmap_one", "arg"], internal: true },
);

/** What page_vma_mapped_walk() looks for: the page itself, or a migration entry of it. */
export type Sought = "mapped" | "migrating";
/**
 * The table (its value in the PMD) whose entry for `addr` maps the page, with the PTE lock held; 0, and no lock held,
 * if nothing does.
 */
export const page_vma_mapped_walk = kernelFunction(
  "page_vma_mapped_walk",
  function* (p: page, vma: vm_area_struct, addr: number, sought: Sought): Kernel<number> {
    const pmd = yield* fact("u3", find_pmd(vma, addr));
    if (pmd === null) return 0;
    const table = yield* fact("u3", snapshot(pmd));
    if (!is_table(table)) return 0;
    const entry = yield* pte_offset(table, addr);
    const early = yield* fact("u3", value(entry));
    if (sought === "mapped" ? early === 0 : !is_swap_pte(early)) return 0;
    yield* fact("u3", spin_lock(pte_lockptr(table)));
    if (maps(yield* fact("u3", value(entry)), p, sought)) return table;
    yield* spin_unlock(pte_lockptr(table));
    return 0;
  },
  {
    source: "mm/page_vma_mapped.c",
    facts: "try_to_unmap_one",
    params: ["page", "vma", "address", "sought"],
    own: ["sought"],
    summary: "Finds the entry that maps a page at an address, and takes its lock.",
    differs: "A huge page is not found by its PMD.",
  },
);
function maps(pte: number, p: page, sought: Sought): boolean {
  if (pte === 0 || pte_page(pte).addr !== p.addr) return false;
  if (sought === "migrating") return is_migration_entry(pte);
  if (is_swap_pte(pte)) return !is_migration_entry(pte); // of a page on a device
  return pte_present(pte) && !pte_special(pte) && !pte_devmap(pte);
}

/** Whether nothing maps the page any more: why a walk may end. */
export function* page_not_mapped(p: page): Kernel<boolean> {
  return (yield* page_mapcount(p)) === 0;
}
