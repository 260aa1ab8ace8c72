/**
 * Seed 003: the walker reads a PUD once, and hands what it has read to the callback. After a split it reads it once more,
 * and then asks only whether there is anything.
 */
import { loadPrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { split_huge_pud } from "../mm/huge_pud.ts";
import { walk_pmd_range } from "../mm/pagewalk_pmd.ts";
import { AGAIN, call_pud_entry, goes_below, hole, is_outside, walk_pud } from "../mm/pagewalk_pud.ts";
import type { mm_walk } from "../mm/pagewalk_types.ts";
import { pud_leaf, pud_none, pud_present, type PudEntry } from "../mm/pgtable.ts";
import { pmd_offset, snapshot } from "../mm/pgtable_steps.ts";
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

export const pagewalkReadOncePud: Patch = {
  name: "pagewalk-read-once-pud",
  subject: "[RFC] mm/pagewalk: use READ_ONCE when reading the PUD entry unlocked",
  source: "linux-mm, 2020-03-13",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(walk_pud, walk, FACTS), replaces(ptdump_pud_entry, ptdumpPud)],
};
