/**
 * mm/swapfile.c: what has been paged out. Differs: a slot is an object that holds the page's contents and counts PTEs.
 */
import { loadPrivate, store, storePrivate } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { atomic_dec_and_test, atomic_read } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, atomic, headerAddress, NULL, pointer, Struct, words } from "../machine/struct.ts";

import { page_mapcount } from "./mapcount.ts";
import { allocate, get_page, initCount, put_page } from "./page_alloc.ts";
import { trylock_page, unlock_page } from "./page_flags.ts";
import { page } from "./pgtable.ts";

const WORDS_PER_PAGE = 512;
export class swap_slot extends Struct {
  static readonly short: string = "slot";
  static readonly common = true;
  /** Entries that refer to it, and the swap cache's own. Atomic. */
  swap_map = atomic();
  /** The page in the swap cache, which has a reference to it; NULL if there is none. Lock of that page. */
  cached = pointer(() => page);
  /** Contents of the page. */
  data = words(WORDS_PER_PAGE);
}
export const swap_free = kernelFunction(
  "swap_free",
  function* (slot: swap_slot): Kernel<void> {
    if (yield* atomic_dec_and_test(slot.swap_map)) yield* freeBy("free_swap_slot", slot);
  },
  { source: "mm/swapfile.c", params: ["entry"], summary: "One entry less refers to a swap slot.", atom: true },
);

/** Gives a locked page a slot, and enters it into the swap cache; false if swap is full. */
export const add_to_swap = kernelFunction(
  "add_to_swap",
  function* (p: page): Kernel<boolean> {
    const slot = yield* allocate(swap_slot, "get_swap_page(page)");
    if (slot.isNull) return false;
    yield* get_page(p);
    yield* initCount(slot.swap_map, 1);
    yield* storePrivate(slot.cached, p); // nobody knows the slot yet
    yield* storePrivate(p.private, slot.addr);
    return true;
  },
  { source: "mm/swap_state.c", params: ["page"], summary: "Gives a locked page a slot in swap." },
);
/** Whether a locked page is in the swap cache: its lock makes reading that no step. */
export function* PageSwapCache(p: page): Kernel<boolean> {
  return (yield* loadPrivate(p.private)) !== 0;
}
/** Takes a locked page out of the swap cache: the cache's reference to the page and to the slot go. */
export const delete_from_swap_cache = kernelFunction(
  "delete_from_swap_cache",
  function* (p: page): Kernel<void> {
    const slot = at(swap_slot, yield* loadPrivate(p.private));
    yield* store(slot.cached, null);
    yield* storePrivate(p.private, 0);
    yield* swap_free(slot);
    yield* put_page(p);
  },
  { source: "mm/swap_state.c", params: ["page"], summary: "Takes a locked page out of the swap cache." },
);
/** If no entry refers to the slot of a locked page any more, it gives it up. */
export const try_to_free_swap = kernelFunction(
  "try_to_free_swap",
  function* (p: page): Kernel<void> {
    const slot = at(swap_slot, yield* loadPrivate(p.private));
    if ((yield* atomic_read(slot.swap_map)) === 1) yield* delete_from_swap_cache(p);
  },
  { source: "mm/swapfile.c", params: ["page"], summary: "Gives the slot of a page up that nobody refers to." },
);

/**
 * Whether a locked page is that of one entry alone, those that have it in swap counted in; then it leaves the swap
 * cache, for it is about to be written to.
 */
export const reuse_swap_page = kernelFunction(
  "reuse_swap_page",
  function* (p: page): Kernel<boolean> {
    const mapped = yield* page_mapcount(p);
    if (mapped !== 1 || !(yield* PageSwapCache(p))) return mapped === 1;
    const slot = at(swap_slot, yield* loadPrivate(p.private));
    if ((yield* atomic_read(slot.swap_map)) !== 1) return false;
    yield* delete_from_swap_cache(p);
    return true;
  },
  { source: "mm/swapfile.c", facts: "COW", params: ["page"], summary: "Whether nobody shares an anonymous page." },
);
/** Nobody maps a page any more, and nobody but the swap cache refers to its slot: both are given up. */
export const free_swap_cache = kernelFunction(
  "free_swap_cache",
  function* (p: page): Kernel<void> {
    if (!(yield* trylock_page(p))) return;
    if ((yield* PageSwapCache(p)) && (yield* atomic_read(p.mapcount)) === 0) yield* try_to_free_swap(p);
    yield* unlock_page(p);
  },
  { source: "mm/swap_state.c", params: ["page"], summary: "Gives the slot of a page up that nobody maps." },
);
/** An entry that referred to a slot is gone for good. */
export const free_swap_and_cache = kernelFunction(
  "free_swap_and_cache",
  function* (slot: swap_slot): Kernel<void> {
    yield* swap_free(slot);
    const cached = yield* lookup_swap_cache(slot);
    if (cached.isNull) return;
    yield* free_swap_cache(cached);
    yield* put_page(cached);
  },
  {
    source: "mm/swapfile.c",
    params: ["entry"],
    summary: "One entry less refers to a swap slot, or to what caches it.",
  },
);

const lookUp = primitive("lookup_swap_cache", (m, slot = 0) => {
  if (m.peek(headerAddress(slot)) <= 0) return 0; // freed: the entry it was read from has changed
  const addr = m.read(at(swap_slot, slot).cached.addr);
  if (addr !== 0) m.write(at(page, addr)._refcount.addr, m.read(at(page, addr)._refcount.addr) + 1);
  return addr;
});
/** The page that the swap cache has for a slot, with a reference, or NULL. One step, as find_get_page(). */
export function lookup_swap_cache(slot: swap_slot): Kernel<page> {
  return step({
    op: Op.primitive,
    primitive: lookUp,
    args: [slot.addr],
    decode: (addr) => (addr === 0 ? NULL(page) : at(page, addr)),
    text: (names) => `lookup_swap_cache(${slot.expr(names)})`,
  });
}
