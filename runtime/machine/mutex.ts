/** struct mutex: its owner alone may unlock it. */
import { EINTR } from "./errno.ts";
import { initLock, ownerStep, trylock } from "./owned-lock.ts";
import { killed } from "./signal.ts";
import { BLOCKED, HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
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
const takeOrDie = (name: string) =>
  primitive(name, (m, addr = 0) => {
    if (m.read(addr) !== 0) return killed(m) ? -EINTR : BLOCKED;
    m.write(addr, m.actor + 1);
    m.hold(addr, HoldMode.exclusive);
    return 0;
  });
/** Waits until the mutex is free or a fatal signal comes: 0, or -EINTR. There are no other signals. */
function unlessKilled(name: string): (lock: Mutex) => Kernel<number> {
  const take = takeOrDie(name);
  return (lock) =>
    step<number>({
      op: Op.primitive,
      addr: lock.addr,
      primitive: take,
      args: [lock.addr],
      text: (names) => `${name}(&${lock.expr(names)})`,
    });
}
export const mutex_lock_interruptible = unlessKilled("mutex_lock_interruptible");
export const mutex_lock_killable = unlessKilled("mutex_lock_killable");
export const mutex_init: (lock: Mutex) => Kernel<void> = initLock("mutex_init");
export const mutex_trylock: (lock: Mutex) => Kernel<boolean> = trylock("mutex_trylock");
