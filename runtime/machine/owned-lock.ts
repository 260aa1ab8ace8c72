/** Locks whose word holds the actor number of their one owner, plus one: spinlock_t and struct mutex. */
import { asBoolean, HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
import type { Special } from "./struct.ts";

/** A lock or unlock that the machine executes itself. */
export function* ownerStep(op: Op, name: string, lock: Special): Kernel<void> {
  yield* step({ op, addr: lock.addr, text: (names) => `${name}(&${lock.expr(names)})` });
}

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
