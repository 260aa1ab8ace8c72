/** The part of mm/pagewalk.c that reads PMD entries and PTEs. */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { split_huge_pmd } from "./huge_memory.ts";
import { AGAIN, hole } from "./pagewalk_pud.ts";
import { ACTION_AGAIN, ACTION_CONTINUE, ACTION_SUBTREE, type mm_walk } from "./pagewalk_types.ts";
import {
  nextEntry,
  PAGE_SIZE,
  pmd_addr_end,
  pmd_leaf,
  pmd_none,
  pmd_present,
  pte_lockptr,
  type PmdEntry,
  type PteEntry,
} from "./pgtable.ts";
import { pmd_trans_unstable, pte_offset, reads, value } from "./pgtable_steps.ts";

export const walk_pmd_range = kernelFunction(
  "walk_pmd_range",
  function* (pmd: PmdEntry, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const next = pmd_addr_end(addr, end);
    const result = yield* walk_pmd(pmd, addr, next, walk);
    if (result === AGAIN) return yield* walk_pmd_range.restart(pmd, addr, end, walk);
    if (result !== 0 || next === end) return result;
    return yield* walk_pmd_range.restart(nextEntry(pmd), next, end, walk);
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_pmd_range",
    params: ["pmd", "addr", "end", "walk"],
    summary: "The part of one PMD table.",
  },
);
const walk_pmd = kernelFunction(
  "walk_pmd_range",
  function* (pmd: PmdEntry, addr: number, next: number, walk: mm_walk): Kernel<number> {
    const vma = yield* loadPrivate(walk.vma);
    const no_vma = yield* loadPrivate(walk.no_vma);
    const none = yield* fact("P1", reads(pmd_none, pmd));
    if (none || (vma.isNull && !no_vma)) return yield* hole(addr, next, 3, walk);
    yield* fact("P2", storePrivate(walk.action, ACTION_SUBTREE));
    const ops = yield* loadPrivate(walk.ops);
    const pmd_entry = yield* loadPrivate(ops.pmd_entry);
    const error = pmd_entry === null ? 0 : yield* fact("P2", pmd_entry(pmd, addr, next, walk));
    if (error !== 0) return error;
    const action = yield* loadPrivate(walk.action);
    if (action === ACTION_AGAIN) return AGAIN;
    if (vma.isNull) {
      if (yield* fact("P2", reads(pmd_leaf, pmd))) return 0;
      if (!(yield* fact("P2", reads(pmd_present, pmd)))) return 0;
    }
    if (action === ACTION_CONTINUE || (yield* loadPrivate(ops.pte_entry)) === null) return 0;
    if (!vma.isNull && (yield* loadPrivate(walk.huge))) {
      yield* fact("P4", split_huge_pmd(vma, pmd, addr));
      if (yield* fact("P5", pmd_trans_unstable(pmd))) return AGAIN;
    }
    return yield* fact("P6", walk_pte_range(pmd, addr, next, walk));
  },
  { source: "mm/pagewalk.c", facts: "walk_pmd_range", params: ["pmd", "addr", "end", "walk"], internal: true },
);

/** Under the PTE lock where there is a VMA, without it where there is none. */
const walk_pte_range = kernelFunction(
  "walk_pte_range",
  function* (pmd: PmdEntry, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const no_vma = yield* loadPrivate(walk.no_vma);
    const table = yield* fact("P6", value(pmd));
    if (!no_vma && pmd_none(table)) return AGAIN;
    const entry = yield* pte_offset(table, addr);
    if (no_vma) return yield* each_pte(entry, addr, end, walk);
    yield* fact("P6", spin_lock(pte_lockptr(table)));
    const error = yield* each_pte(entry, addr, end, walk);
    yield* fact("P6", spin_unlock(pte_lockptr(table)));
    return error;
  },
  {
    source: "mm/pagewalk.c",
    facts: "walk_pmd_range",
    params: ["pmd", "addr", "end", "walk"],
    summary: "The PTEs of one table.",
  },
);
const each_pte = kernelFunction(
  "walk_pte_range",
  function* (entry: PteEntry, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const ops = yield* loadPrivate(walk.ops);
    const pte_entry = yield* loadPrivate(ops.pte_entry);
    const next = addr + PAGE_SIZE;
    const error = pte_entry === null ? 0 : yield* pte_entry(entry, addr, next, walk);
    if (error !== 0 || next >= end) return error;
    return yield* each_pte.restart(nextEntry(entry), next, end, walk);
  },
  { source: "mm/pagewalk.c", facts: "walk_pmd_range", params: ["pte", "addr", "end", "walk"], internal: true },
);
