/** mm/pagewalk.c as of 5.2, as far as HMM uses it. */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { lockdep_assert_held } from "../machine/lockdep.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import type { hmm_range } from "./hmm_types.ts";
import { find_vma } from "./vma_tree.ts";
import { vm_area_struct, type mm_struct } from "./mm_types.ts";
import {
  pgd_addr_end,
  pgd_offset,
  pmd_addr_end,
  pmd_offset,
  pud_addr_end,
  pud_offset,
  type pgd_table,
  type pmd_table,
  type pud_table,
} from "./pgtable.ts";

/** What HMM hands to its callbacks: the range, and of its fields those that do not change meanwhile. */
export type hmm_vma_walk = readonly [
  range: hmm_range,
  start: number,
  pfns: number,
  default_flags: number,
  pfn_flags_mask: number,
  fault: boolean,
];
/**
 * struct mm_walk. Differs: a value. What the callbacks leave in walk->private (the address `last`) travels as a result
 * beside the error code.
 */
export type mm_walk = readonly [
  pmd_entry: KernelFunction<[pmd_table, number, number, mm_walk], walk_result>,
  pte_hole: KernelFunction<[number, number, mm_walk], walk_result>,
  vma: vm_area_struct,
  ...hmm_vma_walk,
];
export type walk_result = readonly [error: number, last: number];

export const walk_page_range = kernelFunction(
  "walk_page_range",
  function* (mm: mm_struct, start: number, end: number, walk: mm_walk): Kernel<walk_result> {
    yield* lockdep_assert_held(mm.mmap_sem);
    const vma = yield* fact(2, find_vma(mm, start));
    return yield* walk_segment.restart(mm, vma, start, end, walk);
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_page_range",
    params: ["mm", "start", "end", "walk"],
    summary: "Calls back for the page-table entries of a range, VMA by VMA and hole by hole.",
    differs:
      "Only pmd_entry and pte_hole: 5.2 calls pud_entry under the PUD lock, for what is huge, and nothing " +
      "is. No entry is bad. VM_PFNMAP is not looked for. mmap_sem is asserted as by lockdep; in 5.2 it is " +
      "VM_BUG_ON(!rwsem_is_locked()).",
  },
);
/** One VMA, or one hole before `vma`, and what follows. */
const walk_segment = kernelFunction(
  "walk_page_range",
  function* (mm: mm_struct, vma: vm_area_struct, start: number, end: number, walk: mm_walk): Kernel<walk_result> {
    const [pmd_entry, pte_hole, , ...rest] = walk;
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
    const pgd = yield* loadPrivate(mm.pgd);
    const result = yield* fact(4, walk_pgd_range(pgd, start, next, [pmd_entry, pte_hole, inside, ...rest]));
    if (result[0] !== 0 || next >= end) return result;
    return yield* walk_segment.restart(mm, ahead, next, end, walk);
  },
  { source: "mm/pagewalk.c", facts: "walk_page_range", params: ["mm", "vma", "start", "end", "walk"] },
);

const walk_pgd_range = kernelFunction(
  "walk_pgd_range",
  function* (pgd: pgd_table, addr: number, end: number, walk: mm_walk): Kernel<walk_result> {
    const pte_hole = walk[1];
    const next = pgd_addr_end(addr, end);
    const pud = yield* load(pgd_offset(pgd, addr));
    const result = pud.isNull ? yield* pte_hole(addr, next, walk) : yield* walk_pud_range(pud, addr, next, walk);
    if (result[0] !== 0 || next === end) return result;
    return yield* walk_pgd_range.restart(pgd, next, end, walk);
  },
  { source: "mm/pagewalk.c", params: ["pgd", "addr", "end", "walk"], summary: "The part of the PGD." },
);
const walk_pud_range = kernelFunction(
  "walk_pud_range",
  function* (pud: pud_table, addr: number, end: number, walk: mm_walk): Kernel<walk_result> {
    const [, pte_hole, vma] = walk;
    const next = pud_addr_end(addr, end);
    const entry = pud_offset(pud, addr);
    let result: walk_result;
    if ((yield* fact("B1", load(entry))).isNull || vma.isNull) result = yield* pte_hole(addr, next, walk);
    else {
      const pmd = yield* fact("B8", load(entry));
      if (pmd.isNull) return yield* walk_pud_range.restart(pud, addr, end, walk);
      result = yield* fact("B10", walk_pmd_range(pmd, addr, next, walk));
    }
    if (result[0] !== 0 || next === end) return result;
    return yield* walk_pud_range.restart(pud, next, end, walk);
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_pud_range",
    params: ["pud", "addr", "end", "walk"],
    summary: "The part of one PUD table.",
    differs: "The tests for huge entries, and the load in pmd_offset(), see what the test for an empty entry saw.",
  },
);
const walk_pmd_range = kernelFunction(
  "walk_pmd_range",
  function* (pmd: pmd_table, addr: number, end: number, walk: mm_walk): Kernel<walk_result> {
    const [pmd_entry, pte_hole] = walk;
    const next = pmd_addr_end(addr, end);
    const hole = (yield* fact("P1", load(pmd_offset(pmd, addr)))).isNull;
    const result = hole ? yield* pte_hole(addr, next, walk) : yield* fact("P2", pmd_entry(pmd, addr, next, walk));
    if (result[0] !== 0 || next === end) return result;
    return yield* walk_pmd_range.restart(pmd, next, end, walk);
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_pmd_range",
    params: ["pmd", "addr", "end", "walk"],
    summary: "The part of one PMD table.",
  },
);
