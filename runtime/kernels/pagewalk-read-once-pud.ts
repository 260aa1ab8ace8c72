/**
 * Seed 003: the walker reads a PUD once, and hands what it has read to the callback. After a split it reads it once
 * more, and then asks only whether there is anything.
 */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { handle_pud_value, hmm_vma_walk_pud } from "../mm/hmm_walk_pud.ts";
import { pud_lockptr, pud_trans_huge_lock, split_huge_pud } from "../mm/huge_pud.ts";
import { warn_of_leaf, wp_clean_pud_entry } from "../mm/mapping_dirty_helpers.ts";
import { walk_pmd_range } from "../mm/pagewalk_pmd.ts";
import { AGAIN, call_pud_entry, goes_below, hole, is_outside, walk_pud } from "../mm/pagewalk_pud.ts";
import { ACTION_AGAIN, ACTION_CONTINUE, type mm_walk } from "../mm/pagewalk_types.ts";
import { pud_leaf, pud_none, pud_present, type PudEntry } from "../mm/pgtable.ts";
import { pmd_offset, snapshot, value } from "../mm/pgtable_steps.ts";
import { note, ptdump_pud_entry } from "../mm/ptdump.ts";
import type { Patch } from "../patch.ts";

const FACTS = "walk_pud_range AFTER";

function* walk(pudp: PudEntry, addr: number, next: number, w: mm_walk): Kernel<number> {
  const vma = yield* loadPrivate(w.vma);
  let pud = yield* fact("A1", snapshot(pudp));
  if (pud_none(pud) || (yield* is_outside(w))) return yield* hole(addr, next, 2, w);
  const result = yield* fact("A3", call_pud_entry(pud, pudp, addr, next, w));
  if (result !== 0) return result;
  if (vma.isNull && (pud_leaf(pud) || !pud_present(pud))) return 0;
  if (!(yield* goes_below(w))) return 0;
  if (!vma.isNull) {
    if (yield* loadPrivate(w.huge)) yield* fact("A7a", split_huge_pud(vma, pudp, addr));
    pud = yield* fact("A7b", snapshot(pudp));
    if (pud_none(pud)) return AGAIN;
  }
  return yield* fact("A8", walk_pmd_range(yield* pmd_offset(pud, addr), addr, next, w));
}

function* ptdumpPud(pud: number, _pudp: PudEntry, _addr: number, _next: number, w: mm_walk): Kernel<number> {
  if (pud_leaf(pud)) yield* note(w);
  return 0;
}

function* wpCleanPud(pud: number, _pudp: PudEntry, _addr: number, _end: number, w: mm_walk): Kernel<number> {
  if (yield* loadPrivate(w.huge)) yield* warn_of_leaf(pud);
  return 0;
}

/** HMM compares what it finds under the lock with what the walker has seen. */
function* hmmPud(pud: number, pudp: PudEntry, start: number, end: number, w: mm_walk): Kernel<number> {
  const vma = yield* loadPrivate(w.vma);
  if (!(yield* loadPrivate(w.huge))) return 0;
  if (!(yield* fact("H1", pud_trans_huge_lock(pudp, vma)))) return 0;
  const lock = yield* pud_lockptr(vma);
  if ((yield* fact("H6'", value(pudp))) !== pud) {
    yield* fact("H6'", storePrivate(w.action, ACTION_AGAIN));
    yield* spin_unlock(lock);
    return 0;
  }
  yield* fact("H7'", storePrivate(w.action, ACTION_CONTINUE));
  const ret = yield* fact("H8'", handle_pud_value(pud, start, end, w));
  yield* fact("H9", spin_unlock(lock));
  return ret;
}

export const pagewalkReadOncePud: Patch = {
  name: "pagewalk-read-once-pud",
  subject: "[RFC] mm/pagewalk: use READ_ONCE when reading the PUD entry unlocked",
  source: "linux-mm, 2020-03-13",
  eras: ["v5.6"],
  needs: [],
  replacements: [
    replaces(walk_pud, walk, FACTS),
    replaces(hmm_vma_walk_pud, hmmPud),
    replaces(wp_clean_pud_entry, wpCleanPud),
    replaces(ptdump_pud_entry, ptdumpPud),
  ],
};
