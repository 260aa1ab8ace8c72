/** Loads and stores of shared words: plain, marked, and of words that only one CPU can reach. */
import { errnoName } from "./errno.ts";
import { Op, step, wordOf, type Callable, type Kernel } from "./step.ts";
import { addressText, Ref, Special, Struct, Words, type Names } from "./struct.ts";

export const KERNEL_ADDRESSES = 2 ** 52; // and up: numbers there are pointers

/** A plain C read. */
export function load<T>(ref: Ref<T>): Kernel<T> {
  return step({
    op: Op.load,
    addr: ref.addr,
    access: "plain",
    decode: (n) => ref.decode(n),
    text: (names) => ref.expr(names),
  });
}

/** A plain C assignment. */
export function* store<T>(ref: Ref<T>, value: NoInfer<T> | null): Kernel<void> {
  yield* step({
    op: Op.store,
    addr: ref.addr,
    a: wordOf(value),
    access: "plain",
    text: (names) => `${ref.expr(names)} = ${showValue(value, names)}`,
  });
}

/** include/asm-generic/rwonce.h */
export function READ_ONCE<T>(ref: Ref<T>): Kernel<T> {
  return step({
    op: Op.load,
    addr: ref.addr,
    decode: (n) => ref.decode(n),
    text: (names) => `READ_ONCE(${ref.expr(names)})`,
  });
}

/** include/asm-generic/rwonce.h */
export function* WRITE_ONCE<T>(ref: Ref<T>, value: NoInfer<T> | null): Kernel<void> {
  yield* step({
    op: Op.store,
    addr: ref.addr,
    a: wordOf(value),
    text: (names) => `WRITE_ONCE(${ref.expr(names)}, ${showValue(value, names)})`,
  });
}

/** include/asm-generic/barrier.h: whoever loads it with acquire sees what was written before. */
export function* smp_store_release<T>(ref: Ref<T>, value: NoInfer<T> | null): Kernel<void> {
  yield* step({
    op: Op.store,
    addr: ref.addr,
    a: wordOf(value),
    text: (names) => `smp_store_release(&${ref.expr(names)}, ${showValue(value, names)})`,
  });
}
export function smp_load_acquire<T>(ref: Ref<T>): Kernel<T> {
  return step({
    op: Op.load,
    addr: ref.addr,
    decode: (n) => ref.decode(n),
    text: (names) => `smp_load_acquire(&${ref.expr(names)})`,
  });
}

/** `ref++`, `--ref` and `ref += by`: a lock protects the word, or should, so that it is one step. The new value. */
export function add(ref: Ref<number>, by: number): Kernel<number> {
  return step({
    op: Op.add,
    addr: ref.addr,
    a: by,
    access: "plain",
    text: (names) =>
      by === 1 ? `${ref.expr(names)}++` : by === -1 ? `--${ref.expr(names)}` : `${ref.expr(names)} += ${by}`,
  });
}

export function xchg<T>(ref: Ref<T>, value: NoInfer<T> | null): Kernel<T> {
  return step({
    op: Op.exchange,
    addr: ref.addr,
    a: wordOf(value),
    decode: (n) => ref.decode(n),
    text: (names) => `xchg(&${ref.expr(names)}, ${showValue(value, names)})`,
  });
}

/** The old value; the word changed iff that equals `old`. */
export function cmpxchg<T>(ref: Ref<T>, old: NoInfer<T> | null, value: NoInfer<T> | null): Kernel<T> {
  return step({
    op: Op.compareExchange,
    addr: ref.addr,
    a: wordOf(old),
    b: wordOf(value),
    decode: (n) => ref.decode(n),
    text: (names) => `cmpxchg(&${ref.expr(names)}, ${showValue(old, names)}, ${showValue(value, names)})`,
  });
}

/** Reads a word that only the CPU itself ever touches: its own variables. No step of its own. */
export function loadPrivate<T>(ref: Ref<T>): Kernel<T> {
  return step({
    op: Op.silentLoad,
    addr: ref.addr,
    decode: (n) => ref.decode(n),
    text: (names) => ref.expr(names),
  });
}

/** Writes a word that only the CPU itself ever touches. No step of its own. */
export function* storePrivate<T>(ref: Ref<T>, value: NoInfer<T> | null): Kernel<void> {
  yield* step({
    op: Op.silentStore,
    addr: ref.addr,
    a: wordOf(value),
    text: (names) => `${ref.expr(names)} = ${showValue(value, names)}`,
  });
}

/** A value as C would write it. */
export function showValue(value: unknown, names: Names): string {
  if (value === null || value === undefined) return "NULL";
  if (value instanceof Struct) {
    if (value.addr < 0) return `ERR_PTR(${errnoName(value.addr) ?? value.addr})`;
    const text = value.expr(names);
    return text.includes("->") ? `&${text}` : text;
  }
  if (value instanceof Special) return `&${value.expr(names)}`;
  if (value instanceof Words) return value.name;
  if (value instanceof Ref) return `&${value.expr(names)}`;
  if (typeof value === "function") {
    const { id, name } = value as unknown as Callable;
    return name === "" ? (names.functionName?.(id) ?? "function") : name;
  }
  if (typeof value === "number" && value >= KERNEL_ADDRESSES) {
    const valueText = names.typeAt(value)?.valueText;
    if (valueText !== undefined) return valueText(value, names);
    const flags = value % 8; // page-table entries and the like keep some in the lowest bits
    const text = addressText(value - flags, names);
    if (text !== undefined) return flags === 0 ? text : `${text} | ${flags}`;
  }
  if (typeof value === "number" && Math.abs(value) >= 4096) return `0x${value.toString(16)}`;
  return String(value);
}
