/** spinlock_t */
import { ownerStep, trylock } from "./owned-lock.ts";
import { Op, type Kernel } from "./step.ts";
import type { SpinLock } from "./struct.ts";

export function spin_lock(lock: SpinLock): Kernel<void> {
  return ownerStep(Op.spinLock, "spin_lock", lock);
}
export function spin_unlock(lock: SpinLock): Kernel<void> {
  return ownerStep(Op.spinUnlock, "spin_unlock", lock);
}
export const spin_trylock: (lock: SpinLock) => Kernel<boolean> = trylock("spin_trylock");
