/** What the binder knows about values before anything runs. */
import type { Member } from "../../runtime/machine/struct.ts";
import {
  Atomic,
  Flag,
  Mutex,
  Pointer,
  Ref,
  Refcount,
  SpinLock,
  Struct,
  Words,
  type StructClass,
} from "../../runtime/machine/struct.ts";
import type { ResultKind } from "../../runtime/callable.ts";
import { isArrayClass } from "./word-objects.ts";

export type Type =
  | { readonly kind: "number" }
  | { readonly kind: "boolean" }
  | { readonly kind: "void" }
  | { readonly kind: "null" }
  | { readonly kind: "string" }
  /** Only where an argument is one. */
  | { readonly kind: "range" }
  /** A pointer to an object; `embedded`: not a word that holds one, but the address of a member. */
  | { readonly kind: "object"; readonly cls: StructClass; readonly embedded?: boolean }
  | { readonly kind: "array" }
  /** A tuple that the kernel hands to a callback: its fields by name, and where in the tuple they stand. */
  | { readonly kind: "record"; readonly name: string; readonly fields: Readonly<Record<string, Field>> }
  /** The name of a function, where a function takes one. */
  | { readonly kind: "function"; readonly name: string }
  /** Nobody said: it shows when it runs. */
  | { readonly kind: "any" }
  | { readonly kind: "spinlock" }
  | { readonly kind: "mutex" }
  | { readonly kind: "atomic" }
  | { readonly kind: "refcount" };

export interface Field {
  readonly index: number;
  readonly type: Type;
}

export const ANY: Type = { kind: "any" };
export const RANGE: Type = { kind: "range" };
export const NUMBER: Type = { kind: "number" };
export const BOOLEAN: Type = { kind: "boolean" };
export const VOID: Type = { kind: "void" };
export const NULL_TYPE: Type = { kind: "null" };

/** What the name of an object of this class stands for. */
export function objectType(cls: StructClass): Type {
  return isArrayClass(cls) ? { kind: "array" } : { kind: "object", cls };
}

export function typeOfResult(result: ResultKind): Type {
  return result.kind === "object" ? { kind: "object", cls: result.type() } : { kind: result.kind };
}

export function typeOfMember(member: Member): Type {
  if (member instanceof Struct) return { kind: "object", cls: member.constructor as StructClass, embedded: true };
  if (member instanceof Words) return { kind: "array" };
  if (member instanceof SpinLock) return { kind: "spinlock" };
  if (member instanceof Mutex) return { kind: "mutex" };
  if (member instanceof Atomic) return { kind: "atomic" };
  if (member instanceof Refcount) return { kind: "refcount" };
  if (member instanceof Pointer) return { kind: "object", cls: member.target() as StructClass };
  if (member instanceof Flag) return BOOLEAN;
  if (member instanceof Ref) return NUMBER;
  return NUMBER;
}

/** Whether it is a word that is read by name and changed by calls only. */
export function isCounter(type: Type): boolean {
  return type.kind === "atomic" || type.kind === "refcount";
}
/** What a variable holds that keeps a value of this type: counters are read. */
export function typeOfKept(type: Type): Type {
  if (type.kind === "object") return { kind: "object", cls: type.cls };
  return isCounter(type) ? NUMBER : type;
}

/** Whether one variable can hold both. */
export function compatible(a: Type, b: Type): boolean {
  const loose = (t: Type): boolean => t.kind === "number" || t.kind === "boolean";
  if (a.kind === "null" || b.kind === "null" || a.kind === "any" || b.kind === "any") return true;
  if (loose(a) && loose(b)) return true;
  return a.kind === b.kind && (a.kind !== "object" || (b.kind === "object" && a.cls === b.cls));
}

/** "a number", "a struct hmm_mirror": how a message names it. */
export function typeText(type: Type): string {
  switch (type.kind) {
    case "object":
      return `a struct ${type.cls.name}`;
    case "null":
      return "NULL";
    case "void":
      return "no value";
    case "atomic":
      return "an atomic counter";
    case "refcount":
      return "a reference count";
    case "array":
      return "an array";
    case "record":
      return `a struct ${type.name}`;
    case "any":
      return "of a type that nobody knows";
    default:
      return `a ${type.kind}`;
  }
}

/** Equal types have equal keys. */
export function typeKey(type: Type): string {
  return type.kind === "object" ? `struct ${type.cls.name}` : type.kind === "record" ? type.name : type.kind;
}
