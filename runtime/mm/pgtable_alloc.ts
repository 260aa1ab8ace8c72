/**
 * The part of mm/memory.c that makes page tables: prepare one, take the lock, look again, and hang it in or free it.
 */
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { type Kernel } from "../machine/step.ts";
import type { StructClass } from "../machine/struct.ts";
import type { mm_struct } from "./mm_types.ts";
import { allocate, count } from "./page_alloc.ts";
import {
  PAGE_SIZE,
  pgd_none,
  pmd_none,
  pmd_table,
  pte_table,
  pud_none,
  pud_table,
  type PageTable,
  type PgdEntry,
  type PmdEntry,
  type PudEntry,
} from "./pgtable.ts";
import { populate, reads, value } from "./pgtable_steps.ts";

const isNull = (table: PageTable): boolean => table.isNull;
function* fresh<T extends PageTable>(mm: mm_struct, cls: StructClass<T>): Kernel<T> {
  const table = yield* allocate(cls, `${cls.short}_alloc_one(mm)`);
  if (!isNull(table)) yield* count(mm.pgtables_bytes, PAGE_SIZE);
  return table;
}
function* discard(mm: mm_struct, table: PageTable): Kernel<void> {
  yield* count(mm.pgtables_bytes, -PAGE_SIZE);
  yield* freeBy(`${(table.constructor as StructClass).short}_free`, table);
}

/** False if memory is short. */
export const __pud_alloc = kernelFunction(
  "__pud_alloc",
  function* (mm: mm_struct, p4d: PgdEntry): Kernel<boolean> {
    const table = yield* fresh(mm, pud_table);
    if (isNull(table)) return false;
    yield* spin_lock(mm.page_table_lock);
    if (yield* reads(pgd_none, p4d)) yield* populate(p4d, table);
    else yield* discard(mm, table);
    yield* spin_unlock(mm.page_table_lock);
    return true;
  },
  {
    source: "mm/memory.c",
    facts: "F1",
    params: ["mm", "p4d"],
    summary: "Makes a PUD table, unless somebody else was faster.",
  },
);
export const __pmd_alloc = kernelFunction(
  "__pmd_alloc",
  function* (mm: mm_struct, pud: PudEntry): Kernel<boolean> {
    const table = yield* fresh(mm, pmd_table);
    if (isNull(table)) return false;
    yield* spin_lock(mm.page_table_lock);
    if (yield* reads(pud_none, pud)) yield* populate(pud, table);
    else yield* discard(mm, table);
    yield* spin_unlock(mm.page_table_lock);
    return true;
  },
  {
    source: "mm/memory.c",
    facts: "F3",
    params: ["mm", "pud"],
    summary: "Makes a PMD table, unless the entry holds something by now: another table, or a leaf.",
  },
);
export const __pte_alloc = kernelFunction(
  "__pte_alloc",
  function* (mm: mm_struct, pmd: PmdEntry): Kernel<boolean> {
    const table = yield* fresh(mm, pte_table);
    if (isNull(table)) return false;
    yield* spin_lock(pmd.table.ptl);
    const lost = !(yield* reads(pmd_none, pmd));
    if (!lost) yield* populate(pmd, table);
    yield* spin_unlock(pmd.table.ptl);
    if (lost) yield* discard(mm, table);
    return true;
  },
  {
    source: "mm/memory.c",
    facts: "a1",
    params: ["mm", "pmd"],
    summary: "Makes a PTE table, unless the entry holds something by now: another table, or a leaf.",
  },
);
/** A PTE table that is to be deposited with a huge page. */
export function* pte_alloc_one(mm: mm_struct): Kernel<pte_table> {
  return yield* fresh(mm, pte_table);
}
export function* pte_free(mm: mm_struct, table: pte_table): Kernel<void> {
  yield* discard(mm, table);
}

/** pte_alloc(): false if memory is short. */
export function* pte_alloc(mm: mm_struct, pmd: PmdEntry): Kernel<boolean> {
  return (yield* value(pmd)) !== 0 || (yield* __pte_alloc(mm, pmd));
}
