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

/** What the counters of `atomic_read(&v)` and its like look like: the number comes first, as in the kernel. */
function counterStep<R>(spec: { op: Op; a?: number; b?: number }, v: Atomic, text: string, decode: (n: number) => R) {
  return step({ ...spec, addr: v.addr, decode, text: (names) => text.replace("@", `&${v.expr(names)}`) });
}
const asNumber = (n: number): number => n;
export function atomic_add(i: number, v: Atomic): Kernel<void> {
  return counterStep({ op: Op.add, a: i }, v, `atomic_add(${i}, @)`, nothing);
}
export function atomic_sub(i: number, v: Atomic): Kernel<void> {
  return counterStep({ op: Op.add, a: -i }, v, `atomic_sub(${i}, @)`, nothing);
}
/** The new value, as of the others that end in _return. */
export function atomic_add_return(i: number, v: Atomic): Kernel<number> {
  return counterStep({ op: Op.add, a: i }, v, `atomic_add_return(${i}, @)`, asNumber);
}
export function atomic_sub_return(i: number, v: Atomic): Kernel<number> {
  return counterStep({ op: Op.add, a: -i }, v, `atomic_sub_return(${i}, @)`, asNumber);
}
export function atomic_inc_return(v: Atomic): Kernel<number> {
  return counterStep({ op: Op.add, a: 1 }, v, "atomic_inc_return(@)", asNumber);
}
export function atomic_dec_return(v: Atomic): Kernel<number> {
  return counterStep({ op: Op.add, a: -1 }, v, "atomic_dec_return(@)", asNumber);
}
/** True if the word is zero now. */
export function atomic_sub_and_test(i: number, v: Atomic): Kernel<boolean> {
  return counterStep({ op: Op.add, a: -i }, v, `atomic_sub_and_test(${i}, @)`, (n) => n === 0);
}
/** The old value. */
export function atomic_xchg(v: Atomic, value: number): Kernel<number> {
  return counterStep({ op: Op.exchange, a: value }, v, `atomic_xchg(@, ${value})`, asNumber);
}
/** The old value; the word changed iff that is `old`. */
export function atomic_cmpxchg(v: Atomic, old: number, value: number): Kernel<number> {
  return counterStep({ op: Op.compareExchange, a: old, b: value }, v, `atomic_cmpxchg(@, ${old}, ${value})`, asNumber);
}
const addUnless = primitive("atomic_add_unless", (m, addr = 0, a = 0, u = 0) => {
  const old = m.read(addr);
  if (old === u) return 0;
  m.write(addr, old + a);
  return 1;
});
/** False, and nothing done, if the word is `u`. */
export function atomic_add_unless(v: Atomic, a: number, u: number): Kernel<boolean> {
  return step({
    op: Op.primitive,
    addr: v.addr,
    primitive: addUnless,
    args: [v.addr, a, u],
    decode: asBoolean,
    text: (names) => `atomic_add_unless(&${v.expr(names)}, ${a}, ${u})`,
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
const refcountDec = primitive("refcount_dec", (m, addr = 0) => {
  const old = m.read(addr);
  if (old <= 0) saturate(m, addr, "underflow; use-after-free.");
  else if (old === 1) saturate(m, addr, "decrement hit 0; leaking memory.");
  else m.write(addr, old - 1);
  return 0;
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
/** For those who know that it is not the last one: nobody is told to free anything. */
export function refcount_dec(r: Refcount): Kernel<void> {
  return refcountStep(refcountDec, r, nothing, (names) => `refcount_dec(&${r.expr(names)})`);
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
export function kref_read(k: kref): Kernel<number> {
  return step({ op: Op.load, addr: k.refcount.addr, text: (names) => `kref_read(&${k.expr(names)})` });
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
