/** include/linux/mmap_lock.h: what takes the lock of an address space goes by names of its own since 5.8. */
import { kernelFunction } from "../machine/function.ts";
import {
  down_read,
  down_read_trylock,
  down_write,
  down_write_killable,
  down_write_trylock,
  downgrade_write,
  up_read,
  up_write,
  type rw_semaphore,
} from "../machine/rwsem.ts";
import type { Kernel } from "../machine/step.ts";
import type { mm_struct } from "./mm_types.ts";

function wrapper<R>(name: string, operation: (lock: rw_semaphore) => Kernel<R>, summary: string) {
  return kernelFunction(
    name,
    function* (mm: mm_struct): Kernel<R> {
      return yield* operation(mm.mmap_sem);
    },
    { source: "include/linux/mmap_lock.h", since: "v5.8", params: ["mm"], summary },
  );
}
export const mmap_read_lock = wrapper("mmap_read_lock", down_read, "Takes mmap_lock for reading.");
export const mmap_read_trylock = wrapper(
  "mmap_read_trylock",
  down_read_trylock,
  "Takes mmap_lock for reading if nobody has it for writing; whether it did.",
);
export const mmap_read_unlock = wrapper("mmap_read_unlock", up_read, "Gives mmap_lock back, held for reading.");
export const mmap_write_lock = wrapper("mmap_write_lock", down_write, "Takes mmap_lock for writing.");
export const mmap_write_lock_killable = wrapper(
  "mmap_write_lock_killable",
  down_write_killable,
  "Takes mmap_lock for writing; -EINTR if the task is killed while it waits.",
);
export const mmap_write_trylock = wrapper(
  "mmap_write_trylock",
  down_write_trylock,
  "Takes mmap_lock for writing if nobody has it; whether it did.",
);
export const mmap_write_unlock = wrapper("mmap_write_unlock", up_write, "Gives mmap_lock back, held for writing.");
export const mmap_write_downgrade = wrapper(
  "mmap_write_downgrade",
  downgrade_write,
  "Keeps mmap_lock for reading only: others may read again.",
);
