/**
 * mm/damon/vaddr.c of 6.5: makes pages old, so that it can tell later which have been used. It maps PTE tables with
 * pte_offset_map_lock(), which may say that there is none.
 *
 * Differs: there are no accessed bits to clear; what is left is the walk.
 */
import { storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { rcu_read_lock, rcu_read_unlock } from "../machine/rcu.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import type { Kernel } from "../machine/step.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import type { mm_struct } from "./mm_types.ts";
import { walk_page_range } from "./pagewalk.ts";
import { ACTION_AGAIN, mm_walk_ops, type mm_walk } from "./pagewalk_types.ts";
import { is_table, pmd_lockptr, pmd_trans_huge, pte_lockptr, type PmdEntry } from "./pgtable.ts";
import { reads, snapshot } from "./pgtable_steps.ts";

/** 0 if there is no table to be mapped; else the PMD's value, with its PTE lock and rcu_read_lock() held. */
export const pte_offset_map_lock = kernelFunction(
  "pte_offset_map_lock",
  function* (pmd: PmdEntry): Kernel<number> {
    yield* rcu_read_lock();
    const table = yield* snapshot(pmd);
    if (!is_table(table)) {
      yield* rcu_read_unlock();
      return 0;
    }
    yield* spin_lock(pte_lockptr(table));
    if ((yield* snapshot(pmd)) === table) return table;
    yield* spin_unlock(pte_lockptr(table));
    yield* rcu_read_unlock();
    return yield* pte_offset_map_lock.restart(pmd);
  },
  {
    source: "mm/pgtable-generic.c",
    facts: "Helpers",
    params: ["pmd"],
    summary: "Takes the lock of a PTE table, if there is one and it stays.",
  },
);

/** Whether to look at the entry again if it has no table to be mapped. */
export const damon_mkold_pmd_entry = kernelFunction(
  "damon_mkold_pmd_entry",
  function* (pmd: PmdEntry, _addr: number, _next: number, walk: mm_walk): Kernel<number> {
    if (!(yield* mkold(pmd))) yield* storePrivate(walk.action, ACTION_AGAIN);
    return 0;
  },
  {
    source: "mm/damon/vaddr.c",
    facts: "R6.23",
    params: ["pmd", "addr", "next", "walk"],
    summary: "Makes the pages of a PMD old; tries again until it has a table.",
  },
);
/** False: there was no table. */
export const mkold = kernelFunction(
  "damon_mkold_pmd_entry",
  function* (pmd: PmdEntry): Kernel<boolean> {
    if (yield* reads(pmd_trans_huge, pmd)) {
      yield* spin_lock(pmd_lockptr(pmd));
      const huge = yield* reads(pmd_trans_huge, pmd);
      yield* spin_unlock(pmd_lockptr(pmd));
      if (huge) return true;
    }
    const table = yield* pte_offset_map_lock(pmd);
    if (table === 0) return false;
    yield* spin_unlock(pte_lockptr(table));
    yield* rcu_read_unlock();
    return true;
  },
  { source: "mm/damon/vaddr.c", facts: "R6.23", params: ["pmd"], internal: true },
);
const damon_mkold_ops = staticObject(mm_walk_ops, "damon_mkold_ops");
export function damonImage(write: ImageWriter): void {
  write(damon_mkold_ops.pmd_entry, damon_mkold_pmd_entry);
}
export const damon_va_mkold = kernelFunction(
  "damon_va_mkold",
  function* (mm: mm_struct, start: number, end: number): Kernel<void> {
    yield* down_read(mm.mmap_sem);
    yield* walk_page_range(mm, start, end, damon_mkold_ops, 0);
    yield* up_read(mm.mmap_sem);
  },
  { source: "mm/damon/vaddr.c", params: ["mm", "start", "end"], summary: "Makes the pages of a range old." },
);
