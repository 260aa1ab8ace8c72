/** A whole table moves only if the entry still holds one when both locks are held. */
import { replaces } from "../machine/function.ts";
import { move_normal_pmd, moveNormalPmdRechecks } from "../mm/mremap.ts";
import type { Patch } from "../patch.ts";

export const mremapRecheckPmd: Patch = {
  name: "mremap-recheck-pmd",
  subject: "mm/mremap: fix move_normal_pmd/retract_page_tables race",
  source: "6fa1066fc5d0, 6.12",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(move_normal_pmd, moveNormalPmdRechecks)],
};
