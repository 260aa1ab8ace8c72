/** spinlock_t. There are no interrupts in the model: that they are off is something a sleeper is told. */
import { initLock, ownerStep, trylock } from "./owned-lock.ts";
import { Op, Taken, type Kernel } from "./step.ts";
import type { SpinLock } from "./struct.ts";

type LockStep = (lock: SpinLock) => Kernel<void>;
const locking =
  (name: string, irqs = 0): LockStep =>
  (lock) =>
    ownerStep(Op.spinLock, name, lock, Taken.spin + irqs);
const unlocking =
  (name: string): LockStep =>
  (lock) =>
    ownerStep(Op.spinUnlock, name, lock);

export const spin_lock = locking("spin_lock");
/** Of a second lock of the same class: lockdep takes it for one of a class of its own. */
export function spin_lock_nested(lock: SpinLock, subclass: number): Kernel<void> {
  return ownerStep(Op.spinLock, "spin_lock_nested", lock, Taken.spin, subclass);
}
export const spin_unlock = unlocking("spin_unlock");
export const spin_lock_irq = locking("spin_lock_irq", Taken.irqs);
export const spin_unlock_irq = unlocking("spin_unlock_irq");
export const spin_lock_bh = locking("spin_lock_bh");
export const spin_unlock_bh = unlocking("spin_unlock_bh");
export const spin_lock_irqsave = locking("spin_lock_irqsave", Taken.irqs);
export const spin_unlock_irqrestore = unlocking("spin_unlock_irqrestore");
export const spin_lock_init: LockStep = initLock("spin_lock_init");
export const spin_trylock: (lock: SpinLock) => Kernel<boolean> = trylock("spin_trylock", Taken.spin);
