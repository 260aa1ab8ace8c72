/** mm/vmscan.c: a page is taken away from whoever maps it, written out and freed. No mmap_sem. */
import { kernelFunction } from "../machine/function.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, NULL } from "../machine/struct.ts";
import { loadPrivate } from "../machine/access.ts";
import type { mm_struct } from "./mm_types.ts";
import { PageCompound } from "./mapcount.ts";
import { put_page } from "./page_alloc.ts";
import { copy_words } from "./page_copy.ts";
import { ClearPageDirty, PageAnon, PageDirty, PageLazyfree, trylock_page, unlock_page } from "./page_flags.ts";
import { page, PAGE_SIZE, pte_devmap, pte_page, pte_present, pte_special } from "./pgtable.ts";
import { add_to_swap, delete_from_swap_cache, PageSwapCache, swap_slot, try_to_free_swap } from "./swap_slot.ts";
import { arch_tlbbatch_flush, cpuPte } from "./tlb.ts";
import { try_to_unmap, TTU_BATCH_FLUSH } from "./try_to_unmap.ts";

const isolate = primitive("isolate_lru_page", (m, mm = 0, addr = 0) => {
  const pte = cpuPte((word) => m.read(word), mm, addr);
  if (!pte_present(pte) || pte_special(pte) || pte_devmap(pte)) return 0;
  const p = pte_page(pte);
  if (PageCompound(p)) return 0;
  m.write(p._refcount.addr, m.read(p._refcount.addr) + 1);
  return p.addr;
});
/**
 * The page at an address with a reference, or NULL: what is taken off the LRU list. One step, for on that list it is
 * found without the page tables, and the list has a lock of its own.
 */
export function isolate_lru_page(mm: mm_struct, addr: number): Kernel<page> {
  return step({
    op: Op.primitive,
    addr: mm.pgd.addr,
    primitive: isolate,
    args: [mm.addr, addr],
    decode: (p) => (p === 0 ? NULL(page) : at(page, p)),
    text: () => `isolate_lru_page(0x${addr.toString(16)})`,
  });
}

/** How many pages of a range are free then, or at least unmapped: what kswapd does if it comes to them. */
export const reclaim_pages = kernelFunction(
  "reclaim_pages",
  function* (mm: mm_struct, start: number, end: number): Kernel<number> {
    return yield* reclaim_each.restart(mm, start, end, 0);
  },
  {
    source: "mm/vmscan.c",
    facts: "try_to_unmap_one",
    params: ["mm", "start", "end"],
    summary: "Pages out what is mapped in a range; how many pages.",
    differs: "Page by page: each is a batch of its own. Pages of 2 MiB stay where they are.",
  },
);
const reclaim_each = kernelFunction(
  "reclaim_pages",
  function* (mm: mm_struct, addr: number, end: number, done: number): Kernel<number> {
    if (addr >= end) return done;
    const p = yield* isolate_lru_page(mm, addr);
    const gone = !p.isNull && (yield* shrink_page_list(p));
    return yield* reclaim_each.restart(mm, addr + PAGE_SIZE, end, done + (gone ? 1 : 0));
  },
  { source: "mm/vmscan.c", params: ["mm", "start", "end", "nr_reclaimed"], internal: true },
);

/** The caller has a reference to the page, and gives it up here. */
export const shrink_page_list = kernelFunction(
  "shrink_page_list",
  function* (p: page): Kernel<boolean> {
    if (!(yield* trylock_page(p))) {
      yield* put_page(p);
      return false;
    }
    const fate = yield* shrink_locked(p);
    yield* unlock_page(p);
    // A page that stays may have been taken from some who mapped it: they are flushed, too.
    if (fate !== "untouched") yield* arch_tlbbatch_flush();
    yield* put_page(p);
    return fate === "gone";
  },
  {
    source: "mm/vmscan.c",
    facts: "try_to_unmap_one",
    params: ["page"],
    summary: "Unmaps a page, writes it out, flushes the TLBs, and frees it.",
    differs:
      "A page of a file is unmapped but stays in the page cache: files have no disk. The caller is no isolated list. " +
      "What is put off is flushed here only: there is no flush_tlb_batched_pending().",
  },
);
/** "gone": unmapped, and nothing but the caller has the page (or, of a file, the page cache). */
type Fate = "gone" | "kept" | "untouched";
const shrink_locked = kernelFunction(
  "shrink_page_list",
  function* (p: page): Kernel<Fate> {
    if (!(yield* PageAnon(p))) return (yield* try_to_unmap(p, TTU_BATCH_FLUSH)) ? "gone" : "kept";
    const lazyfree = yield* PageLazyfree(p);
    if (!lazyfree && !(yield* PageSwapCache(p)) && !(yield* add_to_swap(p))) return "untouched";
    const unmapped = yield* try_to_unmap(p, TTU_BATCH_FLUSH);
    if (lazyfree) return unmapped ? "gone" : "kept";
    if (unmapped && (yield* PageDirty(p))) yield* pageout(p);
    if (unmapped && (yield* __remove_mapping(p))) return "gone";
    yield* try_to_free_swap(p);
    return "kept";
  },
  { source: "mm/vmscan.c", facts: "try_to_unmap_one", params: ["page"], internal: true },
);
/** No CPU may write to the page any more when it is written out. */
const pageout = kernelFunction(
  "pageout",
  function* (p: page): Kernel<void> {
    yield* arch_tlbbatch_flush();
    yield* ClearPageDirty(p);
    const slot = at(swap_slot, yield* loadPrivate(p.private));
    yield* copy_words("swap_writepage", slot.data, p.data);
  },
  {
    source: "mm/vmscan.c",
    params: ["page"],
    summary: "Writes a page into its swap slot, the TLBs being flushed first.",
  },
);

const CALLER_AND_CACHE = 2;
const freeze = primitive("page_ref_freeze", (m, count = 0, expected = 0) => (m.read(count) === expected ? 1 : 0));
/** False if somebody else has a reference: the page must stay. */
const __remove_mapping = kernelFunction(
  "__remove_mapping",
  function* (p: page): Kernel<boolean> {
    const frozen = yield* step({
      op: Op.primitive,
      addr: p._refcount.addr,
      primitive: freeze,
      args: [p._refcount.addr, CALLER_AND_CACHE],
      decode: (n) => n !== 0,
      text: (names) => `page_ref_freeze(${p.expr(names)}, ${CALLER_AND_CACHE})`,
    });
    if (!frozen || (yield* PageDirty(p))) return false;
    yield* delete_from_swap_cache(p);
    return true;
  },
  {
    source: "mm/vmscan.c",
    params: ["page"],
    summary: "Takes a page out of the swap cache if nobody else has a reference.",
    differs:
      "The count is only looked at, not frozen at zero: who finds the page in the swap cache meanwhile waits for its " +
      "lock, and then sees that it has left.",
  },
);
