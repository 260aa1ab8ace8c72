/** mm_take_all_locks(), which mm/mmap.c has: what keeps registration and invalidations apart. */
import { loadPrivate } from "../machine/access.ts";
import { BUG_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { mutex_lock, mutex_unlock } from "../machine/mutex.ts";
import { lock_is_held } from "../machine/lockdep.ts";
import { down_read_trylock, down_write_nested, up_write, type rw_semaphore } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { mutex, Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { mm_struct, vm_area_struct } from "./mm_types.ts";

class mm_all_locks extends Struct {
  static readonly variables = true;
  mm_all_locks_mutex = mutex();
}
const all_locks = staticObject(mm_all_locks, "mm_all_locks");

/** All but the mutex. */
export function* takeLocks(mm: mm_struct): Kernel<number> {
  const first = yield* loadPrivate(mm.mmap);
  yield* fact(2, take_mappings(first, 0));
  yield* fact(3, take_families(first, 0));
  return 0;
}
export function* dropLocks(mm: mm_struct): Kernel<void> {
  yield* drop_each(yield* loadPrivate(mm.mmap));
}

/**
 * Needs mmap_sem for writing; whoever could be between a range's start and end without it is kept out: who looks for
 * the mappings of a page holds one of these locks.
 */
export const mm_take_all_locks = kernelFunction(
  "mm_take_all_locks",
  function* (mm: mm_struct): Kernel<number> {
    yield* BUG_ON(yield* down_read_trylock(mm.mmap_sem), "down_read_trylock(&mm->mmap_sem)");
    yield* fact(1, mutex_lock(all_locks.mm_all_locks_mutex));
    return yield* takeLocks(mm);
  },
  {
    source: "mm/mmap.c",
    since: "v2.6.27",
    facts: "mm_take_all_locks",
    params: ["mm"],
    summary: "Locks out whatever could change the page tables of an mm.",
    differs:
      "No signal ever interrupts it. What mmap_sem keeps as it is, the list of VMAs, is read without a step; the " +
      "lock of a family of VMAs is told from others of its class by a number.",
  },
);
export const mm_drop_all_locks = kernelFunction(
  "mm_drop_all_locks",
  function* (mm: mm_struct): Kernel<void> {
    yield* dropLocks(mm);
    yield* mutex_unlock(all_locks.mm_all_locks_mutex);
  },
  {
    source: "mm/mmap.c",
    since: "v2.6.27",
    facts: "mm_take_all_locks",
    params: ["mm"],
    summary: "Undoes mm_take_all_locks().",
  },
);

function* mappingOf(vma: vm_area_struct): Kernel<rw_semaphore | null> {
  const file = yield* loadPrivate(vma.vm_file);
  return file.isNull ? null : file.i_mmap_rwsem;
}
function* familyOf(vma: vm_area_struct): Kernel<rw_semaphore | null> {
  const family = yield* loadPrivate(vma.anon_vma);
  return family.isNull ? null : family.rwsem;
}
/** One lock for each VMA that has one, and each once; `taken`: how many of that class are held. */
const take_mappings = kernelFunction(
  "mm_take_all_locks",
  function* (vma: vm_area_struct, taken: number): Kernel<void> {
    if (vma.isNull) return;
    const more = yield* take(yield* mappingOf(vma), taken);
    return yield* take_mappings.restart(yield* loadPrivate(vma.vm_next), taken + more);
  },
  { source: "mm/mmap.c", facts: "mm_take_all_locks", params: ["vma", "taken"], internal: true },
);
const take_families = kernelFunction(
  "mm_take_all_locks",
  function* (vma: vm_area_struct, taken: number): Kernel<void> {
    if (vma.isNull) return;
    const more = yield* take(yield* familyOf(vma), taken);
    return yield* take_families.restart(yield* loadPrivate(vma.vm_next), taken + more);
  },
  { source: "mm/mmap.c", facts: "mm_take_all_locks", params: ["vma", "taken"], internal: true },
);
/** Before the first is taken, whatever is held is the caller's, who must not: it waits for itself then. */
function* take(lock: rw_semaphore | null, taken: number): Kernel<number> {
  if (lock === null || (taken > 0 && (yield* lock_is_held(lock)))) return 0;
  yield* down_write_nested(lock, taken);
  return 1;
}
const drop_each = kernelFunction(
  "mm_drop_all_locks",
  function* (vma: vm_area_struct): Kernel<void> {
    if (vma.isNull) return;
    for (const lock of [yield* familyOf(vma), yield* mappingOf(vma)])
      if (lock !== null && (yield* lock_is_held(lock))) yield* up_write(lock);
    return yield* drop_each.restart(yield* loadPrivate(vma.vm_next));
  },
  { source: "mm/mmap.c", facts: "mm_take_all_locks", params: ["vma"], internal: true },
);
