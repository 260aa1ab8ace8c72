/**
 * DAMON's walk as 6.5 left it, and what mended it. DAMON itself is younger than any era here, so it comes as a patch.
 */
import { replaces } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { damon_mkold_pmd_entry, mkold } from "../mm/damon.ts";
import type { mm_walk } from "../mm/pagewalk_types.ts";
import type { PmdEntry } from "../mm/pgtable.ts";
import type { Patch } from "../patch.ts";

export const damonPteOffsetMap: Patch = {
  name: "damon-pte-offset-map",
  subject: "mm/various: give up if pte_offset_map[_lock]() fails",
  source: "commit 7780d04046a2, 6.5",
  eras: ["v5.6"],
  needs: [],
  replacements: [],
};

/** An entry without a table is left out. */
function* giveUp(pmd: PmdEntry, _addr: number, _next: number, _walk: mm_walk): Kernel<number> {
  yield* mkold(pmd);
  return 0;
}
export const damonNoRepeat: Patch = {
  name: "damon-no-repeat",
  subject: "mm/damon/vaddr: do not repeat pte_offset_map_lock() until success",
  source: "2025-09",
  eras: ["v5.6"],
  needs: ["damon-pte-offset-map"],
  replacements: [replaces(damon_mkold_pmd_entry, giveUp)],
};
