/** Values as results are printed. */
import { errnoName } from "../../runtime/machine/errno.ts";
import { KERNEL_ADDRESSES, showValue } from "../../runtime/machine/access.ts";
import type { Value } from "../../runtime/machine/step.ts";
import { at, type Names } from "../../runtime/machine/struct.ts";
import type { Type } from "./types.ts";

/** A number as a kernel reader writes it: -EBUSY, 0x7f0000001000, 12. */
export function showNumber(value: number): string {
  const errno = value < 0 ? errnoName(value) : undefined;
  if (errno !== undefined) return errno;
  return Math.abs(value) >= 4096 ? `${value < 0 ? "-" : ""}0x${Math.abs(value).toString(16)}` : String(value);
}

export function showWord(names: Names, type: Type, word: number): string {
  if (type.kind === "object") return showValue(at(type.cls, word), names);
  if (type.kind === "boolean") return word === 0 ? "false" : "true";
  return word >= KERNEL_ADDRESSES ? showValue(word, names) : showNumber(word);
}

/** Any value that is no tuple: numbers as a kernel reader writes them, objects by their names. */
export function showOne(value: Value, names: Names): string {
  return typeof value === "number" && value < KERNEL_ADDRESSES ? showNumber(value) : showValue(value, names);
}
