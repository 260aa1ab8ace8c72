/** The first half of mm/hmm.c as of 5.2: struct hmm, its mirrors, and its notifier callbacks. */
import { add, load, loadPrivate, READ_ONCE, store, storePrivate } from "../machine/access.ts";
import { kfree, kzalloc } from "../machine/alloc.ts";
import { kref, kref_get_unless_zero, kref_put } from "../machine/atomic.ts";
import { BUG_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { list_add, list_del_init, list_next, type list_head } from "../machine/list.ts";
import { mutex_lock, mutex_trylock, mutex_unlock } from "../machine/mutex.ts";
import { down_read, down_read_trylock, down_write, up_read, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { container_of, NULL } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { wake_up_all } from "../machine/wait.ts";
import { EAGAIN, EINVAL, ENOMEM } from "../machine/errno.ts";
import type { ImageWriter } from "../image.ts";
import { hmm, hmm_mirror, hmm_range, type hmm_update } from "./hmm_types.ts";
import { mm_struct } from "./mm_types.ts";
import { __mmu_notifier_register, mmu_notifier_unregister_no_release } from "./mmu_notifier_register.ts";
import { mmu_notifier_ops, type mmu_notifier, type mmu_notifier_range } from "./mmu_notifier_types.ts";
import { initCount, initList } from "./page_alloc.ts";

const rangeOf = (node: list_head): hmm_range => container_of(node, hmm_range, "list");
const mirrorOf = (node: list_head): hmm_mirror => container_of(node, hmm_mirror, "list");

// ---- struct hmm comes and goes

export const mm_get_hmm = kernelFunction(
  "mm_get_hmm",
  function* (mm: mm_struct): Kernel<hmm> {
    const h = yield* fact(1, READ_ONCE(mm.hmm));
    if (!h.isNull && (yield* fact(2, kref_get_unless_zero(h.kref)))) return h;
    return NULL(hmm);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "GET52",
    params: ["mm"],
    summary: "A reference to the hmm of an mm; NULL if it has none that lives.",
  },
);

export const hmm_put = kernelFunction(
  "hmm_put",
  function* (h: hmm): Kernel<void> {
    yield* kref_put(h.kref, hmm_free);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "PUT",
    params: ["hmm"],
    summary: "Drops a reference to an hmm; the last one frees it.",
  },
);

const hmm_free = kernelFunction(
  "hmm_free",
  function* (k: kref): Kernel<void> {
    const h = container_of(k, hmm, "kref");
    const mm = yield* load(h.mm);
    yield* fact(1, mmu_notifier_unregister_no_release(h.mmu_notifier, mm));
    yield* fact(2, spin_lock(mm.page_table_lock));
    if ((yield* fact(3, load(mm.hmm))) === h) yield* fact(3, store(mm.hmm, null));
    yield* fact(4, spin_unlock(mm.page_table_lock));
    yield* fact(5, kfree(h));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "FREE52",
    params: ["kref"],
    summary: "Unregisters the notifier, takes the hmm off its mm and frees it at once.",
  },
);

export const hmm_get_or_create = kernelFunction(
  "hmm_get_or_create",
  function* (mm: mm_struct): Kernel<hmm> {
    const found = yield* fact(1, mm_get_hmm(mm));
    if (!found.isNull) return found;
    const h = yield* fact(2, kzalloc(hmm));
    if (h.isNull) return h;
    yield* initList(h.mirrors);
    yield* initList(h.ranges);
    yield* initCount(h.kref.refcount, 1);
    yield* storePrivate(h.mm, mm);
    if (!(yield* publish(h, mm))) {
      yield* fact(7, kfree(h));
      return NULL(hmm);
    }
    yield* fact(8, store(h.mmu_notifier.ops, hmm_mmu_notifier_ops));
    if ((yield* fact(8, __mmu_notifier_register(h.mmu_notifier, mm))) === 0) return h;
    yield* unpublish(h, mm);
    yield* fact(10, kfree(h));
    return NULL(hmm);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "GOC52",
    params: ["mm"],
    summary: "A reference to the hmm of an mm, made if need be; NULL if that fails, or if somebody else was faster.",
    differs: "Initialising what nobody else can reach yet is no scheduling point.",
  },
);
const publish = kernelFunction(
  "hmm_get_or_create",
  function* (h: hmm, mm: mm_struct): Kernel<boolean> {
    yield* fact(4, spin_lock(mm.page_table_lock));
    const free = (yield* fact(5, load(mm.hmm))).isNull;
    if (free) yield* fact(5, store(mm.hmm, h));
    yield* fact(6, spin_unlock(mm.page_table_lock));
    return free;
  },
  { source: "mm/hmm.c", facts: "GOC52", params: ["hmm", "mm"], internal: true },
);
const unpublish = kernelFunction(
  "hmm_get_or_create",
  function* (h: hmm, mm: mm_struct): Kernel<void> {
    yield* fact(10, spin_lock(mm.page_table_lock));
    if ((yield* fact(10, load(mm.hmm))) === h) yield* fact(10, store(mm.hmm, null));
    yield* fact(10, spin_unlock(mm.page_table_lock));
  },
  { source: "mm/hmm.c", facts: "GOC52", params: ["hmm", "mm"], internal: true },
);

/** Part of the last mmdrop(). */
export const hmm_mm_destroy = kernelFunction(
  "hmm_mm_destroy",
  function* (mm: mm_struct): Kernel<void> {
    yield* fact(1, spin_lock(mm.page_table_lock));
    const h = yield* fact(2, mm_get_hmm(mm));
    yield* fact(3, store(mm.hmm, null));
    if (h.isNull) {
      yield* fact(4, spin_unlock(mm.page_table_lock));
      return;
    }
    yield* fact(4, store(h.mm, null));
    yield* fact(4, store(h.dead, true));
    yield* fact(4, spin_unlock(mm.page_table_lock));
    yield* fact(4, hmm_put(h));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "DESTROY52",
    params: ["mm"],
    summary: "Parts an mm that is about to be freed from its hmm.",
  },
);

// ---- mirrors

export const hmm_mirror_register = kernelFunction(
  "hmm_mirror_register",
  function* (mirror: hmm_mirror, mm: mm_struct): Kernel<number> {
    if (mm.isNull || mirror.isNull || (yield* fact(1, load(mirror.ops))).isNull) return -EINVAL;
    const h = yield* fact(2, hmm_get_or_create(mm));
    yield* fact(2, store(mirror.hmm, h));
    if (h.isNull) return -ENOMEM;
    yield* fact(3, down_write(h.mirrors_sem));
    yield* fact(4, list_add(mirror.list, h.mirrors));
    yield* fact(5, up_write(h.mirrors_sem));
    return 0;
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "MREG",
    params: ["mirror", "mm"],
    summary: "Begins to mirror an address space. The caller must hold mmap_sem for writing; nobody checks.",
  },
);

export const hmm_mirror_unregister = kernelFunction(
  "hmm_mirror_unregister",
  function* (mirror: hmm_mirror): Kernel<void> {
    const h = yield* fact(1, READ_ONCE(mirror.hmm));
    if (h.isNull) return;
    yield* fact(2, down_write(h.mirrors_sem));
    yield* fact(3, list_del_init(mirror.list));
    yield* fact(4, store(mirror.hmm, null));
    yield* fact(5, up_write(h.mirrors_sem));
    yield* fact(6, hmm_put(h));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "MUNREG52",
    params: ["mirror"],
    summary: "Stops mirroring an address space.",
  },
);

export const hmm_mirror_mm_is_alive = kernelFunction(
  "hmm_mirror_mm_is_alive",
  function* (mirror: hmm_mirror): Kernel<boolean> {
    const h = yield* fact(6, load(mirror.hmm));
    if (h.isNull) return false;
    const mm = yield* fact(6, READ_ONCE(h.mm));
    return !(yield* fact(6, load(h.dead))) && !mm.isNull;
  },
  {
    source: "include/linux/hmm.h",
    since: "v5.2",
    until: "v5.3",
    facts: "MAPG",
    params: ["mirror"],
    summary: "Whether the mm of a mirror looked alive a moment ago. No lock, no promise.",
    differs: "mirror->hmm is loaded once.",
  },
);

// ---- notifier callbacks

/** mm->mmap_sem is not held. */
const hmm_release = kernelFunction(
  "hmm_release",
  function* (_mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    const h = yield* fact(1, mm_get_hmm(mm));
    yield* fact(2, store(h.dead, true));
    yield* fact(3, mutex_lock(h.lock));
    yield* set_invalid(yield* fact(4, list_next(h.ranges, h.ranges)), h, false);
    yield* fact(5, wake_up_all(h.wq));
    yield* fact(6, mutex_unlock(h.lock));
    yield* fact(7, down_write(h.mirrors_sem));
    yield* release_mirrors(h);
    yield* fact(10, up_write(h.mirrors_sem));
    yield* fact(11, hmm_put(h));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "REL52",
    params: ["mn", "mm"],
    summary: "The address space goes away: marks the hmm dead, its ranges invalid, and tells the mirrors.",
  },
);
const release_mirrors = kernelFunction(
  "hmm_release",
  function* (h: hmm): Kernel<void> {
    const first = yield* fact(8, list_next(h.mirrors, h.mirrors));
    if (first === null) return;
    const mirror = mirrorOf(first);
    yield* fact("9a", list_del_init(first));
    const ops = yield* fact("9b", load(mirror.ops));
    const release = yield* loadPrivate(ops.release);
    if (release !== null) {
      yield* fact("9b", up_write(h.mirrors_sem));
      yield* fact("9b", release(mirror));
      yield* fact("9b", down_write(h.mirrors_sem));
    }
    return yield* release_mirrors.restart(h);
  },
  { source: "mm/hmm.c", facts: "REL52", params: ["hmm"], internal: true },
);

/** Writes `valid` of every range from `node` on. hmm->lock is held. */
const setValid = (caller: string, facts: string) => {
  const self = kernelFunction(
    caller,
    function* (node: list_head | null, h: hmm, valid: boolean): Kernel<void> {
      if (node === null) return;
      yield* fact(4, store(rangeOf(node).valid, valid));
      return yield* self.restart(yield* fact(4, list_next(node, h.ranges)), h, valid);
    },
    { source: "mm/hmm.c", facts, params: ["node", "hmm", "valid"], internal: true },
  );
  return self;
};
const set_invalid = setValid("hmm_release", "REL52");
const set_valid = setValid("hmm_invalidate_range_end", "END52");
/** Makes every range that meets [start, end) invalid. hmm->lock is held. */
const invalidate_ranges = kernelFunction(
  "hmm_invalidate_range_start",
  function* (node: list_head | null, h: hmm, start: number, end: number): Kernel<void> {
    if (node === null) return;
    const range = rangeOf(node);
    const apart = end < (yield* load(range.start)) || start >= (yield* loadPrivate(range.end));
    if (!apart) yield* fact(4, store(range.valid, false));
    return yield* invalidate_ranges.restart(yield* fact(4, list_next(node, h.ranges)), h, start, end);
  },
  { source: "mm/hmm.c", facts: "START52", params: ["node", "hmm", "start", "end"], internal: true },
);

const hmm_invalidate_range_start = kernelFunction(
  "hmm_invalidate_range_start",
  function* (_mn: mmu_notifier, range: mmu_notifier_range): Kernel<number> {
    const [mm, start, end, event, blockable] = range;
    const h = yield* fact(1, mm_get_hmm(mm));
    yield* BUG_ON(h.isNull, "!hmm");
    if (blockable) yield* fact(2, mutex_lock(h.lock));
    else if (!(yield* fact(2, mutex_trylock(h.lock)))) return yield* put_and_return(h, -EAGAIN);
    yield* fact(3, add(h.notifiers, 1));
    yield* invalidate_ranges(yield* fact(4, list_next(h.ranges, h.ranges)), h, start, end);
    yield* fact(5, mutex_unlock(h.lock));
    if (blockable) yield* fact(6, down_read(h.mirrors_sem));
    else if (!(yield* fact(6, down_read_trylock(h.mirrors_sem)))) return yield* put_and_return(h, -EAGAIN);
    yield* sync_mirrors(yield* fact(7, list_next(h.mirrors, h.mirrors)), h, [start, end, event, blockable]);
    yield* fact(8, up_read(h.mirrors_sem));
    return yield* put_and_return(h, 0);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "START52",
    params: ["mn", "range"],
    summary: "Makes ranges invalid and has every mirror let go. What a mirror answers is lost, as in 5.2.",
    differs: "Of the two bounds of a range, which are constant while registered, only one is a scheduling point.",
  },
);
const put_and_return = kernelFunction(
  "hmm_invalidate_range_start",
  function* (h: hmm, ret: number): Kernel<number> {
    yield* fact(9, hmm_put(h));
    return ret;
  },
  { source: "mm/hmm.c", facts: "START52", params: ["hmm", "ret"], internal: true },
);
const sync_mirrors = kernelFunction(
  "hmm_invalidate_range_start",
  function* (node: list_head | null, h: hmm, update: hmm_update): Kernel<void> {
    if (node === null) return;
    const mirror = mirrorOf(node);
    const blockable = update[3];
    const ops = yield* load(mirror.ops);
    const sync = yield* loadPrivate(ops.sync_cpu_device_pagetables);
    yield* BUG_ON(sync === null, "!mirror->ops->sync_cpu_device_pagetables");
    const ret = sync === null ? 0 : yield* fact(7, sync(mirror, update));
    if (!blockable && ret === -EAGAIN) return;
    return yield* sync_mirrors.restart(yield* fact(7, list_next(node, h.mirrors)), h, update);
  },
  { source: "mm/hmm.c", facts: "START52", params: ["node", "hmm", "update"], internal: true },
);

const hmm_invalidate_range_end = kernelFunction(
  "hmm_invalidate_range_end",
  function* (_mn: mmu_notifier, [mm]: mmu_notifier_range): Kernel<void> {
    const h = yield* fact(1, mm_get_hmm(mm));
    yield* BUG_ON(h.isNull, "!hmm");
    yield* fact(2, mutex_lock(h.lock));
    if ((yield* fact(3, add(h.notifiers, -1))) === 0) {
      yield* set_valid(yield* fact(4, list_next(h.ranges, h.ranges)), h, true);
      yield* fact(4, wake_up_all(h.wq));
    }
    yield* fact(5, mutex_unlock(h.lock));
    yield* fact(6, hmm_put(h));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "END52",
    params: ["mn", "range"],
    summary: "With the last invalidation over, makes every range valid again.",
  },
);

const hmm_mmu_notifier_ops = staticObject(mmu_notifier_ops, "hmm_mmu_notifier_ops");

export function hmmImage(write: ImageWriter): void {
  write(hmm_mmu_notifier_ops.release, hmm_release);
  write(hmm_mmu_notifier_ops.invalidate_range_start, hmm_invalidate_range_start);
  write(hmm_mmu_notifier_ops.invalidate_range_end, hmm_invalidate_range_end);
}
