/**
 * 6.0: where there is no VMA the walker does not look at page tables, for nobody keeps them; and who walks without VMAs
 * holds mmap_sem for writing.
 */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { replaces } from "../machine/function.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct, vm_area_struct } from "../mm/mm_types.ts";
import { walk_one, walk_page_range_novma, walk_vma } from "../mm/pagewalk.ts";
import type { mm_walk } from "../mm/pagewalk_types.ts";
import { ptdump_ops, ptdump_state, ptdump_walk_pgd } from "../mm/ptdump.ts";
import { erasOf, type Patch } from "../patch.ts";

function* walkOne(_mm: mm_struct, vma: vm_area_struct, start: number, end: number, walk: mm_walk): Kernel<number> {
  yield* storePrivate(walk.vma, vma);
  if (!vma.isNull) return yield* walk_vma(vma, start, end, walk);
  const ops = yield* loadPrivate(walk.ops);
  const pte_hole = yield* loadPrivate(ops.pte_hole);
  return pte_hole === null ? 0 : yield* fact(4, pte_hole(start, end, -1, walk));
}

function* ptdump(mm: mm_struct, start: number, end: number): Kernel<number> {
  const st = yield* stackObject(ptdump_state, "struct ptdump_state st");
  yield* storePrivate(st.noted, 0);
  yield* down_write(mm.mmap_sem);
  yield* walk_page_range_novma(mm, start, end, ptdump_ops, st.addr);
  yield* up_write(mm.mmap_sem);
  const noted = yield* loadPrivate(st.noted);
  yield* endOfScope(st);
  return noted;
}

export const pagewalkHoles: Patch = {
  name: "pagewalk-holes",
  subject: "mm: pagewalk: Fix race between unmap and page walker",
  source: "commit 8782fb61cc84, 6.0",
  eras: erasOf({ since: "v5.6", until: "v6.0" }),
  builtIn: { since: "v6.0" },
  needs: [],
  replacements: [replaces(walk_one, walkOne), replaces(ptdump_walk_pgd, ptdump)],
};
