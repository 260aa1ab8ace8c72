/** What a step is to those who tell it. */
import type { Machine } from "../runtime/machine/machine.ts";
import { Op, type Step } from "../runtime/machine/step.ts";
import { showNumber } from "./bind/values.ts";

/** "FAULT_FLAG_WRITE | FAULT_FLAG_REMOTE"; what has no name follows as a number. */
export function bitsText(value: number, bits: Readonly<Record<string, number>>): string {
  const set = Object.entries(bits).filter(([, bit]) => (value & bit) !== 0);
  const rest = set.reduce((left, [, bit]) => left & ~bit, value);
  const texts = [...set.map(([name]) => name), ...(rest === 0 && set.length > 0 ? [] : [showNumber(rest)])];
  return texts.join(" | ");
}
export function lockUse(step: Step): "take" | "give" | undefined {
  if (step.op === Op.spinLock || step.op === Op.mutexLock) return "take";
  if (step.op === Op.spinUnlock || step.op === Op.mutexUnlock) return "give";
  const name = step.primitive?.name ?? "";
  if (/^(down_(read|write)|(spin|mutex)_try|mutex_lock|read_lock)/.test(name)) return "take";
  return /^(up_(read|write)|read_unlock)/.test(name) ? "give" : undefined;
}
/** A count that became zero or less, or was zero already. */
export function decisive(step: Step, machine: Machine): boolean | undefined {
  const { result } = machine;
  const name = step.primitive?.name ?? "";
  if (step.op === Op.decAndTest) return result === 1 || machine.peek(step.addr) < 0;
  if (name === "refcount_dec_and_test") return result === 1;
  if (step.op === Op.incNotZero || name === "refcount_inc_not_zero") return result === 0;
  return name === "refcount_inc" ? false : undefined;
}
/** Steps whose result says nothing: a store, an unlock, an allocation. */
export function isQuiet(step: Step): boolean {
  if (lockUse(step) !== undefined) return !/trylock/.test(step.primitive?.name ?? "");
  return step.op === Op.store || step.op === Op.add || step.op === Op.free;
}
