/** Locks whose word holds the actor number of their one owner, plus one: spinlock_t and struct mutex. */
import { asBoolean, Op, primitive, step, Taken, type Kernel } from "./step.ts";
import { HELD_LOCK_FREED } from "./report.ts";
import type { Special } from "./struct.ts";

/** A lock or unlock that the machine executes itself. `how`: the mode in which it is taken, and `Taken`. */
export function* ownerStep(op: Op, name: string, lock: Special, how = 0, subclass = 0): Kernel<void> {
  const nested = name.endsWith("_nested") ? `, ${subclass}` : "";
  const a = how + subclass * Taken.subclass;
  yield* step({ op, addr: lock.addr, a, text: (names) => `${name}(&${lock.expr(names)}${nested})` });
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
export function trylock(name: string, how = 0): (lock: Special) => Kernel<boolean> {
  const take = primitive(name, (m, addr = 0) => {
    if (m.read(addr) !== 0) return 0;
    m.write(addr, m.actor + 1);
    m.hold(addr, how + Taken.trylock);
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
