/** spinlock_t. There are no interrupts in the model, so keeping them out is no more than a name. */
import { initLock, ownerStep, trylock } from "./owned-lock.ts";
import { Op, type Kernel } from "./step.ts";
import type { SpinLock } from "./struct.ts";

type LockStep = (lock: SpinLock) => Kernel<void>;
const locking =
  (name: string): LockStep =>
  (lock) =>
    ownerStep(Op.spinLock, name, lock);
const unlocking =
  (name: string): LockStep =>
  (lock) =>
    ownerStep(Op.spinUnlock, name, lock);

export const spin_lock = locking("spin_lock");
/** A second lock of the same class: lockdep is told. */
export const spin_lock_nested = locking("spin_lock_nested");
export const spin_unlock = unlocking("spin_unlock");
export const spin_lock_irq = locking("spin_lock_irq");
export const spin_unlock_irq = unlocking("spin_unlock_irq");
export const spin_lock_bh = locking("spin_lock_bh");
export const spin_unlock_bh = unlocking("spin_unlock_bh");
export const spin_lock_irqsave = locking("spin_lock_irqsave");
export const spin_unlock_irqrestore = unlocking("spin_unlock_irqrestore");
export const spin_lock_init: LockStep = initLock("spin_lock_init");
export const spin_trylock: (lock: SpinLock) => Kernel<boolean> = trylock("spin_trylock");
