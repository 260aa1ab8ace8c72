/** mm/rmap.c: which VMAs may map an anonymous page. The walk itself is in rmap_walk.ts. */
import { load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { atomic_dec, atomic_dec_and_test, atomic_inc } from "../machine/atomic.ts";
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { list_add_tail, list_del, list_empty, type list_head } from "../machine/list.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { Op, step, type Kernel } from "../machine/step.ts";
import { container_of, NULL } from "../machine/struct.ts";
import { anon_vma, vm_area_struct, type address_space } from "./mm_types.ts";
import { allocate, count, initCount, initList } from "./page_alloc.ts";
import { PG_anon, PG_lru } from "./page_flags.ts";
import { PAGE_SIZE, type page } from "./pgtable.ts";

/** The anon_vma of a VMA, made if it has none; needs mmap_sem. */
export const anon_vma_prepare = kernelFunction(
  "anon_vma_prepare",
  function* (vma: vm_area_struct): Kernel<anon_vma> {
    const there = yield* load(vma.anon_vma);
    return there.isNull ? yield* __anon_vma_prepare(vma) : there;
  },
  { source: "mm/rmap.c", params: ["vma"], summary: "Sees to it that a VMA has an anon_vma." },
);
const __anon_vma_prepare = kernelFunction(
  "__anon_vma_prepare",
  function* (vma: vm_area_struct): Kernel<anon_vma> {
    const fresh = yield* allocate(anon_vma, "anon_vma_alloc()");
    yield* initList(fresh.vmas);
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* down_write(fresh.rwsem);
    yield* spin_lock(mm.page_table_lock);
    const there = yield* load(vma.anon_vma);
    if (there.isNull) {
      yield* store(vma.anon_vma, fresh);
      yield* list_add_tail(vma.anon_vma_node, fresh.vmas);
    }
    yield* spin_unlock(mm.page_table_lock);
    yield* up_write(fresh.rwsem);
    if (there.isNull) return fresh;
    yield* freeBy("put_anon_vma", fresh);
    return there;
  },
  {
    source: "mm/rmap.c",
    params: ["vma"],
    summary: "Makes an anon_vma, unless somebody else was faster.",
    differs: "Neighbouring VMAs do not share one.",
  },
);
/** A VMA shares the anon_vma of the one it was made from; it is not linked into the tree yet. */
export const anon_vma_clone = kernelFunction(
  "anon_vma_clone",
  function* (vma: vm_area_struct, from: vm_area_struct): Kernel<void> {
    const family = yield* load(from.anon_vma);
    if (family.isNull) return;
    yield* down_write(family.rwsem);
    yield* storePrivate(vma.anon_vma, family);
    yield* list_add_tail(vma.anon_vma_node, family.vmas);
    yield* up_write(family.rwsem);
  },
  {
    source: "mm/rmap.c",
    params: ["dst", "src"],
    summary: "Makes a VMA one of the family of another.",
    differs: "A child of fork() gets no anon_vma of its own: all share the first one.",
  },
);
function extraReferences(family: anon_vma): Kernel<number> {
  return step({ op: Op.silentLoad, addr: family.refcount.addr, text: (names) => family.refcount.expr(names) });
}
export const put_anon_vma = kernelFunction(
  "put_anon_vma",
  function* (family: anon_vma): Kernel<void> {
    if (yield* atomic_dec_and_test(family.refcount)) yield* freeBy("anon_vma_free", family);
  },
  { source: "mm/rmap.c", params: ["anon_vma"], summary: "One reference less; the last one frees it.", atom: true },
);
export const unlink_anon_vmas = kernelFunction(
  "unlink_anon_vmas",
  function* (vma: vm_area_struct): Kernel<void> {
    const family = yield* load(vma.anon_vma);
    if (family.isNull) return;
    yield* down_write(family.rwsem);
    yield* list_del(vma.anon_vma_node);
    const last = yield* list_empty(family.vmas);
    yield* up_write(family.rwsem);
    if (!last) return;
    // Nothing maps a page of the family any more: nobody can take a first reference now.
    if ((yield* extraReferences(family)) === 0) yield* freeBy("put_anon_vma", family);
    else yield* put_anon_vma(family);
  },
  { source: "mm/rmap.c", params: ["vma"], summary: "Takes a VMA out of its family; the last one frees the anon_vma." },
);

/** A VMA of a file is found by it from here on. */
export function* vma_link_file(vma: vm_area_struct): Kernel<void> {
  const file = yield* loadPrivate(vma.vm_file);
  if (!file.isNull) yield* __vma_link_file(vma, file);
}
const __vma_link_file = kernelFunction(
  "__vma_link_file",
  function* (vma: vm_area_struct, file: address_space): Kernel<void> {
    yield* down_write(file.i_mmap_rwsem);
    yield* list_add_tail(vma.shared, file.i_mmap);
    yield* up_write(file.i_mmap_rwsem);
  },
  {
    source: "mm/mmap.c",
    params: ["vma", "file"],
    own: ["file"],
    summary: "Enters a VMA into the list of those that map its file.",
  },
);
/**
 * Keeps those out who go from a page to its VMAs: they see all words of `vma` that a split changes, or none. `part`, the
 * new one, is entered into the list of those that map the file.
 */
export const lock_rmap = kernelFunction(
  "__vma_adjust",
  function* (vma: vm_area_struct, part: vm_area_struct): Kernel<void> {
    const file = yield* loadPrivate(vma.vm_file);
    if (!file.isNull) {
      yield* down_write(file.i_mmap_rwsem);
      yield* list_add_tail(part.shared, file.i_mmap);
    }
    const family = yield* loadPrivate(vma.anon_vma);
    if (!family.isNull) yield* down_write(family.rwsem);
  },
  { source: "mm/mmap.c", params: ["vma", "insert"], internal: true },
);
export const unlock_rmap = kernelFunction(
  "__vma_adjust",
  function* (vma: vm_area_struct): Kernel<void> {
    const family = yield* loadPrivate(vma.anon_vma);
    if (!family.isNull) yield* up_write(family.rwsem);
    const file = yield* loadPrivate(vma.vm_file);
    if (!file.isNull) yield* up_write(file.i_mmap_rwsem);
  },
  { source: "mm/mmap.c", params: ["vma"], internal: true },
);
export function* unlink_file_vma(vma: vm_area_struct): Kernel<void> {
  const file = yield* loadPrivate(vma.vm_file);
  if (!file.isNull) yield* __unlink_file_vma(vma, file);
}
const __unlink_file_vma = kernelFunction(
  "unlink_file_vma",
  function* (vma: vm_area_struct, file: address_space): Kernel<void> {
    yield* down_write(file.i_mmap_rwsem);
    yield* list_del(vma.shared);
    yield* up_write(file.i_mmap_rwsem);
  },
  {
    source: "mm/mmap.c",
    params: ["vma", "file"],
    own: ["file"],
    summary: "Takes a VMA off the list of those that map its file.",
  },
);

/**
 * The place of an address in what its VMA maps. No step of its own: the two words change together, by as much, and only
 * where a stack grows.
 */
export function* linear_page_index(vma: vm_area_struct, addr: number): Kernel<number> {
  const start = yield* loadPrivate(vma.vm_start);
  return (yield* loadPrivate(vma.vm_pgoff)) + Math.floor(addr / PAGE_SIZE) - start / PAGE_SIZE;
}

/** For a page that nobody else knows yet: no step of its own but to ask where it belongs. */
export const page_add_new_anon_rmap = kernelFunction(
  "page_add_new_anon_rmap",
  function* (p: page, vma: vm_area_struct, addr: number): Kernel<void> {
    const family = yield* loadPrivate(vma.anon_vma);
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* storePrivate(p.mapping, family.addr);
    yield* storePrivate(p.index, yield* linear_page_index(vma, addr));
    yield* storePrivate(p.flags, PG_anon | PG_lru);
    yield* initCount(p.mapcount, 1);
    yield* count(mm.rss_stat, 1);
  },
  {
    source: "mm/rmap.c",
    params: ["page", "vma", "address"],
    summary: "Says where a new anonymous page is mapped.",
    atom: true,
  },
);
export const page_add_rmap = kernelFunction(
  "page_add_rmap",
  function* (p: page, vma: vm_area_struct): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* atomic_inc(p.mapcount);
    yield* count(mm.rss_stat, 1);
  },
  { source: "mm/rmap.c", params: ["page", "vma"], summary: "One more entry maps a page.", atom: true },
);
export const page_remove_rmap = kernelFunction(
  "page_remove_rmap",
  function* (p: page, vma: vm_area_struct): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* atomic_dec(p.mapcount);
    yield* count(mm.rss_stat, -1);
  },
  { source: "mm/rmap.c", params: ["page", "vma"], summary: "One entry less maps a page.", atom: true },
);

/** The VMAs on an i_mmap or an anon_vma, in turn; NULL behind the last. The lock of the list must be held. */
export function* list_first_vma(list: list_head): Kernel<vm_area_struct> {
  return vmaOn(list, yield* load(list.next), "shared");
}
export function* list_next_vma(vma: vm_area_struct, list: list_head): Kernel<vm_area_struct> {
  return vmaOn(list, yield* load(vma.shared.next), "shared");
}
const vmaOn = (list: list_head, node: list_head, field: "shared" | "anon_vma_node"): vm_area_struct =>
  node === list ? NULL(vm_area_struct) : container_of(node, vm_area_struct, field);
export function* first_of_family(family: anon_vma): Kernel<vm_area_struct> {
  return vmaOn(family.vmas, yield* load(family.vmas.next), "anon_vma_node");
}
export function* next_of_family(family: anon_vma, vma: vm_area_struct): Kernel<vm_area_struct> {
  return vmaOn(family.vmas, yield* load(vma.anon_vma_node.next), "anon_vma_node");
}
