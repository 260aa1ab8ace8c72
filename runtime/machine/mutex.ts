/** struct mutex: its owner alone may unlock it. */
import { initLock, ownerStep, trylock } from "./owned-lock.ts";
import { Op, type Kernel } from "./step.ts";
import type { Mutex } from "./struct.ts";

export function mutex_lock(lock: Mutex): Kernel<void> {
  return ownerStep(Op.mutexLock, "mutex_lock", lock);
}
/** Of a second mutex of the same class: lockdep takes it for one of a class of its own. */
export function mutex_lock_nested(lock: Mutex, subclass: number): Kernel<void> {
  return ownerStep(Op.mutexLock, "mutex_lock_nested", lock, 0, subclass);
}
export function mutex_unlock(lock: Mutex): Kernel<void> {
  return ownerStep(Op.mutexUnlock, "mutex_unlock", lock);
}
/** No signal ever comes: 0. */
function* lockUnlessSignal(name: string, lock: Mutex): Kernel<number> {
  yield* ownerStep(Op.mutexLock, name, lock);
  return 0;
}
export function mutex_lock_interruptible(lock: Mutex): Kernel<number> {
  return lockUnlessSignal("mutex_lock_interruptible", lock);
}
export function mutex_lock_killable(lock: Mutex): Kernel<number> {
  return lockUnlessSignal("mutex_lock_killable", lock);
}
export const mutex_init: (lock: Mutex) => Kernel<void> = initLock("mutex_init");
export const mutex_trylock: (lock: Mutex) => Kernel<boolean> = trylock("mutex_trylock");
