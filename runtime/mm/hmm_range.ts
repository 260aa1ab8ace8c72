/** The second half of mm/hmm.c as of 5.2: ranges that are registered, waited for, snapshot and faulted. */
import { load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { WARN_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { list_add_rcu, list_del_rcu } from "../machine/list.ts";
import { mutex_lock, mutex_unlock } from "../machine/mutex.ts";
import { up_read } from "../machine/rwsem.ts";
import { fact, type Kernel, type Value } from "../machine/step.ts";
import { wait_event_timeout } from "../machine/wait.ts";
import { EAGAIN, EBUSY, EFAULT, EINVAL, EPERM } from "../machine/errno.ts";
import { hmm_get_or_create, hmm_put } from "./hmm.ts";
import { HMM_RANGE_PAGES_MAX, hmm_vma_walk, type hmm, type hmm_range } from "./hmm_types.ts";
import { HMM_PFN_NONE, hmm_walk_ops, wordOfArray } from "./hmm_walk.ts";
import { VM_IO, VM_MIXEDMAP, VM_PFNMAP, VM_READ, type mm_struct } from "./mm_types.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "./pgtable.ts";
import { walk_page_range } from "./pagewalk.ts";
import { find_vma } from "./vma_tree.ts";

/** The steps of registration before anybody else can see the range; an error, or 0. For those who replace the rest. */
export function* initRange(range: hmm_range, start: number, end: number, page_shift: number): Kernel<number> {
  yield* fact(1, storePrivate(range.valid, false));
  yield* storePrivate(range.hmm, null);
  if (start % 2 ** page_shift !== 0 || end % 2 ** page_shift !== 0) return -EINVAL;
  if (start >= end) return -EINVAL;
  yield* fact(4, storePrivate(range.page_shift, page_shift));
  yield* storePrivate(range.start, start);
  yield* storePrivate(range.end, end);
  return 0;
}
/** The steps of registration under hmm->lock. */
export function* enterRange(range: hmm_range, h: hmm): Kernel<void> {
  yield* fact(7, mutex_lock(h.lock));
  yield* fact(8, list_add_rcu(range.list, h.ranges));
  if ((yield* fact(9, load(h.notifiers))) === 0) yield* fact(9, store(range.valid, true));
  yield* fact(10, mutex_unlock(h.lock));
}

export const hmm_range_register = kernelFunction(
  "hmm_range_register",
  function* (range: hmm_range, mm: mm_struct, start: number, end: number, page_shift: number): Kernel<number> {
    const error = yield* initRange(range, start, end, page_shift);
    if (error !== 0) return error;
    const h = yield* fact(5, hmm_get_or_create(mm));
    if (h.isNull) return -EFAULT;
    yield* storePrivate(range.hmm, h);
    if ((yield* fact(6, load(h.mm))).isNull || (yield* fact(6, load(h.dead)))) {
      yield* fact(6, hmm_put(h));
      return -EFAULT;
    }
    yield* enterRange(range, h);
    return 0;
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "RREG52",
    params: ["range", "mm", "start", "end", "page_shift"],
    summary: "Begins to watch a range: it becomes invalid whenever the CPU's page tables change under it.",
    differs: "What is written to the range before it is entered is no scheduling point: nobody else can reach it.",
  },
);

export const hmm_range_unregister = kernelFunction(
  "hmm_range_unregister",
  function* (range: hmm_range): Kernel<void> {
    const h = yield* loadPrivate(range.hmm);
    const start = yield* loadPrivate(range.start);
    const end = yield* loadPrivate(range.end);
    if (h.isNull || end <= start) return;
    yield* fact(2, mutex_lock(h.lock));
    yield* fact(3, list_del_rcu(range.list));
    yield* fact(4, mutex_unlock(h.lock));
    yield* fact(5, storePrivate(range.valid, false));
    yield* fact(6, hmm_put(h));
    yield* fact(7, storePrivate(range.hmm, null));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "RUNREG52",
    params: ["range"],
    summary: "Stops watching a range.",
    differs: "What is written to the range once it is off the list is no scheduling point.",
  },
);

/** hmm_range_valid(): means something only under the lock that the mirror's callback takes. */
export const hmm_range_valid = kernelFunction(
  "hmm_range_valid",
  function* (range: hmm_range): Kernel<boolean> {
    return yield* load(range.valid);
  },
  {
    source: "include/linux/hmm.h",
    since: "v5.2",
    until: "v5.3",
    params: ["range"],
    summary: "Whether nothing has changed under a range.",
  },
);

const valid_or_dead = kernelFunction(
  "hmm_range_wait_until_valid",
  function* (...[range, h]: Value[]): Kernel<boolean> {
    return (yield* load((range as hmm_range).valid)) || (yield* load((h as hmm).dead));
  },
  { source: "include/linux/hmm.h", facts: "WAIT52", params: ["range", "hmm"], internal: true },
);
export const hmm_range_wait_until_valid = kernelFunction(
  "hmm_range_wait_until_valid",
  function* (range: hmm_range): Kernel<boolean> {
    const h = yield* loadPrivate(range.hmm);
    if (h.isNull || (yield* fact(1, load(h.dead))) || (yield* fact(1, load(h.mm))).isNull) {
      yield* fact(1, store(range.valid, false));
      return false;
    }
    if (yield* fact(2, load(range.valid))) return true;
    yield* fact(3, wait_event_timeout(h.wq, valid_or_dead, range, h));
    return yield* fact(4, load(range.valid));
  },
  {
    source: "include/linux/hmm.h",
    since: "v5.2",
    until: "v5.3",
    facts: "WAIT52",
    params: ["range"],
    summary: "Waits until nothing is being invalidated, or until time is up.",
    differs: "Time may be up at any moment.",
  },
);

/** Address of the first entry: the driver's, or that of the range's own words if the driver brings none. */
export function* pfnsOf(range: hmm_range): Kernel<number> {
  const pfns = yield* loadPrivate(range.pfns);
  return pfns === 0 ? range.entries.addr : pfns;
}
/** False, and a warning, for a range that its own words cannot hold. */
export function* hasRoom(range: hmm_range): Kernel<boolean> {
  const start = yield* loadPrivate(range.start);
  const end = yield* loadPrivate(range.end);
  const own = (yield* loadPrivate(range.pfns)) === 0;
  const tooLong = own && (end - start) / PAGE_SIZE > HMM_RANGE_PAGES_MAX;
  return !(yield* WARN_ON(tooLong, `an hmm_range has room for ${HMM_RANGE_PAGES_MAX} pages, give it pfns of its own`));
}

/** The end of the VMA at `start`, or of the range if that comes first; and what stands against walking it. */
const vmaCheck = (caller: string, facts: string) =>
  kernelFunction(
    caller,
    function* (range: hmm_range, mm: mm_struct, start: number): Kernel<readonly [error: number, end: number]> {
      const end = yield* loadPrivate(range.end);
      const vma = yield* fact(3, find_vma(mm, start));
      if (vma.isNull) return [-EFAULT, end];
      const flags = yield* fact(4, load(vma.vm_flags));
      if ((flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP)) !== 0) return [-EFAULT, end];
      if ((yield* loadPrivate(range.page_shift)) !== PAGE_SHIFT) return [-EINVAL, end];
      if ((flags & VM_READ) === 0) {
        yield* fact(
          6,
          hmm_pfns_clear(range, yield* pfnsOf(range), 0, (end - (yield* loadPrivate(range.start))) / PAGE_SIZE),
        );
        return [-EPERM, end];
      }
      yield* storePrivate(range.vma, vma);
      return [0, Math.min(end, yield* fact(7, load(vma.vm_end)))];
    },
    { source: "mm/hmm.c", facts, params: ["range", "mm", "start"], internal: true },
  );
const vma_to_snapshot = vmaCheck("hmm_range_snapshot", "SNAP52");
const vma_to_fault = vmaCheck("hmm_range_fault", "FAULT52");

/** Empties entries `i` .. `n`-1. */
const hmm_pfns_clear = kernelFunction(
  "hmm_pfns_clear",
  function* (range: hmm_range, pfns: number, i: number, n: number): Kernel<void> {
    if (i >= n) return;
    yield* store(wordOfArray(range, pfns, i), HMM_PFN_NONE);
    return yield* hmm_pfns_clear.restart(range, pfns, i + 1, n);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    params: ["range", "pfns", "i", "npages"],
    summary: "Empties entries.",
  },
);

/** The part of a range that lies in one VMA; an error, and how far the walk has come. */
const walk = kernelFunction(
  "hmm_range_fault",
  function* (
    range: hmm_range,
    mm: mm_struct,
    start: number,
    end: number,
    fault: boolean,
  ): Kernel<readonly [error: number, last: number]> {
    const mine = yield* stackObject(hmm_vma_walk, "struct hmm_vma_walk hmm_vma_walk");
    yield* storePrivate(mine.range, range);
    yield* storePrivate(mine.pfns, yield* pfnsOf(range));
    yield* storePrivate(mine.fault, fault);
    yield* storePrivate(mine.last, start);
    const error = yield* walk_page_range(mm, start, end, hmm_walk_ops, mine.addr);
    const last = yield* loadPrivate(mine.last);
    yield* endOfScope(mine);
    return [error, last];
  },
  { source: "mm/hmm.c", params: ["range", "mm", "start", "end", "fault"], internal: true },
);

// ---- snapshot

export const hmm_range_snapshot = kernelFunction(
  "hmm_range_snapshot",
  function* (range: hmm_range): Kernel<number> {
    if (!(yield* hasRoom(range))) return -EINVAL;
    const h = yield* loadPrivate(range.hmm);
    const mm = yield* fact(1, load(h.mm));
    if (mm.isNull || (yield* fact(1, load(h.dead)))) return -EFAULT;
    return yield* snapshot_vma.restart(range, mm, yield* loadPrivate(range.start));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "SNAP52",
    params: ["range"],
    summary: "What is mapped in a registered range now; faults nothing in. Needs mmap_sem and mm_users.",
    differs: "hmm->mm is loaded once.",
  },
);
const snapshot_vma = kernelFunction(
  "hmm_range_snapshot",
  function* (range: hmm_range, mm: mm_struct, start: number): Kernel<number> {
    if (!(yield* fact(2, load(range.valid)))) return -EAGAIN;
    const [error, end] = yield* vma_to_snapshot(range, mm, start);
    if (error !== 0) return error;
    const [, last] = yield* fact(7, walk(range, mm, start, end, false));
    if (end < (yield* loadPrivate(range.end))) return yield* snapshot_vma.restart(range, mm, end);
    return (last - (yield* loadPrivate(range.start))) / PAGE_SIZE;
  },
  { source: "mm/hmm.c", since: "v5.2", until: "v5.3", facts: "SNAP52", params: ["range", "mm", "start"] },
);

// ---- fault

export const hmm_range_fault = kernelFunction(
  "hmm_range_fault",
  function* (range: hmm_range, _block: boolean): Kernel<number> {
    if (!(yield* hasRoom(range))) return -EINVAL;
    const h = yield* loadPrivate(range.hmm);
    const mm = yield* fact(1, load(h.mm));
    if (mm.isNull || (yield* fact(1, load(h.dead)))) return -EFAULT;
    return yield* fault_vma.restart(range, mm, yield* loadPrivate(range.start));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "FAULT52",
    params: ["range", "block"],
    summary:
      "Faults in a registered range as its flags ask. Pages, or an error; -EAGAIN: mmap_sem has been released. Needs " +
      "mmap_sem and mm_users.",
    differs: "hmm->mm is loaded once. Faults on anonymous memory never need mmap_sem dropped, so block says nothing.",
  },
);
const fault_vma = kernelFunction(
  "hmm_range_fault",
  function* (range: hmm_range, mm: mm_struct, start: number): Kernel<number> {
    if (!(yield* fact(2, load(range.valid)))) {
      yield* fact(2, up_read(mm.mmap_sem));
      return -EAGAIN;
    }
    const [error, end] = yield* vma_to_fault(range, mm, start);
    return error !== 0 ? error : yield* fault_walk.restart(range, mm, start, end);
  },
  { source: "mm/hmm.c", since: "v5.2", until: "v5.3", facts: "FAULT52", params: ["range", "mm", "start"] },
);
const fault_walk = kernelFunction(
  "hmm_range_fault",
  function* (range: hmm_range, mm: mm_struct, start: number, end: number): Kernel<number> {
    const rangeStart = yield* loadPrivate(range.start);
    const rangeEnd = yield* loadPrivate(range.end);
    const [error, last] = yield* fact(7, walk(range, mm, start, end, true));
    if (error === -EBUSY && (yield* fact(7, load(range.valid)))) return yield* fault_walk.restart(range, mm, last, end);
    if (error !== 0) {
      const pfns = yield* pfnsOf(range);
      yield* fact(8, hmm_pfns_clear(range, pfns, (last - rangeStart) / PAGE_SIZE, (rangeEnd - rangeStart) / PAGE_SIZE));
      return error;
    }
    if (end < rangeEnd) return yield* fault_vma.restart(range, mm, end);
    return (last - rangeStart) / PAGE_SIZE;
  },
  { source: "mm/hmm.c", since: "v5.2", until: "v5.3", facts: "FAULT52", params: ["range", "mm", "start", "end"] },
);
