/** mm/mincore.c: a plain user of the page walker, with callbacks for PMD entries and for holes. */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import type { Kernel } from "../machine/step.ts";
import { at, int, Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { pmd_trans_huge_lock } from "./huge_memory.ts";
import type { mm_struct } from "./mm_types.ts";
import { walk_page_range } from "./pagewalk.ts";
import { mm_walk_ops, type mm_walk } from "./pagewalk_types.ts";
import {
  nextEntry,
  PAGE_SIZE,
  pmd_lockptr,
  pmd_none,
  pte_lockptr,
  pte_present,
  type PmdEntry,
  type PteEntry,
} from "./pgtable.ts";
import { pmd_trans_unstable, pte_offset, reads, value } from "./pgtable_steps.ts";

/** On the caller's stack. */
class mincore_vec extends Struct {
  /** How many pages are there. */
  resident = int();
}
function* add(walk: mm_walk, pages: number): Kernel<void> {
  const vec = at(mincore_vec, yield* loadPrivate(walk.private));
  yield* storePrivate(vec.resident, (yield* loadPrivate(vec.resident)) + pages);
}

const mincore_pte_range = kernelFunction(
  "mincore_pte_range",
  function* (pmd: PmdEntry, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const huge = yield* loadPrivate(walk.huge);
    if (huge && (yield* pmd_trans_huge_lock(pmd))) {
      yield* add(walk, (end - addr) / PAGE_SIZE);
      yield* spin_unlock(pmd_lockptr(pmd));
      return 0;
    }
    if (huge && (yield* pmd_trans_unstable(pmd))) return 0;
    const table = yield* value(pmd);
    if (pmd_none(table)) return 0;
    const first = yield* pte_offset(table, addr);
    yield* spin_lock(pte_lockptr(table));
    yield* each_pte(first, addr, end, walk);
    yield* spin_unlock(pte_lockptr(table));
    return 0;
  },
  {
    source: "mm/mincore.c",
    params: ["pmd", "addr", "end", "walk"],
    summary: "Counts the pages of one PTE table, or of a huge page.",
    differs: "What is swapped out or in the page cache only is not there.",
  },
);
const each_pte = kernelFunction(
  "mincore_pte_range",
  function* (entry: PteEntry, addr: number, end: number, walk: mm_walk): Kernel<void> {
    if (yield* reads(pte_present, entry)) yield* add(walk, 1);
    const next = addr + PAGE_SIZE;
    if (next < end) return yield* each_pte.restart(nextEntry(entry), next, end, walk);
  },
  { source: "mm/mincore.c", params: ["pte", "addr", "end", "walk"], internal: true },
);
const mincore_unmapped_range = kernelFunction(
  "mincore_unmapped_range",
  function* (_addr: number, _end: number, _depth: number, _walk: mm_walk): Kernel<number> {
    return 0;
  },
  { source: "mm/mincore.c", params: ["addr", "end", "depth", "walk"], summary: "Nothing is there." },
);
const mincore_walk_ops = staticObject(mm_walk_ops, "mincore_walk_ops");
export function mincoreImage(write: ImageWriter): void {
  write(mincore_walk_ops.pmd_entry, mincore_pte_range);
  write(mincore_walk_ops.pte_hole, mincore_unmapped_range);
}

export const do_mincore = kernelFunction(
  "do_mincore",
  function* (mm: mm_struct, start: number, end: number): Kernel<number> {
    const vec = yield* stackObject(mincore_vec, "unsigned char *vec");
    yield* storePrivate(vec.resident, 0);
    yield* down_read(mm.mmap_sem);
    const error = yield* walk_page_range(mm, start, end, mincore_walk_ops, vec.addr);
    yield* up_read(mm.mmap_sem);
    const resident = yield* loadPrivate(vec.resident);
    yield* endOfScope(vec);
    return error < 0 ? error : resident;
  },
  {
    source: "mm/mincore.c",
    params: ["mm", "start", "end"],
    summary: "How many pages of a range are mapped.",
    differs: "The kernel says it page by page, and walks one VMA.",
  },
);
