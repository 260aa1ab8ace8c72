/** mm/filemap.c: the page cache, one page an index. Nothing is read from a disk: new pages are zero. */
import { load, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, NULL, WORD, type Int } from "../machine/struct.ts";
import type { address_space } from "./mm_types.ts";
import { alloc_page, compound_head, initCount, put_page } from "./page_alloc.ts";
import { lock_page, unlock_page } from "./page_flags.ts";
import { page } from "./pgtable.ts";

/** What stands for a page in the cache: its address. */
const slotOf = (mapping: address_space, index: number): Int => mapping.pages.at(index);

const lookUp = primitive("find_get_page", (m, slot = 0, refcount = 0) => {
  const addr = m.read(slot);
  if (addr === 0) return 0;
  const head = compound_head(at(page, addr)).addr;
  m.write(head + refcount, m.read(head + refcount) + 1);
  return addr;
});
const REFCOUNT = at(page, 0)._refcount.addr;
/**
 * The page at an index with a reference, or NULL. One step: the kernel takes the reference unless it is zero, and looks
 * at the slot again.
 */
export function find_get_page(mapping: address_space, index: number): Kernel<page> {
  const slot = slotOf(mapping, index);
  return step({
    op: Op.primitive,
    addr: slot.addr,
    primitive: lookUp,
    args: [slot.addr, REFCOUNT],
    decode: (addr) => (addr === 0 ? NULL(page) : at(page, addr)),
    text: (names) => `find_get_page(${mapping.expr(names)}, ${index})`,
  });
}

/** The page at an index, locked and with a reference, made if it is not there; NULL behind the end of the file. */
export const find_lock_page = kernelFunction(
  "pagecache_get_page",
  function* (mapping: address_space, index: number): Kernel<page> {
    const there = yield* find_get_page(mapping, index);
    if (there.isNull) return yield* add_to_page_cache(mapping, index);
    yield* lock_page(there);
    if ((yield* load(there.mapping)) === mapping.addr) return there;
    yield* unlock_page(there); // truncated while we slept
    yield* put_page(there);
    return yield* find_lock_page.restart(mapping, index);
  },
  {
    source: "mm/filemap.c",
    facts: "file/shmem",
    params: ["mapping", "index"],
    summary: "Finds or makes a page of a file, and locks it.",
    differs: "Nothing is read from a disk, so it never drops mmap_sem to wait.",
  },
);
const add_to_page_cache = kernelFunction(
  "add_to_page_cache_lru",
  function* (mapping: address_space, index: number): Kernel<page> {
    const fresh = yield* alloc_page();
    if (fresh.isNull) return fresh;
    yield* storePrivate(fresh.mapping, mapping.addr);
    yield* storePrivate(fresh.index, index);
    yield* initCount(fresh._refcount, 2); // the cache's and the caller's
    yield* lock_page(fresh);
    yield* spin_lock(mapping.i_pages);
    const slot = slotOf(mapping, index);
    const lost = (yield* load(slot)) !== 0;
    if (!lost) yield* enterPage(slot, fresh);
    yield* spin_unlock(mapping.i_pages);
    if (!lost) return fresh;
    yield* initCount(fresh._refcount, 1);
    yield* put_page(fresh);
    return yield* find_lock_page.restart(mapping, index);
  },
  { source: "mm/filemap.c", params: ["mapping", "index"], summary: "Adds a new page to a file's cache, locked." },
);
function* enterPage(slot: Int, p: page): Kernel<void> {
  yield* step({
    op: Op.store,
    addr: slot.addr,
    a: p.addr,
    text: (names) => `xas_store(&${slot.expr(names)}, ${p.expr(names)})`,
  });
}
/** Takes a locked page out of the cache; the cache's reference goes. */
export const delete_from_page_cache = kernelFunction(
  "delete_from_page_cache",
  function* (mapping: address_space, index: number, p: page): Kernel<void> {
    const slot = slotOf(mapping, index);
    yield* spin_lock(mapping.i_pages);
    yield* step({ op: Op.store, addr: slot.addr, text: (names) => `xas_store(&${slot.expr(names)}, NULL)` });
    yield* step({ op: Op.store, addr: p.mapping.addr, text: (names) => `${p.expr(names)}->mapping = NULL` });
    yield* spin_unlock(mapping.i_pages);
    yield* put_page(p);
  },
  { source: "mm/filemap.c", params: ["mapping", "index", "page"], summary: "Takes a page out of a file's cache." },
);

const nextCached = primitive("find_get_entries", (m, pages = 0, from = 0, length = 0) => {
  m.read(pages);
  for (let i = from; i < length; i++) if (m.peek(pages + i * WORD) !== 0) return i;
  return -1;
});
/** Index of the first page from `from` on that is in the cache, or -1: one look at all of them. */
export function next_cached(mapping: address_space, from: number): Kernel<number> {
  return step({
    op: Op.primitive,
    addr: mapping.pages.addr,
    primitive: nextCached,
    args: [mapping.pages.addr, from, mapping.pages.length],
    text: (names) => `find_get_entries(${mapping.expr(names)}, ${from})`,
  });
}
