/**
 * What went into mainline six years after seed 003: whoever descends looks once more, and anything but a table sends
 * the walk back to the same entry. The address of the table comes from yet another load.
 */
import { loadPrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { split_huge_pud } from "../mm/huge_pud.ts";
import { walk_pmd_range } from "../mm/pagewalk_pmd.ts";
import { AGAIN, call_pud_entry, goes_below, hole, is_outside, walk_pud } from "../mm/pagewalk_pud.ts";
import type { mm_walk } from "../mm/pagewalk_types.ts";
import { pud_leaf, pud_none, pud_present, type PudEntry } from "../mm/pgtable.ts";
import { pmd_offset, reads, snapshot, value } from "../mm/pgtable_steps.ts";
import type { Patch } from "../patch.ts";

function* walk(pudp: PudEntry, addr: number, next: number, w: mm_walk): Kernel<number> {
  const vma = yield* loadPrivate(w.vma);
  if ((yield* fact("F1", reads(pud_none, pudp))) || (yield* is_outside(w))) return yield* hole(addr, next, 2, w);
  const result = yield* fact("F3", call_pud_entry(0, pudp, addr, next, w));
  if (result !== 0) return result;
  if (vma.isNull) {
    if (yield* fact("F5", reads(pud_leaf, pudp))) return 0;
    if (!(yield* fact("F5", reads(pud_present, pudp)))) return 0;
  }
  if (!(yield* goes_below(w))) return 0;
  if (!vma.isNull && (yield* loadPrivate(w.huge))) yield* fact("F7", split_huge_pud(vma, pudp, addr));
  const pud = yield* fact("F8", snapshot(pudp));
  if (!pud_present(pud) || pud_leaf(pud)) return AGAIN;
  const again = yield* fact("F10", value(pudp));
  return yield* fact("F11", walk_pmd_range(yield* pmd_offset(again, addr), addr, next, w));
}

export const pagewalkPudSnapshot: Patch = {
  name: "pagewalk-pud-snapshot",
  subject: "walk_pmd_range() takes one snapshot of the PUD, and sends the walk back for anything but a table",
  source: "commit 3b89863c3fa4, 7.0-rc6 (the subject is ours)",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(walk_pud, walk, "7.0-rc6+")],
};
