/** struct mutex: its owner alone may unlock it. */
import { ownerStep, trylock } from "./owned-lock.ts";
import { Op, type Kernel } from "./step.ts";
import type { Mutex } from "./struct.ts";

export function mutex_lock(lock: Mutex): Kernel<void> {
  return ownerStep(Op.mutexLock, "mutex_lock", lock);
}
export function mutex_unlock(lock: Mutex): Kernel<void> {
  return ownerStep(Op.mutexUnlock, "mutex_unlock", lock);
}
export const mutex_trylock: (lock: Mutex) => Kernel<boolean> = trylock("mutex_trylock");
