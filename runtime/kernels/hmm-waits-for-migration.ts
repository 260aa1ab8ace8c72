/** 5.7: whoever asks for a page that migrates waits until it has arrived, and the walk begins again. */
import { load, storePrivate } from "../machine/access.ts";
import { EBUSY } from "../machine/errno.ts";
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { asksFor, handle_pte_value, hmm_vma_handle_pte, lastOf, type Walk } from "../mm/hmm_fault_walk.ts";
import { migration_entry_wait } from "../mm/memory_swap.ts";
import { is_migration_entry } from "../mm/pgtable.ts";
import { pte_offset } from "../mm/pgtable_steps.ts";
import type { Patch } from "../patch.ts";

function* handlePte(table: number, addr: number, end: number, walk: Walk): Kernel<number> {
  const pte = yield* load(yield* pte_offset(table, addr));
  if (!is_migration_entry(pte) || !(yield* asksFor(addr, walk))) return yield* handle_pte_value(pte, addr, end, walk);
  yield* storePrivate(lastOf(walk), addr);
  yield* fact("PTE", migration_entry_wait(table, addr));
  return -EBUSY;
}

export const hmmWaitsForMigration: Patch = {
  name: "hmm-waits-for-migration",
  subject: "hmm_vma_handle_pte() of 5.7: whether a fault is needed is asked before it looks for migration (our words)",
  source: "mm/hmm.c, 5.7",
  eras: ["v5.6"],
  needs: [],
  replacements: [replaces(hmm_vma_handle_pte, handlePte)],
};
