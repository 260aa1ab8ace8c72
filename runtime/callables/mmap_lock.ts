/** The lock of an address space under the names that it has since 5.8. */
import { object, returnsBoolean, returnsNothing, returnsNumber, type Callable, type ResultKind } from "../callable.ts";
import type { KernelFunction } from "../machine/function.ts";
import * as lock from "../mm/mmap_lock.ts";
import { mm_struct } from "../mm/mm_types.ts";

const mm = object("mm", () => mm_struct);
function entry<R>(run: KernelFunction<[mm_struct], R>, result: ResultKind, summary: string): Callable {
  return {
    name: run.name,
    params: [mm],
    result,
    summary,
    source: "include/linux/mmap_lock.h",
    since: "v5.8",
    run: run as Callable["run"],
  };
}

export const mmapLockCallables: readonly Callable[] = [
  entry(lock.mmap_read_lock, returnsNothing, "takes mm's mmap_lock for reading"),
  entry(lock.mmap_read_trylock, returnsBoolean, "the same if nobody has it for writing; whether it did"),
  entry(lock.mmap_read_unlock, returnsNothing, "gives it back"),
  entry(lock.mmap_write_lock, returnsNothing, "takes it for writing"),
  entry(lock.mmap_write_lock_killable, returnsNumber, "the same; -EINTR if the task is killed while it waits"),
  entry(lock.mmap_write_trylock, returnsBoolean, "the same if nobody has it; whether it did"),
  entry(lock.mmap_write_unlock, returnsNothing, "gives it back"),
  entry(lock.mmap_write_downgrade, returnsNothing, "keeps it for reading only"),
];
