/** The part of mm/huge_memory.c that copies a leaf of 2 MiB for fork(). */
import { loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_lock_nested, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { page_add_huge_rmap, pgtable_trans_huge_deposit } from "./huge_memory.ts";
import type { vm_area_struct } from "./mm_types.ts";
import { count, get_page } from "./page_alloc.ts";
import {
  HPAGE_PMD_NR,
  huge_page,
  is_huge_zero,
  is_migration_entry,
  make_migration_entry,
  pmd_lockptr,
  pmd_trans_huge,
  pte_page,
  pte_table,
  pte_wrprotect,
  type PmdEntry,
} from "./pgtable.ts";
import { pte_alloc_one, pte_free } from "./pgtable_alloc.ts";
import { ptep_set_wrprotect, set_entry, value } from "./pgtable_steps.ts";

type Outcome = "copied" | "no leaf" | "no memory";
/** Only anonymous memory: what belongs to a file comes back by faults. */
export const copy_huge_pmd = kernelFunction(
  "copy_huge_pmd",
  function* (
    dst: vm_area_struct,
    src: vm_area_struct,
    dstPmd: PmdEntry,
    pmd: PmdEntry,
    _addr: number,
  ): Kernel<Outcome> {
    if (!(yield* loadPrivate(src.vm_file)).isNull) return "copied";
    const mm = yield* loadPrivate(dst.vm_mm);
    const table = yield* fact(6, pte_alloc_one(mm));
    if (table.isNull) return "no memory";
    yield* fact(6, spin_lock(pmd_lockptr(dstPmd)));
    yield* fact(6, spin_lock_nested(pmd_lockptr(pmd), 1));
    const leaf = yield* copy_locked(dst, dstPmd, pmd, table);
    yield* fact(6, spin_unlock(pmd_lockptr(pmd)));
    yield* fact(6, spin_unlock(pmd_lockptr(dstPmd)));
    if (leaf) return "copied";
    yield* pte_free(mm, table);
    return "no leaf";
  },
  {
    source: "mm/huge_memory.c",
    facts: "fork",
    params: ["dst_vma", "src_vma", "dst_pmd", "src_pmd", "addr"],
    summary: "Copies a leaf of 2 MiB, read-only in both.",
  },
);
/** Under both locks; false if there is no leaf any more. */
const copy_locked = kernelFunction(
  "copy_huge_pmd",
  function* (dst: vm_area_struct, dstPmd: PmdEntry, pmd: PmdEntry, table: pte_table): Kernel<boolean> {
    const mm = yield* loadPrivate(dst.vm_mm);
    const old = yield* fact(6, value(pmd));
    if (is_migration_entry(old)) {
      const copy = make_migration_entry(pte_page(old), false);
      if (copy !== old) yield* fact(6, set_entry(pmd, copy));
      yield* count(mm.rss_stat, HPAGE_PMD_NR);
      yield* pgtable_trans_huge_deposit(dstPmd, table);
      yield* fact(6, set_entry(dstPmd, copy));
      return true;
    }
    if (!pmd_trans_huge(old)) return false;
    if (!is_huge_zero(old)) {
      const head = at(huge_page, pte_page(old).addr);
      yield* fact(6, get_page(head));
      yield* fact(6, page_add_huge_rmap(head, dst));
    }
    yield* pgtable_trans_huge_deposit(dstPmd, table);
    if (!is_huge_zero(old)) yield* fact(6, ptep_set_wrprotect(pmd));
    yield* fact(6, set_entry(dstPmd, pte_wrprotect(old)));
    return true;
  },
  {
    source: "mm/huge_memory.c",
    facts: "fork",
    params: ["dst_vma", "dst_pmd", "src_pmd", "table"],
    internal: true,
  },
);
