/** mm/migrate.c: a page's contents move to another page, and whoever comes meanwhile waits at a migration entry. */
import { load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { atomic_inc } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, NULL } from "../machine/struct.ts";
import { EAGAIN, EBUSY, ENOMEM } from "../machine/errno.ts";
import { address_space, anon_vma, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { alloc_page, get_page, put_page } from "./page_alloc.ts";
import { copy_user_highpage } from "./page_copy.ts";
import {
  lock_page,
  PageAnon,
  PageDirty,
  set_page_dirty,
  is_device_private_page,
  PG_device,
  PG_dirty,
  PG_locked,
  trylock_page,
  unlock_page,
} from "./page_flags.ts";
import { make_device_private_entry, mk_pte, page, PAGE_SIZE, pte_lockptr, pte_write } from "./pgtable.ts";
import { pte_offset, set_pte_at, value } from "./pgtable_steps.ts";
import { put_anon_vma } from "./rmap.ts";
import { page_get_anon_vma, page_vma_mapped_walk, rmap_walk } from "./rmap_walk.ts";
import { PageSwapCache, swap_slot } from "./swap_slot.ts";
import { try_to_unmap, TTU_MIGRATION } from "./try_to_unmap.ts";
import { isolate_lru_page } from "./vmscan.ts";

/** move_pages(2) of whatever is mapped in a range; how many pages have moved. */
export const migrate_range = kernelFunction(
  "migrate_pages",
  function* (mm: mm_struct, start: number, end: number): Kernel<number> {
    return yield* migrate_each.restart(mm, start, end, 0);
  },
  {
    source: "mm/migrate.c",
    facts: "migrate_pages",
    params: ["mm", "start", "end"],
    summary: "Moves the contents of what is mapped in a range to other pages; how many pages.",
    differs: "Page by page, one try each. Pages of 2 MiB stay where they are.",
  },
);
const migrate_each = kernelFunction(
  "migrate_pages",
  function* (mm: mm_struct, addr: number, end: number, done: number): Kernel<number> {
    if (addr >= end) return done;
    const p = yield* isolate_lru_page(mm, addr);
    const error = p.isNull ? -EBUSY : yield* unmap_and_move(p);
    return yield* migrate_each.restart(mm, addr + PAGE_SIZE, end, done + (error === 0 ? 1 : 0));
  },
  { source: "mm/migrate.c", params: ["mm", "start", "end", "done"], internal: true },
);

/** The caller has a reference to the page, and gives it up here. */
export const unmap_and_move = kernelFunction(
  "unmap_and_move",
  function* (p: page): Kernel<number> {
    const fresh = yield* alloc_page();
    const error = fresh.isNull ? -ENOMEM : yield* __unmap_and_move(p, fresh);
    if (!fresh.isNull) yield* fact(10, put_page(fresh));
    yield* fact(10, put_page(p));
    return error;
  },
  { source: "mm/migrate.c", facts: "migrate_pages", params: ["page"], summary: "Moves one page." },
);
const __unmap_and_move = kernelFunction(
  "__unmap_and_move",
  function* (p: page, fresh: page): Kernel<number> {
    yield* fact(1, lock_page(p));
    const anon = yield* PageAnon(p);
    const family = anon ? yield* fact(2, page_get_anon_vma(p)) : NULL(anon_vma);
    const hasRmap = !anon || !family.isNull;
    let error = -EAGAIN;
    if (hasRmap && (yield* fact(3, trylock_page(fresh)))) {
      if (yield* fact(4, try_to_unmap(p, TTU_MIGRATION))) error = yield* move_to_new_page(fresh, p, 0);
      yield* fact(8, remove_migration_ptes(p, error === 0 ? fresh : p));
      yield* fact(9, unlock_page(fresh));
    }
    if (!family.isNull) yield* put_anon_vma(family);
    yield* fact(9, unlock_page(p));
    return error;
  },
  {
    source: "mm/migrate.c",
    facts: "migrate_pages",
    params: ["page", "newpage"],
    summary: "Unmaps a page, moves it, and maps the new one where the old one was; or the old one again.",
    differs: "A page that nobody maps any more is not moved.",
  },
);

const freeze = primitive("migrate_page_move_mapping", (m, count = 0, expected = 0) =>
  m.read(count) === expected ? 1 : 0,
);
/** -EAGAIN: somebody else has a reference. */
export const move_to_new_page = kernelFunction(
  "migrate_page",
  function* (fresh: page, p: page, extra: number): Kernel<number> {
    const anon = yield* PageAnon(p);
    const cached = anon ? yield* PageSwapCache(p) : true;
    const expected = (cached ? 2 : 1) + extra;
    const mapping = anon ? NULL(address_space) : at(address_space, yield* load(p.mapping));
    if (!anon) yield* fact(6, spin_lock(mapping.i_pages));
    const alone = yield* fact(
      6,
      step({
        op: Op.primitive,
        addr: p._refcount.addr,
        primitive: freeze,
        args: [p._refcount.addr, expected],
        decode: (n) => n !== 0,
        text: (names) => `page_count(${p.expr(names)}) == ${expected}`,
      }),
    );
    if (alone) yield* move_mapping(fresh, p, mapping);
    if (!anon) yield* fact(6, spin_unlock(mapping.i_pages));
    if (!alone) return -EAGAIN;
    if (cached) yield* put_page(p);
    yield* fact(7, copy_user_highpage(fresh, p));
    if (yield* PageDirty(p)) yield* set_page_dirty(fresh);
    return 0;
  },
  {
    source: "mm/migrate.c",
    facts: "migrate_pages",
    params: ["newpage", "page", "extra"],
    own: ["extra"],
    summary: "Puts a new page into the place of a locked one that nobody maps, and copies the contents.",
  },
);
/** The page cache, or the swap cache, knows the new page from here on; nobody else knows it yet. */
const move_mapping = kernelFunction(
  "migrate_page_move_mapping",
  function* (fresh: page, p: page, mapping: address_space): Kernel<void> {
    const index = yield* loadPrivate(p.index);
    const slot = at(swap_slot, yield* loadPrivate(p.private));
    yield* storePrivate(fresh.index, index);
    yield* storePrivate(fresh.mapping, yield* loadPrivate(p.mapping));
    yield* copy_flags(fresh, p);
    if (!mapping.isNull) {
      yield* get_page(fresh);
      yield* fact(7, store(mapping.pages.at(index), fresh.addr));
      yield* fact(7, store(p.mapping, 0));
    } else if (!slot.isNull) {
      yield* get_page(fresh);
      yield* storePrivate(fresh.private, slot.addr);
      yield* storePrivate(p.private, 0);
      yield* fact(7, store(slot.cached, fresh));
    }
  },
  { source: "mm/migrate.c", facts: "migrate_pages", params: ["newpage", "page", "mapping"], internal: true },
);
const ITS_OWN = PG_locked | PG_dirty | PG_device;
const copyFlags = primitive("migrate_page_states", (m, to = 0, from = 0) => {
  m.write(to, m.read(to) | (m.read(from) & ~ITS_OWN));
  return 0;
});
function* copy_flags(fresh: page, p: page): Kernel<void> {
  yield* step({
    op: Op.silentPrimitive,
    primitive: copyFlags,
    args: [fresh.flags.addr, p.flags.addr],
    text: (names) => `migrate_page_states(${fresh.expr(names)}, ${p.expr(names)})`,
  });
}

/**
 * Every migration entry of `old` becomes an entry of `fresh`, which may be the same. No notifier: nothing was there.
 */
export const remove_migration_ptes = kernelFunction(
  "remove_migration_ptes",
  function* (old: page, fresh: page): Kernel<void> {
    yield* rmap_walk(fresh.addr === old.addr ? old : fresh, remove_migration_pte, old.addr, true);
  },
  {
    source: "mm/migrate.c",
    facts: "migrate_pages",
    params: ["old", "new"],
    summary: "Maps a page where migration entries stand for another.",
  },
);
const remove_migration_pte = kernelFunction(
  "remove_migration_pte",
  function* (fresh: page, vma: vm_area_struct, addr: number, oldAddr: number): Kernel<boolean> {
    const old = at(page, oldAddr);
    const table = yield* fact(8, page_vma_mapped_walk(old, vma, addr, "migrating"));
    if (table === 0) return true;
    const entry = yield* pte_offset(table, addr);
    const writable = pte_write(yield* fact(8, value(entry)));
    yield* fact(8, get_page(fresh));
    const device = yield* is_device_private_page(fresh);
    const pte = device ? make_device_private_entry(fresh, writable) : mk_pte(fresh, writable, false);
    yield* fact(8, set_pte_at(entry, pte));
    yield* fact(8, atomic_inc(fresh.mapcount)); // still counted as memory of the mm
    yield* fact(8, spin_unlock(pte_lockptr(table)));
    return true;
  },
  {
    source: "mm/migrate.c",
    facts: "migrate_pages",
    params: ["new", "vma", "address", "old"],
    summary: "Maps a page in one VMA where a migration entry stands for another.",
  },
);
