/** 5.7: a leaf is warned of and left alone, so that what it knows of writes stays; what is none is looked at again. */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { warn_of_leaf, wp_clean_pud_entry } from "../mm/mapping_dirty_helpers.ts";
import { ACTION_AGAIN, ACTION_CONTINUE, type mm_walk } from "../mm/pagewalk_types.ts";
import { is_table, pud_none, type PudEntry } from "../mm/pgtable.ts";
import { snapshot } from "../mm/pgtable_steps.ts";
import type { Patch } from "../patch.ts";

function* entry(_pud: number, pudp: PudEntry, _addr: number, _end: number, walk: mm_walk): Kernel<number> {
  if (!(yield* loadPrivate(walk.huge))) return 0;
  const pudval = yield* fact("W1", snapshot(pudp));
  if (is_table(pudval)) return 0;
  yield* storePrivate(walk.action, pud_none(pudval) ? ACTION_AGAIN : ACTION_CONTINUE);
  yield* warn_of_leaf(pudval);
  return 0;
}

export const dirtyHelpersPud: Patch = {
  name: "dirty-helpers-pud",
  subject: "wp_clean_pud_entry() of 5.7: one look decides, and a leaf is not split (our words)",
  source: "mm/mapping_dirty_helpers.c, 5.7",
  eras: ["v5.6"],
  builtIn: { since: "v5.8" },
  needs: [],
  replacements: [replaces(wp_clean_pud_entry, entry)],
};
