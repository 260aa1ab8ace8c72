/**
 * mm/pagewalk.c as of 5.6: callbacks for the entries of a range, VMA by VMA and hole by hole. The upper levels are read
 * without a lock, as often as the kernel reads them. walk_pud_range() has its own file.
 */
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { EINVAL } from "../machine/errno.ts";
import { kernelFunction } from "../machine/function.ts";
import { lockdep_assert_held } from "../machine/lockdep.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { vm_area_struct, VM_HUGEPAGE, VM_PFNMAP, type address_space, type mm_struct } from "./mm_types.ts";
import { mm_walk, type mm_walk_ops } from "./pagewalk_types.ts";
import { walk_pud_range } from "./pagewalk_pud.ts";
import { PAGE_SIZE, pgd_addr_end, pgd_none, type pgd_table } from "./pgtable.ts";
import { pgd_offset, pud_offset, value } from "./pgtable_steps.ts";
import { list_first_vma, list_next_vma } from "./rmap.ts";
import { find_vma } from "./vma_tree.ts";

/** What the caller has to say to its callbacks is an object of its own, at `priv`. */
export const walk_page_range = kernelFunction(
  "walk_page_range",
  function* (mm: mm_struct, start: number, end: number, ops: mm_walk_ops, priv: number): Kernel<number> {
    if (start >= end) return -EINVAL;
    const walk = yield* stackObject(mm_walk, "struct mm_walk walk");
    yield* storePrivate(walk.ops, ops);
    yield* storePrivate(walk.mm, mm);
    yield* storePrivate(walk.private, priv);
    yield* fact(1, lockdep_assert_held(mm.mmap_sem));
    const vma = yield* fact(2, find_vma(mm, start));
    const error = yield* walk_segment(mm, vma, start, end, walk);
    yield* endOfScope(walk);
    return error;
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_page_range",
    params: ["mm", "start", "end", "ops", "private"],
    summary: "Calls back for the page-table entries of a range, VMA by VMA and hole by hole.",
    differs:
      "No hugetlb. mmap_sem is asserted as by lockdep, too. Where a VMA can have no huge entry, the loads that look " +
      "for one are left out.",
  },
);
/** One VMA, or one hole before `vma`, and what follows. */
const walk_segment = kernelFunction(
  "walk_page_range",
  function* (mm: mm_struct, vma: vm_area_struct, start: number, end: number, walk: mm_walk): Kernel<number> {
    let inside = NULL(vm_area_struct);
    let ahead = vma;
    let next = end;
    if (!vma.isNull) {
      const vmStart = yield* fact(3, load(vma.vm_start));
      if (start < vmStart) next = Math.min(end, vmStart);
      else {
        inside = vma;
        next = Math.min(end, yield* fact(3, load(vma.vm_end)));
        ahead = yield* fact(3, load(vma.vm_next));
      }
    }
    const error = yield* fact(4, walk_one(mm, inside, start, next, walk));
    if (error !== 0 || next >= end) return error;
    return yield* walk_segment.restart(mm, ahead, next, end, walk);
  },
  { source: "mm/pagewalk.c", facts: "walk_page_range", params: ["mm", "vma", "start", "end", "walk"], internal: true },
);
export const walk_one = kernelFunction(
  "walk_page_range",
  function* (mm: mm_struct, vma: vm_area_struct, start: number, end: number, walk: mm_walk): Kernel<number> {
    yield* storePrivate(walk.vma, vma);
    const ops = yield* loadPrivate(walk.ops);
    if (vma.isNull) {
      if ((yield* loadPrivate(ops.pte_hole)) === null) return 0;
      yield* storePrivate(walk.huge, false);
      return yield* walk_pgd_range(yield* loadPrivate(mm.pgd), start, end, walk);
    }
    return yield* walk_vma(vma, start, end, walk);
  },
  { source: "mm/pagewalk.c", facts: "walk_page_range", params: ["mm", "vma", "start", "end", "walk"], internal: true },
);

