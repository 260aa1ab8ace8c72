/** spinlock_t: the word holds the owner's actor number plus one. */
import { asBoolean, HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
import type { SpinLock } from "./struct.ts";

export function* spin_lock(lock: SpinLock): Kernel<void> {
  yield* step({ op: Op.spinLock, addr: lock.addr, text: (names) => `spin_lock(&${lock.expr(names)})` });
}
export function* spin_unlock(lock: SpinLock): Kernel<void> {
  yield* step({ op: Op.spinUnlock, addr: lock.addr, text: (names) => `spin_unlock(&${lock.expr(names)})` });
}

const trylock = primitive("spin_trylock", (m, addr = 0) => {
  if (m.read(addr) !== 0) return 0;
  m.write(addr, m.actor + 1);
  m.hold(addr, HoldMode.exclusive);
  return 1;
});
export function spin_trylock(lock: SpinLock): Kernel<boolean> {
  return step({
    op: Op.primitive,
    addr: lock.addr,
    primitive: trylock,
    args: [lock.addr],
    decode: asBoolean,
    text: (names) => `spin_trylock(&${lock.expr(names)})`,
  });
}
