/** change_huge_pmd() as it was: for a moment the entry is none, and who looks without the lock sees a hole. */
import { replaces } from "../machine/function.ts";
import { change_huge_pmd, change_huge_pmd_through_none } from "../mm/huge_protect.ts";
import { erasOf, type Patch } from "../patch.ts";

export const numaClearsPmd: Patch = {
  name: "numa-clears-pmd",
  subject: "the state before ced108037c2a, thp: fix MADV_DONTNEED vs. numa balancing race",
  source: "4.10 and before",
  eras: erasOf({ since: "v4.19" }),
  builtIn: { until: "v4.19" },
  needs: [],
  replacements: [replaces(change_huge_pmd, change_huge_pmd_through_none)],
};