/** The part of the range that lies in a VMA. */
export function* walk_vma(vma: vm_area_struct, start: number, end: number, walk: mm_walk): Kernel<number> {
  const skip = yield* walk_page_test(vma, start, end, walk);
  if (skip !== 0) return Math.min(skip, 0);
  return yield* __walk_page_range(vma, start, end, walk);
}
const walk_page_test = kernelFunction(
  "walk_page_test",
  function* (vma: vm_area_struct, start: number, end: number, walk: mm_walk): Kernel<number> {
    const ops = yield* loadPrivate(walk.ops);
    const test_walk = yield* loadPrivate(ops.test_walk);
    if (test_walk !== null) return yield* test_walk(start, end, walk);
    if (((yield* load(vma.vm_flags)) & VM_PFNMAP) === 0) return 0;
    const pte_hole = yield* loadPrivate(ops.pte_hole);
    const error = pte_hole === null ? 0 : yield* pte_hole(start, end, -1, walk);
    return error === 0 ? 1 : error;
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_page_range",
    params: ["vma", "start", "end", "walk"],
    own: ["vma"],
    summary: "Whether a VMA is walked: 0 yes, 1 no.",
  },
);
/** post_vma() comes whenever pre_vma() has succeeded. */
export const __walk_page_range = kernelFunction(
  "__walk_page_range",
  function* (vma: vm_area_struct, start: number, end: number, walk: mm_walk): Kernel<number> {
    const ops = yield* loadPrivate(walk.ops);
    const pre_vma = yield* loadPrivate(ops.pre_vma);
    const refused = pre_vma === null ? 0 : yield* pre_vma(start, end, walk);
    if (refused !== 0) return refused;
    // Constant while mmap_sem is held: reading it is no step of its own.
    yield* storePrivate(walk.huge, ((yield* loadPrivate(vma.vm_flags)) & VM_HUGEPAGE) !== 0);
    const mm = yield* loadPrivate(walk.mm);
    const error = yield* walk_pgd_range(yield* loadPrivate(mm.pgd), start, end, walk);
    const post_vma = yield* loadPrivate(ops.post_vma);
    if (post_vma !== null) yield* post_vma(walk);
    return error;
  },
  {
    source: "mm/pagewalk.c",
    params: ["vma", "start", "end", "walk"],
    own: ["vma"],
    summary: "Walks the part of a range that lies in one VMA.",
  },
);

/** walk_page_range_novma(): whatever is in the tables, with or without a VMA over it. */
export const walk_page_range_novma = kernelFunction(
  "walk_page_range_novma",
  function* (mm: mm_struct, start: number, end: number, ops: mm_walk_ops, priv: number): Kernel<number> {
    if (start >= end) return -EINVAL;
    const walk = yield* stackObject(mm_walk, "struct mm_walk walk");
    yield* storePrivate(walk.ops, ops);
    yield* storePrivate(walk.mm, mm);
    yield* storePrivate(walk.private, priv);
    yield* storePrivate(walk.no_vma, true);
    yield* storePrivate(walk.huge, true);
    yield* lockdep_assert_held(mm.mmap_sem);
    const pgd = yield* loadPrivate(mm.pgd);
    yield* storePrivate(walk.pgd, pgd);
    const error = yield* walk_pgd_range(pgd, start, end, walk);
    yield* endOfScope(walk);
    return error;
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_page_range",
    params: ["mm", "start", "end", "ops", "private"],
    summary: "Walks page tables without asking for VMAs: kernel tables, and debugging.",
  },
);

