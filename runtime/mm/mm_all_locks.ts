/** mm_take_all_locks(), which mm/mmap.c has: what keeps registration and invalidations apart. */
import { BUG_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { mutex_lock, mutex_unlock } from "../machine/mutex.ts";
import { down_read_trylock } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { mutex, Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { mm_struct } from "./mm_types.ts";

class mm_all_locks extends Struct {
  static readonly variables = true;
  mm_all_locks_mutex = mutex();
}
const all_locks = staticObject(mm_all_locks, "mm_all_locks");

/** Needs mmap_sem for writing; whoever could be between a range's start and end is kept out. */
export const mm_take_all_locks = kernelFunction(
  "mm_take_all_locks",
  function* (mm: mm_struct): Kernel<number> {
    yield* BUG_ON(yield* down_read_trylock(mm.mmap_sem), "down_read_trylock(&mm->mmap_sem)");
    yield* fact(1, mutex_lock(all_locks.mm_all_locks_mutex));
    return 0;
  },
  {
    source: "mm/mmap.c",
    facts: "mm_take_all_locks",
    params: ["mm"],
    summary: "Locks out whatever could change the page tables of an mm.",
    differs:
      "VMAs have no rmap locks here, and no modelled path invalidates a live mm without mmap_sem: the " +
      "mutex stands for all of them. No signal ever interrupts it.",
  },
);
export const mm_drop_all_locks = kernelFunction(
  "mm_drop_all_locks",
  function* (_mm: mm_struct): Kernel<void> {
    yield* mutex_unlock(all_locks.mm_all_locks_mutex);
  },
  { source: "mm/mmap.c", facts: "mm_take_all_locks", params: ["mm"], summary: "Undoes mm_take_all_locks()." },
);
