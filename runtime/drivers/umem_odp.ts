/** drivers/infiniband/core/umem_odp.c as the proposal "Use HMM for ODP v4" had it. */
import { add, load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { kfree, kzalloc } from "../machine/alloc.ts";
import { WARN_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { list_add, list_add_tail, list_del, list_empty, list_next, type list_head } from "../machine/list.ts";
import { mutex_lock, mutex_unlock } from "../machine/mutex.ts";
import { down_read, down_read_trylock, down_write, up_read, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { container_of, NULL } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { EAGAIN, EBUSY, EINVAL, ENOENT, ENOMEM } from "../machine/errno.ts";
import type { ImageWriter } from "../image.ts";
import { mmdrop, mmgrab } from "../mm/fork.ts";
import { hmm_mirror_mm_is_alive, hmm_mirror_register, hmm_mirror_unregister } from "../mm/hmm.ts";
import { dma_unmap_pages, hmm_range_dma_map } from "../mm/hmm_dma.ts";
import { hmm_mirror_ops, type hmm_mirror, type hmm_range, type hmm_update } from "../mm/hmm_types.ts";
import { type mm_struct } from "../mm/mm_types.ts";
import { PAGE_SIZE } from "../mm/pgtable.ts";
import { initList } from "../mm/page_alloc.ts";
import { ib_ucontext, ib_ucontext_per_mm, ib_umem_odp, UMEM_PAGES_MAX } from "./ib_types.ts";

/** The one context there is. Differs: a process has one per device it opens. */
export const context = staticObject(ib_ucontext);
const ib_umem_notifiers = staticObject(hmm_mirror_ops, "ib_umem_notifiers");

const umemOf = (node: list_head): ib_umem_odp => container_of(node, ib_umem_odp, "interval_tree");
const perMmOf = (mirror: hmm_mirror): ib_ucontext_per_mm => container_of(mirror, ib_ucontext_per_mm, "mirror");

/** First and last address of a umem. They never change. */
export function* umemBounds(umem_odp: ib_umem_odp): Kernel<readonly [start: number, end: number]> {
  const start = yield* loadPrivate(umem_odp.umem.address);
  return [start, start + (yield* loadPrivate(umem_odp.umem.length))];
}

// ---- the mirror's callbacks

const ib_sync_cpu_device_pagetables = kernelFunction(
  "ib_sync_cpu_device_pagetables",
  function* (mirror: hmm_mirror, [start, end, , blockable]: hmm_update): Kernel<number> {
    const per_mm = perMmOf(mirror);
    if (blockable) yield* down_read(per_mm.umem_rwsem);
    else if (!(yield* down_read_trylock(per_mm.umem_rwsem))) return -EAGAIN;
    let ret = 0;
    if (yield* load(per_mm.active)) {
      const first = yield* list_next(per_mm.umem_tree, per_mm.umem_tree);
      ret = yield* invalidate_each(first, per_mm, start, end, blockable);
    }
    yield* up_read(per_mm.umem_rwsem);
    return ret;
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "sync cb",
    params: ["mirror", "update"],
    summary: "Has the driver let go of the part of each umem that meets the range.",
  },
);
const invalidate_each = kernelFunction(
  "invalidate_range_trampoline",
  function* (
    node: list_head | null,
    per_mm: ib_ucontext_per_mm,
    start: number,
    end: number,
    blockable: boolean,
  ): Kernel<number> {
    if (node === null) return 0;
    const umem_odp = umemOf(node);
    const [from, to] = yield* umemBounds(umem_odp);
    if (from < end && start < to) {
      if (!blockable) return -EAGAIN;
      const invalidate_range = yield* loadPrivate(context.invalidate_range);
      if (invalidate_range !== null) yield* invalidate_range(umem_odp, start, end);
    }
    const next = yield* list_next(node, per_mm.umem_tree);
    return yield* invalidate_each.restart(next, per_mm, start, end, blockable);
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "sync cb",
    params: ["node", "per_mm", "start", "end", "blockable"],
    internal: true,
  },
);

const ib_umem_notifier_release = kernelFunction(
  "ib_umem_notifier_release",
  function* (mirror: hmm_mirror): Kernel<void> {
    const per_mm = perMmOf(mirror);
    yield* down_read(per_mm.umem_rwsem);
    if (yield* load(per_mm.active)) yield* release_each(yield* list_next(per_mm.umem_tree, per_mm.umem_tree), per_mm);
    yield* up_read(per_mm.umem_rwsem);
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "release cb",
    params: ["mirror"],
    summary: "The address space goes away: has the driver let go of every umem.",
  },
);
const release_each = kernelFunction(
  "ib_umem_notifier_release_trampoline",
  function* (node: list_head | null, per_mm: ib_ucontext_per_mm): Kernel<void> {
    if (node === null) return;
    const umem_odp = umemOf(node);
    yield* store(umem_odp.dying, true);
    const [start, end] = yield* umemBounds(umem_odp);
    const invalidate_range = yield* loadPrivate(context.invalidate_range);
    if (invalidate_range !== null) yield* invalidate_range(umem_odp, start, end);
    return yield* release_each.restart(yield* list_next(node, per_mm.umem_tree), per_mm);
  },
  { source: "drivers/infiniband/core/umem_odp.c", facts: "release cb", params: ["node", "per_mm"], internal: true },
);

// ---- per_mm

const alloc_per_mm = kernelFunction(
  "alloc_per_mm",
  function* (mm: mm_struct): Kernel<readonly [error: number, per_mm: ib_ucontext_per_mm]> {
    const per_mm = yield* kzalloc(ib_ucontext_per_mm);
    if (per_mm.isNull) return [-ENOMEM, per_mm];
    yield* storePrivate(per_mm.context, context);
    yield* storePrivate(per_mm.mm, mm);
    yield* initList(per_mm.umem_tree);
    yield* storePrivate(per_mm.active, true);
    yield* storePrivate(per_mm.mirror.ops, ib_umem_notifiers);
    yield* down_write(mm.mmap_sem);
    const error = yield* hmm_mirror_register(per_mm.mirror, mm);
    yield* up_write(mm.mmap_sem);
    if (error === 0) yield* list_add(per_mm.ucontext_list, context.per_mm_list);
    else yield* kfree(per_mm);
    return [error, per_mm];
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "alloc_per_mm",
    params: ["mm"],
    summary: "Begins to mirror an address space for a context.",
    differs: "No pid is kept: nothing looks for the task.",
  },
);

const find_per_mm = kernelFunction(
  "get_per_mm",
  function* (node: list_head | null, mm: mm_struct): Kernel<ib_ucontext_per_mm> {
    if (node === null) return NULL(ib_ucontext_per_mm);
    const per_mm = container_of(node, ib_ucontext_per_mm, "ucontext_list");
    if ((yield* load(per_mm.mm)) === mm) return per_mm;
    return yield* find_per_mm.restart(yield* list_next(node, context.per_mm_list), mm);
  },
  { source: "drivers/infiniband/core/umem_odp.c", params: ["node", "mm"], internal: true },
);
const get_per_mm = kernelFunction(
  "get_per_mm",
  function* (umem_odp: ib_umem_odp, mm: mm_struct): Kernel<number> {
    yield* mutex_lock(context.per_mm_list_lock);
    let error = 0;
    let per_mm = yield* find_per_mm(yield* list_next(context.per_mm_list, context.per_mm_list), mm);
    if (per_mm.isNull) [error, per_mm] = yield* alloc_per_mm(mm);
    if (error === 0) {
      yield* store(umem_odp.per_mm, per_mm);
      yield* add(per_mm.odp_mrs_count, 1);
    }
    yield* mutex_unlock(context.per_mm_list_lock);
    return error;
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "per_mm",
    params: ["umem_odp", "mm"],
    summary: "Gives a umem the per_mm of its address space, made if need be.",
  },
);

const put_per_mm = kernelFunction(
  "put_per_mm",
  function* (umem_odp: ib_umem_odp): Kernel<void> {
    const per_mm = yield* load(umem_odp.per_mm);
    yield* mutex_lock(context.per_mm_list_lock);
    yield* store(umem_odp.per_mm, null);
    const need_free = (yield* add(per_mm.odp_mrs_count, -1)) === 0;
    if (need_free) yield* list_del(per_mm.ucontext_list);
    yield* mutex_unlock(context.per_mm_list_lock);
    if (!need_free) return;
    yield* down_write(per_mm.umem_rwsem);
    yield* store(per_mm.active, false);
    yield* up_write(per_mm.umem_rwsem);
    yield* WARN_ON(!(yield* list_empty(per_mm.umem_tree)), "!RB_EMPTY_ROOT(&per_mm->umem_tree)");
    yield* hmm_mirror_unregister(per_mm.mirror);
    yield* kfree(per_mm);
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "put_per_mm",
    params: ["umem_odp"],
    summary: "Takes the per_mm from a umem; with the last one the mirror ends and the per_mm is freed at once.",
  },
);

// ---- umems come and go

export const ib_umem_odp_get = kernelFunction(
  "ib_umem_odp_get",
  function* (umem_odp: ib_umem_odp, mm: mm_struct, start: number, end: number, writable: boolean): Kernel<number> {
    if (start % PAGE_SIZE !== 0 || end % PAGE_SIZE !== 0 || start >= end) return -EINVAL;
    const tooLong = (end - start) / PAGE_SIZE > UMEM_PAGES_MAX;
    if (yield* WARN_ON(tooLong, `a umem has at most ${UMEM_PAGES_MAX} pages`)) return -EINVAL;
    yield* mmgrab(mm);
    yield* storePrivate(umem_odp.umem.address, start);
    yield* storePrivate(umem_odp.umem.length, end - start);
    yield* storePrivate(umem_odp.umem.writable, writable);
    yield* storePrivate(umem_odp.umem.owning_mm, mm);
    yield* storePrivate(umem_odp.umem.context, context);
    yield* storePrivate(umem_odp.npages, 0);
    yield* storePrivate(umem_odp.dying, false);
    const error = yield* get_per_mm(umem_odp, mm);
    if (error !== 0) {
      yield* mmdrop(mm);
      return error;
    }
    const per_mm = yield* load(umem_odp.per_mm);
    yield* down_write(per_mm.umem_rwsem);
    yield* list_add_tail(umem_odp.interval_tree, per_mm.umem_tree);
    yield* up_write(per_mm.umem_rwsem);
    return 0;
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "1.7",
    params: ["umem_odp", "mm", "start", "end", "writable"],
    summary: "Makes a range of the process's memory reachable for the device, on demand.",
    differs:
      "Stands for ib_umem_get() and ib_umem_odp_get() together and makes the mlx5_ib_mr as well. No " +
      "accounting, no huge pages; at most 16 pages.",
  },
);

export const ib_umem_odp_release = kernelFunction(
  "ib_umem_odp_release",
  function* (umem_odp: ib_umem_odp): Kernel<void> {
    const [start, end] = yield* umemBounds(umem_odp);
    yield* ib_umem_odp_unmap_dma_pages(umem_odp, start, end);
    const per_mm = yield* load(umem_odp.per_mm);
    yield* down_write(per_mm.umem_rwsem);
    yield* list_del(umem_odp.interval_tree);
    yield* up_write(per_mm.umem_rwsem);
    yield* put_per_mm(umem_odp);
    yield* mmdrop(yield* loadPrivate(umem_odp.umem.owning_mm));
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "ib_umem_odp_release",
    params: ["umem_odp"],
    summary: "Takes a umem away; the driver must have stopped the device.",
    differs: "Includes the mmdrop() of ib_umem_release(). The umem itself belongs to whoever made it.",
  },
);

// ---- mapping

/** Checks and preparations, in their order: an error, or the index of the range's first page in the umem. */
export function* prepareMapping(umem_odp: ib_umem_odp, range: hmm_range, mm: mm_struct): Kernel<number> {
  if (mm.isNull) return -ENOENT;
  if ((yield* fact(2, loadPrivate(context.invalidate_range))) === null) return -EINVAL;
  if ((yield* fact(3, loadPrivate(range.default_flags))) === 0) return -EINVAL;
  const [umemStart, umemEnd] = yield* umemBounds(umem_odp);
  const start = yield* loadPrivate(range.start);
  if (start < umemStart || (yield* loadPrivate(range.end)) > umemEnd) return -EINVAL;
  const idx = (start - umemStart) / PAGE_SIZE;
  yield* fact(5, storePrivate(range.pfns, umem_odp.pfns.at(idx).addr));
  return idx;
}
/** With mmap_sem held for reading, maps the range and gives mmap_sem back. */
export function* mapUnderMmapSem(umem_odp: ib_umem_odp, range: hmm_range, mm: mm_struct, idx: number): Kernel<number> {
  yield* fact(8, mutex_lock(umem_odp.umem_mutex));
  const ret = yield* fact(9, hmm_range_dma_map(range, umem_odp.dma_list.at(idx).addr, true));
  yield* fact(10, mutex_unlock(umem_odp.umem_mutex));
  if (ret !== -EAGAIN) yield* fact(11, up_read(mm.mmap_sem));
  if (ret <= 0) return ret === 0 || ret === -EBUSY ? -EAGAIN : ret;
  // umem_mutex is not held here: two faults can lose an update.
  const npages = yield* fact(13, load(umem_odp.npages));
  yield* fact(13, store(umem_odp.npages, npages + ret));
  return ret;
}

export const ib_umem_odp_map_dma_pages = kernelFunction(
  "ib_umem_odp_map_dma_pages",
  function* (umem_odp: ib_umem_odp, range: hmm_range): Kernel<number> {
    const per_mm = yield* fact(1, load(umem_odp.per_mm));
    const mm = yield* fact(1, load(per_mm.mm));
    const idx = yield* prepareMapping(umem_odp, range, mm);
    if (idx < 0) return idx;
    if (!(yield* fact(6, hmm_mirror_mm_is_alive(per_mm.mirror)))) return -EINVAL;
    yield* fact(7, down_read(mm.mmap_sem));
    return yield* mapUnderMmapSem(umem_odp, range, mm, idx);
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "MAPG",
    params: ["umem_odp", "range"],
    summary: "Faults a range of a umem in and maps it for the device; pages, or an error. -EAGAIN: once more.",
  },
);

export const ib_umem_odp_unmap_dma_pages = kernelFunction(
  "ib_umem_odp_unmap_dma_pages",
  function* (umem_odp: ib_umem_odp, virt: number, bound: number): Kernel<void> {
    if ((yield* load(umem_odp.npages)) === 0) return;
    const [umemStart, umemEnd] = yield* umemBounds(umem_odp);
    const start = Math.max(virt, umemStart);
    const end = Math.min(bound, umemEnd);
    const idx = (start - umemStart) / PAGE_SIZE;
    const { pfns, dma_list } = umem_odp;
    yield* mutex_lock(umem_odp.umem_mutex);
    const n = yield* dma_unmap_pages(
      umem_odp,
      pfns.at(idx).addr,
      dma_list.at(idx).addr,
      (end - start) / PAGE_SIZE,
      true,
      0,
    );
    if (n > 0) yield* add(umem_odp.npages, -n);
    yield* mutex_unlock(umem_odp.umem_mutex);
  },
  {
    source: "drivers/infiniband/core/umem_odp.c",
    facts: "UNMAPG",
    params: ["umem_odp", "virt", "bound"],
    summary: "Unmaps the part of a umem that lies in a range from the device.",
    differs: "Hands the arrays to hmm_range_dma_unmap() without a range around them.",
  },
);

export function umemOdpImage(write: ImageWriter): void {
  write(context.per_mm_list.next, context.per_mm_list);
  write(context.per_mm_list.prev, context.per_mm_list);
  write(ib_umem_notifiers.sync_cpu_device_pagetables, ib_sync_cpu_device_pagetables);
  write(ib_umem_notifiers.release, ib_umem_notifier_release);
}