/** walk_page_mapping(): a range of a file, in every VMA that maps it. Needs i_mmap_rwsem; no mmap_sem is held. */
export const walk_page_mapping = kernelFunction(
  "walk_page_mapping",
  function* (mapping: address_space, first: number, nr: number, ops: mm_walk_ops, priv: number): Kernel<number> {
    yield* lockdep_assert_held(mapping.i_mmap_rwsem);
    const walk = yield* stackObject(mm_walk, "struct mm_walk walk");
    yield* storePrivate(walk.ops, ops);
    yield* storePrivate(walk.private, priv);
    const vma = yield* list_first_vma(mapping.i_mmap);
    const error = vma.isNull ? 0 : yield* walk_mapped(mapping, vma, first, first + nr, walk);
    yield* endOfScope(walk);
    return error;
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_page_range",
    params: ["mapping", "first_index", "nr", "ops", "private"],
    summary: "Walks the pages of a file in every VMA that maps them.",
  },
);
const walk_mapped = kernelFunction(
  "walk_page_mapping",
  function* (mapping: address_space, vma: vm_area_struct, first: number, last: number, walk: mm_walk): Kernel<number> {
    const vmStart = yield* load(vma.vm_start);
    const vmEnd = yield* load(vma.vm_end);
    const pgoff = yield* load(vma.vm_pgoff);
    const start = Math.max(vmStart, vmStart + (first - pgoff) * PAGE_SIZE);
    const end = Math.min(vmEnd, vmStart + (last - pgoff) * PAGE_SIZE);
    if (start < end) {
      yield* storePrivate(walk.vma, vma);
      yield* storePrivate(walk.mm, yield* loadPrivate(vma.vm_mm));
      // Asked of all of the VMA, and its "leave it out" ends the whole walk.
      const skip = yield* walk_page_test(vma, vmStart, vmEnd, walk);
      if (skip > 0) return 0;
      const error = skip < 0 ? skip : yield* __walk_page_range(vma, start, end, walk);
      if (error !== 0) return error;
    }
    const next = yield* list_next_vma(vma, mapping.i_mmap);
    return next.isNull ? 0 : yield* walk_mapped.restart(mapping, next, first, last, walk);
  },
  { source: "mm/pagewalk.c", params: ["mapping", "vma", "first_index", "last_index", "walk"], internal: true },
);

const walk_pgd_range = kernelFunction(
  "walk_pgd_range",
  function* (pgd: pgd_table, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const ops = yield* loadPrivate(walk.ops);
    const next = pgd_addr_end(addr, end);
    const entry = pgd_offset(pgd, addr);
    const pgd_entry = yield* loadPrivate(ops.pgd_entry);
    let error = pgd_entry === null ? 0 : yield* pgd_entry(entry, addr, next, walk);
    if (error === 0) error = yield* walk_p4d(pgd, addr, next, walk);
    if (error !== 0 || next === end) return error;
    return yield* walk_pgd_range.restart(pgd, next, end, walk);
  },
  {
    source: "mm/pagewalk.c",
    params: ["pgd", "addr", "end", "walk"],
    summary: "The part of the PGD.",
    differs: "Its entries are the P4D's: those are asked whether they are there, by one load.",
  },
);
const walk_p4d = kernelFunction(
  "walk_p4d_range",
  function* (pgd: pgd_table, addr: number, next: number, walk: mm_walk): Kernel<number> {
    const ops = yield* loadPrivate(walk.ops);
    const entry = pgd_offset(pgd, addr);
    const table = yield* value(entry);
    if (pgd_none(table)) {
      const pte_hole = yield* loadPrivate(ops.pte_hole);
      return pte_hole === null ? 0 : yield* pte_hole(addr, next, 1, walk);
    }
    const p4d_entry = yield* loadPrivate(ops.p4d_entry);
    const error = p4d_entry === null ? 0 : yield* p4d_entry(entry, addr, next, walk);
    if (error !== 0) return error;
    const [pud, pmd, pte] = [ops.pud_entry, ops.pmd_entry, ops.pte_entry];
    const none = [yield* loadPrivate(pud), yield* loadPrivate(pmd), yield* loadPrivate(pte)].every((f) => f === null);
    if (none) return 0;
    return yield* walk_pud_range(yield* pud_offset(table, addr), addr, next, walk);
  },
  { source: "mm/pagewalk.c", params: ["p4d", "addr", "end", "walk"], summary: "One P4D entry." },
);
