/** Locks whose word holds the actor number of their one owner, plus one: spinlock_t and struct mutex. */
import { asBoolean, HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
import { HELD_LOCK_FREED } from "./report.ts";
import type { Special } from "./struct.ts";

/** A lock or unlock that the machine executes itself. */
export function* ownerStep(op: Op, name: string, lock: Special): Kernel<void> {
  yield* step({ op, addr: lock.addr, text: (names) => `${name}(&${lock.expr(names)})` });
}

/** Makes the lock a free one; whoever holds it then is told what lockdep calls it when its memory is freed. */
export function initLock(name: string): (lock: Special) => Kernel<void> {
  const init = primitive(name, (m, addr = 0) => {
    if (m.read(addr) !== 0) m.warn("lockdep", HELD_LOCK_FREED, addr);
    m.write(addr, 0);
    return 0;
  });
  return (lock) =>
    step({
      op: Op.primitive,
      addr: lock.addr,
      primitive: init,
      args: [lock.addr],
      decode: nothing,
      text: (names) => `${name}(&${lock.expr(names)})`,
    });
}
function nothing(): void {}

/** Takes the lock if it is free; never waits. */
export function trylock(name: string): (lock: Special) => Kernel<boolean> {
  const take = primitive(name, (m, addr = 0) => {
    if (m.read(addr) !== 0) return 0;
    m.write(addr, m.actor + 1);
    m.hold(addr, HoldMode.exclusive);
    return 1;
  });
  return (lock) =>
    step({
      op: Op.primitive,
      addr: lock.addr,
      primitive: take,
      args: [lock.addr],
      decode: asBoolean,
      text: (names) => `${name}(&${lock.expr(names)})`,
    });
}
