/** struct mutex: one owner, who alone may unlock; the word holds the owner's actor number plus one. */
import { asBoolean, HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
import type { Mutex } from "./struct.ts";

export function* mutex_lock(lock: Mutex): Kernel<void> {
  yield* step({ op: Op.mutexLock, addr: lock.addr, text: (names) => `mutex_lock(&${lock.expr(names)})` });
}
export function* mutex_unlock(lock: Mutex): Kernel<void> {
  yield* step({ op: Op.mutexUnlock, addr: lock.addr, text: (names) => `mutex_unlock(&${lock.expr(names)})` });
}

const trylock = primitive("mutex_trylock", (m, addr = 0) => {
  if (m.read(addr) !== 0) return 0;
  m.write(addr, m.actor + 1);
  m.hold(addr, HoldMode.exclusive);
  return 1;
});
export function mutex_trylock(lock: Mutex): Kernel<boolean> {
  return step({
    op: Op.primitive,
    addr: lock.addr,
    primitive: trylock,
    args: [lock.addr],
    decode: asBoolean,
    text: (names) => `mutex_trylock(&${lock.expr(names)})`,
  });
}
