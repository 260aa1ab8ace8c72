/** atomic_t, refcount_t and kref. */
import { kernelFunction, type KernelFunction } from "./function.ts";
import { asBoolean, Op, primitive, step, type Kernel, type PrimitiveContext } from "./step.ts";
import { refcount, Struct, type Atomic, type Names, type Refcount } from "./struct.ts";

const REFCOUNT_SATURATED = -0x40000000;

export function atomic_read(v: Atomic): Kernel<number> {
  return step({ op: Op.load, addr: v.addr, text: (names) => `atomic_read(&${v.expr(names)})` });
}
export function* atomic_set(v: Atomic, value: number): Kernel<void> {
  yield* step({ op: Op.store, addr: v.addr, a: value, text: (names) => `atomic_set(&${v.expr(names)}, ${value})` });
}
export function* atomic_inc(v: Atomic): Kernel<void> {
  yield* step({ op: Op.add, addr: v.addr, a: 1, decode: nothing, text: (names) => `atomic_inc(&${v.expr(names)})` });
}
export function* atomic_dec(v: Atomic): Kernel<void> {
  yield* step({ op: Op.add, addr: v.addr, a: -1, decode: nothing, text: (names) => `atomic_dec(&${v.expr(names)})` });
}
/** True if that was the last: the word is zero now. */
export function atomic_dec_and_test(v: Atomic): Kernel<boolean> {
  return step({
    op: Op.decAndTest,
    addr: v.addr,
    decode: asBoolean,
    text: (names) => `atomic_dec_and_test(&${v.expr(names)})`,
  });
}
/** False, and nothing done, if the word is zero. */
export function atomic_inc_not_zero(v: Atomic): Kernel<boolean> {
  return step({
    op: Op.incNotZero,
    addr: v.addr,
    decode: asBoolean,
    text: (names) => `atomic_inc_not_zero(&${v.expr(names)})`,
  });
}

function nothing(): void {}

// lib/refcount.c: misuse saturates the counter and warns; it never wraps back to something that looks alive.
const saturate = (m: PrimitiveContext, addr: number, message: string): void => {
  m.write(addr, REFCOUNT_SATURATED);
  m.warn("refcount", `refcount_t: ${message}`, addr);
};
const refcountInc = primitive("refcount_inc", (m, addr = 0) => {
  const old = m.read(addr);
  if (old === 0) saturate(m, addr, "addition on 0; use-after-free.");
  else if (old < 0) saturate(m, addr, "saturated; leaking memory.");
  else m.write(addr, old + 1);
  return 0;
});
const refcountIncNotZero = primitive("refcount_inc_not_zero", (m, addr = 0) => {
  const old = m.read(addr);
  if (old === 0) return 0;
  if (old < 0) saturate(m, addr, "saturated; leaking memory.");
  else m.write(addr, old + 1);
  return 1;
});
const refcountDecAndTest = primitive("refcount_dec_and_test", (m, addr = 0) => {
  const old = m.read(addr);
  if (old <= 0) {
    saturate(m, addr, "underflow; use-after-free.");
    return 0;
  }
  m.write(addr, old - 1);
  return old === 1 ? 1 : 0;
});

export function* refcount_set(r: Refcount, value: number): Kernel<void> {
  yield* step({ op: Op.store, addr: r.addr, a: value, text: (names) => `refcount_set(&${r.expr(names)}, ${value})` });
}
export function refcount_read(r: Refcount): Kernel<number> {
  return step({ op: Op.load, addr: r.addr, text: (names) => `refcount_read(&${r.expr(names)})` });
}
function refcountStep<R>(
  run: typeof refcountInc,
  r: Refcount,
  decode: (n: number) => R,
  text: (names: Names) => string,
): Kernel<R> {
  return step({ op: Op.primitive, addr: r.addr, primitive: run, args: [r.addr], decode, text });
}
export function refcount_inc(r: Refcount): Kernel<void> {
  return refcountStep(refcountInc, r, nothing, (names) => `refcount_inc(&${r.expr(names)})`);
}
export function refcount_inc_not_zero(r: Refcount): Kernel<boolean> {
  return refcountStep(refcountIncNotZero, r, asBoolean, (names) => `refcount_inc_not_zero(&${r.expr(names)})`);
}
export function refcount_dec_and_test(r: Refcount): Kernel<boolean> {
  return refcountStep(refcountDecAndTest, r, asBoolean, (names) => `refcount_dec_and_test(&${r.expr(names)})`);
}

/** include/linux/kref.h */
export class kref extends Struct {
  static readonly short: string = "kref";
  refcount = refcount();
}
export function* kref_init(k: kref): Kernel<void> {
  yield* step({ op: Op.store, addr: k.refcount.addr, a: 1, text: (names) => `kref_init(&${k.expr(names)})` });
}
export function kref_get(k: kref): Kernel<void> {
  return refcountStep(refcountInc, k.refcount, nothing, (names) => `kref_get(&${k.expr(names)})`);
}
export function kref_get_unless_zero(k: kref): Kernel<boolean> {
  const text = (names: Names): string => `kref_get_unless_zero(&${k.expr(names)})`;
  return refcountStep(refcountIncNotZero, k.refcount, asBoolean, text);
}
/** Calls `release(k)` in the caller's context when that was the last reference; true then. */
export const kref_put = kernelFunction(
  "kref_put",
  function* (k: kref, release: KernelFunction<[kref], void>): Kernel<boolean> {
    if (!(yield* refcount_dec_and_test(k.refcount))) return false;
    yield* release(k);
    return true;
  },
  { source: "include/linux/kref.h", params: ["kref", "release"] },
);
