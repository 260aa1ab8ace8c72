/** 5.7: HMM drops the PUD lock before it faults, which sleeps and takes that lock again. */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { faultPud, fillPud, hmm_vma_walk_pud, needOfPud } from "../mm/hmm_walk_pud.ts";
import { pud_lockptr, pud_trans_huge_lock } from "../mm/huge_pud.ts";
import { ACTION_CONTINUE, ACTION_SUBTREE, type mm_walk } from "../mm/pagewalk_types.ts";
import { pud_devmap, type PudEntry } from "../mm/pgtable.ts";
import { snapshot } from "../mm/pgtable_steps.ts";
import type { Patch } from "../patch.ts";

function* walkPud(_pud: number, pudp: PudEntry, start: number, end: number, walk: mm_walk): Kernel<number> {
  const vma = yield* loadPrivate(walk.vma);
  if (!(yield* loadPrivate(walk.huge))) return 0;
  if (!(yield* fact("H1", pud_trans_huge_lock(pudp, vma)))) return 0;
  const lock = yield* pud_lockptr(vma);
  const pud = yield* fact("H7", snapshot(pudp));
  yield* storePrivate(walk.action, pud_devmap(pud) ? ACTION_CONTINUE : ACTION_SUBTREE);
  const need = pud_devmap(pud) ? yield* needOfPud(pud, start, end, walk) : NONE;
  if (need[0] || need[1]) {
    yield* fact("H8", spin_unlock(lock));
    return yield* faultPud(start, end, need, walk);
  }
  const ret = pud_devmap(pud) ? yield* fillPud(pud, start, end, walk) : 0;
  yield* fact("H9", spin_unlock(lock));
  return ret;
}
const NONE = [false, false] as const;

export const hmmHoleWithoutLock: Patch = {
  name: "hmm-hole-without-lock",
  subject: "mm/hmm: do not call hmm_vma_walk_hole() while holding a spinlock",
  source: "linux-mm, 2020-03-11; 5.7",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(hmm_vma_walk_pud, walkPud)],
};
