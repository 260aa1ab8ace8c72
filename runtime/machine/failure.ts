/**
 * Failure injection, as lib/fault-inject.c does it for one task: the n-th call from now on fails. Per CPU and kind of
 * failure a set of bits, one for each call to come that fails; nobody else looks at it, so none of this is a step of
 * its own.
 */
import { Op, primitive, step, type Kernel, type PrimitiveContext } from "./step.ts";
import { ACTORS_MAX } from "./rcu.ts";
import { Struct, WORD, words } from "./struct.ts";
import { staticObject } from "./types.ts";

/** Of kinds of failure: slab allocation is kind 0, functions of the script's choice come after it. */
export const FAILURES_MAX = 16;
/** They fail together: their names are one allocator's. */
const ALLOCATIONS: readonly string[] = [
  ...["kmalloc", "kzalloc", "kcalloc", "kmalloc_array"],
  ...["kvmalloc", "kvzalloc", "kvcalloc", "kvmalloc_array"],
];
export const SLAB = 0;
/** A driver's huge_fault() gives no huge page. */
export const HUGE_FAULT = 1;
/** What the kernel itself asks about; functions of the script's choice are numbered from FIRST_CHOSEN on. */
export const KERNEL_FAILURES: ReadonlyMap<string, number> = new Map([
  ...ALLOCATIONS.map((name) => [name, SLAB] as const),
  ["huge_fault", HUGE_FAULT] as const,
]);
export const FIRST_CHOSEN = 2;
/** Operand of an allocation: it is one of the slab's, and may fail. The GFP flags stand beside it. */
export const MAY_FAIL = 1;

/** How far ahead: that many bits a word has. */
export const CALLS_MAX = 50;

class failures extends Struct {
  coming = words(ACTORS_MAX * FAILURES_MAX);
}
const failing = staticObject(failures);
const setOf = (actor: number, kind: number): number => failing.coming.addr + (actor * FAILURES_MAX + kind) * WORD;

/** Whether this call is the one. */
export function failsNow(m: Pick<PrimitiveContext, "peek" | "write">, actor: number, kind: number): boolean {
  const set = m.peek(setOf(actor, kind));
  if (set === 0) return false;
  m.write(setOf(actor, kind), Math.floor(set / 2));
  return set % 2 === 1;
}

const arm = primitive("fail", (m, kind = 0, count = 0) => {
  const set = m.peek(setOf(m.actor, kind));
  const bit = 2 ** (count - 1);
  if (Math.floor(set / bit) % 2 === 0) m.write(setOf(m.actor, kind), set + bit);
  return 0;
});
export function* armFailure(kind: number, count: number): Kernel<void> {
  yield* step({ op: Op.silentPrimitive, primitive: arm, args: [kind, count], text: () => `fail #${count}` });
}
const next = primitive("fails", (m, kind = 0) => (failsNow(m, m.actor, kind) ? 1 : 0));
export function failNext(kind: number): Kernel<boolean> {
  return step({
    op: Op.silentPrimitive,
    primitive: next,
    args: [kind],
    decode: (n) => n !== 0,
    text: () => "fails?",
  });
}
