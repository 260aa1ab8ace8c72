/** Before 3.4: whether there is a table is asked by two loads, and what is no table then is thrown away. */
import { replaces } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import type { PmdEntry } from "../mm/pgtable.ts";
import { pmd_none_or_clear_bad, pmd_trans_unstable } from "../mm/pgtable_steps.ts";
import type { Patch } from "../patch.ts";

function* twoLooks(pmd: PmdEntry): Kernel<boolean> {
  return yield* pmd_none_or_clear_bad(pmd);
}

export const pmdNoneOrClearBad: Patch = {
  name: "pmd-none-or-clear-bad",
  subject: 'the state before "mm: thp: fix pmd_bad() triggering in code paths holding mmap_sem read mode"',
  source: "commit 1a5a9906d4e8, 3.4, taken back",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(pmd_trans_unstable, twoLooks)],
};
