/** Assertions about held locks. They touch nothing another CPU could see, so they are no scheduling points. */
import { asBoolean, HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
import type { Mutex, SpinLock } from "./struct.ts";
import type { rw_semaphore } from "./rwsem.ts";

type Lock = SpinLock | Mutex | rw_semaphore;

const assertHeld = primitive("lockdep_assert_held", (m, addr = 0) => {
  if (!m.holds(addr)) m.warn("lockdep", "lockdep_assert_held() failed", addr);
  return 0;
});
const assertHeldWrite = primitive("lockdep_assert_held_write", (m, addr = 0) => {
  if (!m.holds(addr, HoldMode.exclusive)) m.warn("lockdep", "lockdep_assert_held_write() failed", addr);
  return 0;
});
const assertHeldRead = primitive("lockdep_assert_held_read", (m, addr = 0) => {
  if (!m.holds(addr, HoldMode.shared)) m.warn("lockdep", "lockdep_assert_held_read() failed", addr);
  return 0;
});

export function* lockdep_assert_held(lock: Lock): Kernel<void> {
  yield* step({
    op: Op.silentPrimitive,
    primitive: assertHeld,
    args: [lock.addr],
    text: (names) => `lockdep_assert_held(&${lock.expr(names)})`,
  });
}
export function* lockdep_assert_held_write(lock: Lock): Kernel<void> {
  yield* step({
    op: Op.silentPrimitive,
    primitive: assertHeldWrite,
    args: [lock.addr],
    text: (names) => `lockdep_assert_held_write(&${lock.expr(names)})`,
  });
}
export function* lockdep_assert_held_read(lock: Lock): Kernel<void> {
  yield* step({
    op: Op.silentPrimitive,
    primitive: assertHeldRead,
    args: [lock.addr],
    text: (names) => `lockdep_assert_held_read(&${lock.expr(names)})`,
  });
}

const isHeld = primitive("lock_is_held", (m, addr = 0) => (m.holds(addr) ? 1 : 0));
/** Whether this CPU holds the lock, in whatever mode. */
export function lock_is_held(lock: Lock): Kernel<boolean> {
  return step({
    op: Op.silentPrimitive,
    primitive: isHeld,
    args: [lock.addr],
    decode: asBoolean,
    text: (names) => `lock_is_held(&${lock.expr(names)})`,
  });
}
