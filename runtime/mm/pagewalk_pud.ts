/**
 * The part of mm/pagewalk.c that reads PUD entries, which may change under it: while mmap_sem is held for reading a
 * fault stores a leaf, and MADV_DONTNEED takes it away. As of 5.6 each question is a load of its own.
 */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { split_huge_pud } from "./huge_pud.ts";
import { walk_pmd_range } from "./pagewalk_pmd.ts";
import { ACTION_AGAIN, ACTION_CONTINUE, ACTION_SUBTREE, type mm_walk } from "./pagewalk_types.ts";
import { nextEntry, pud_addr_end, pud_leaf, pud_none, pud_present, type PudEntry } from "./pgtable.ts";
import { pmd_offset, reads, value } from "./pgtable_steps.ts";

/** What the walk of one entry says when it has to be looked at again; no error has that number. */
export const AGAIN = 2 ** 31;

export const walk_pud_range = kernelFunction(
  "walk_pud_range",
  function* (pud: PudEntry, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const next = pud_addr_end(addr, end);
    const result = yield* walk_pud(pud, addr, next, walk);
    if (result === AGAIN) return yield* walk_pud_range.restart(pud, addr, end, walk);
    if (result !== 0 || next === end) return result;
    return yield* walk_pud_range.restart(nextEntry(pud), next, end, walk);
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_pud_range",
    params: ["pud", "addr", "end", "walk"],
    summary: "The part of one PUD table.",
  },
);

/** One entry: 0, what stopped the walk, or AGAIN. */
export const walk_pud = kernelFunction(
  "walk_pud_range",
  function* (pud: PudEntry, addr: number, next: number, walk: mm_walk): Kernel<number> {
    const vma = yield* loadPrivate(walk.vma);
    const none = yield* fact("B1", reads(pud_none, pud));
    if (none || (yield* is_outside(walk))) return yield* hole(addr, next, 2, walk);
    const result = yield* call_pud_entry(0, pud, addr, next, walk);
    if (result !== 0) return result;
    if (vma.isNull) {
      if (yield* fact("B5", reads(pud_leaf, pud))) return 0;
      if (!(yield* fact("B5", reads(pud_present, pud)))) return 0;
    }
    if (!(yield* goes_below(walk))) return 0;
    const huge = yield* loadPrivate(walk.huge);
    if (!vma.isNull && huge) yield* fact("B7", split_huge_pud(vma, pud, addr));
    if (huge && (yield* fact("B8", reads(pud_none, pud)))) return AGAIN;
    const table = yield* fact("B9", value(pud));
    if (!huge && pud_none(table)) return AGAIN;
    return yield* fact("B10", walk_pmd_range(yield* pmd_offset(table, addr), addr, next, walk));
  },
  { source: "mm/pagewalk.c", facts: "walk_pud_range", params: ["pud", "addr", "end", "walk"], internal: true },
);

/** In a hole, on a walk that needs VMAs. */
export function* is_outside(walk: mm_walk): Kernel<boolean> {
  return (yield* loadPrivate(walk.vma)).isNull && !(yield* loadPrivate(walk.no_vma));
}
export function* hole(addr: number, next: number, depth: number, walk: mm_walk): Kernel<number> {
  const ops = yield* loadPrivate(walk.ops);
  const pte_hole = yield* loadPrivate(ops.pte_hole);
  return pte_hole === null ? 0 : yield* pte_hole(addr, next, depth, walk);
}
/** 0 to go on, AGAIN, or what stops the walk. */
export const call_pud_entry = kernelFunction(
  "walk_pud_range",
  function* (snapshot: number, pud: PudEntry, addr: number, next: number, walk: mm_walk): Kernel<number> {
    yield* fact("B2", storePrivate(walk.action, ACTION_SUBTREE));
    const ops = yield* loadPrivate(walk.ops);
    const pud_entry = yield* loadPrivate(ops.pud_entry);
    const error = pud_entry === null ? 0 : yield* fact("B3", pud_entry(snapshot, pud, addr, next, walk));
    if (error !== 0) return error;
    return (yield* loadPrivate(walk.action)) === ACTION_AGAIN ? AGAIN : 0;
  },
  { source: "mm/pagewalk.c", facts: "walk_pud_range", params: ["pud", "pudp", "addr", "next", "walk"], internal: true },
);
/** Whether the callback lets the walk descend, and anybody is there to be called. */
export function* goes_below(walk: mm_walk): Kernel<boolean> {
  if ((yield* loadPrivate(walk.action)) === ACTION_CONTINUE) return false;
  const ops = yield* loadPrivate(walk.ops);
  return (yield* loadPrivate(ops.pmd_entry)) !== null || (yield* loadPrivate(ops.pte_entry)) !== null;
}
