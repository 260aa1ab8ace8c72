/** hmm_vma_walk_pud() of mm/hmm.c as of 5.6: the pages of a leaf of 1 GiB, and the lock that it is read under. */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { contextOf, fill_leaf, hmm_range_need_fault, hmm_vma_walk_hole, hmm_vma_walk_hole_ } from "./hmm_fault_walk.ts";
import { HMM_PFN_VALID, HMM_PFN_WRITE } from "./hmm_walk.ts";
import { pud_lockptr, pud_trans_huge_lock } from "./huge_pud.ts";
import { ACTION_CONTINUE, ACTION_SUBTREE, type mm_walk } from "./pagewalk_types.ts";
import { pte_write, pud_devmap, pud_none, PUD_SIZE, type PudEntry } from "./pgtable.ts";
import { snapshot } from "./pgtable_steps.ts";

const source = "mm/hmm.c";

export const hmm_vma_walk_pud = kernelFunction(
  "hmm_vma_walk_pud",
  function* (_pud: number, pudp: PudEntry, start: number, end: number, walk: mm_walk): Kernel<number> {
    const vma = yield* loadPrivate(walk.vma);
    if (!(yield* loadPrivate(walk.huge))) return 0;
    if (!(yield* fact("H1", pud_trans_huge_lock(pudp, vma)))) return 0;
    const ret = yield* handle_pud(pudp, start, end, walk);
    yield* fact("H9", spin_unlock(yield* pud_lockptr(vma)));
    return ret;
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "hmm_vma_walk_pud",
    params: ["pud", "pudp", "start", "end", "walk"],
    own: ["pud"],
    summary: "The pages of a leaf of 1 GiB, with the PUD lock held; it is held, too, while they are faulted in.",
    differs: "Where the VMA can have no huge entry, none is looked for.",
  },
);
/** With the PUD lock held. */
const handle_pud = kernelFunction(
  "hmm_vma_walk_pud",
  function* (pudp: PudEntry, start: number, end: number, walk: mm_walk): Kernel<number> {
    yield* fact("H6", storePrivate(walk.action, ACTION_CONTINUE));
    const pud = yield* fact("H7", snapshot(pudp));
    if (pud_none(pud)) return yield* fact("H7", hmm_vma_walk_hole(start, end, -1, walk));
    return yield* handle_pud_value(pud, start, end, walk);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "hmm_vma_walk_pud",
    params: ["pudp", "start", "end", "walk"],
    internal: true,
  },
);
/** The same, the value being known. */
export const handle_pud_value = kernelFunction(
  "hmm_vma_walk_pud",
  function* (pud: number, start: number, end: number, walk: mm_walk): Kernel<number> {
    if (!pud_devmap(pud)) {
      yield* fact("H10", storePrivate(walk.action, ACTION_SUBTREE));
      return 0;
    }
    const [fault, write] = yield* needOfPud(pud, start, end, walk);
    const context = yield* contextOf(walk);
    if (fault || write) return yield* fact("H8", hmm_vma_walk_hole_(start, end, fault, write, context));
    return yield* fillPud(pud, start, end, walk);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "hmm_vma_walk_pud",
    params: ["pud", "start", "end", "walk"],
    internal: true,
  },
);
const cpuFlagsOfPud = (pud: number): number => HMM_PFN_VALID + (pte_write(pud) ? HMM_PFN_WRITE : 0);
/** What a leaf falls short of. */
export function* needOfPud(
  pud: number,
  start: number,
  end: number,
  walk: mm_walk,
): Kernel<readonly [boolean, boolean]> {
  const context = yield* contextOf(walk);
  return yield* fact("H8", hmm_range_need_fault(start, end, cpuFlagsOfPud(pud), context, false));
}
export function* fillPud(pud: number, start: number, end: number, walk: mm_walk): Kernel<number> {
  const context = yield* contextOf(walk);
  return yield* fact("H9", fill_leaf(pud, PUD_SIZE, start, end, cpuFlagsOfPud(pud), context));
}
/** The faults that a leaf takes. */
export function* faultPud(
  start: number,
  end: number,
  need: readonly [boolean, boolean],
  walk: mm_walk,
): Kernel<number> {
  return yield* fact("H8", hmm_vma_walk_hole_(start, end, ...need, yield* contextOf(walk)));
}
