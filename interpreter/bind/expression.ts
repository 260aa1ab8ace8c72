/**
 * Expressions of a script, bound: names are resolved, types known. They can be run, as steps of a CPU, or looked at
 * from outside, as expectations are, which takes no step and changes nothing.
 */
import { load, loadPrivate } from "../../runtime/machine/access.ts";
import { BUG_ON } from "../../runtime/machine/bug.ts";
import { Op, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { Atomic, Ref, Refcount, Special, Struct, Words, type Member } from "../../runtime/machine/struct.ts";
import type { BinaryOp } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { ScriptError } from "../script-error.ts";
import type { Type } from "./types.ts";

/** A place in memory: known from the start, or a member of an object that is known only when it runs. */
export type Place =
  | { readonly kind: "variable"; readonly ref: Ref<unknown>; readonly isPrivate: boolean }
  | { readonly kind: "member"; readonly object: Bound; readonly name: string }
  | { readonly kind: "element"; readonly array: Bound; readonly index: Bound };

export type Bound = { readonly type: Type; readonly at: Span } & (
  | { readonly kind: "constant"; readonly value: Value }
  /** A read of a word; of an embedded struct, array or lock: the thing itself. */
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "unary"; readonly op: "-" | "!" | "~"; readonly operand: Bound }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly left: Bound; readonly right: Bound }
  | { readonly kind: "conditional"; readonly test: Bound; readonly yes: Bound; readonly no: Bound }
  | { readonly kind: "call"; readonly name: string; readonly run: () => Kernel<Value> }
);

// ---- as steps

export function* run(expr: Bound): Kernel<Value> {
  switch (expr.kind) {
    case "constant":
      return expr.value;
    case "place":
      return yield* readPlace(expr.place);
    case "unary":
      return unary(expr, yield* run(expr.operand));
    case "binary": {
      const left = yield* run(expr.left);
      if (expr.op === "&&") return truth(left) && truth(yield* run(expr.right));
      if (expr.op === "||") return truth(left) || truth(yield* run(expr.right));
      const right = yield* run(expr.right);
      if (expr.op === "/" || expr.op === "%") yield* BUG_ON(numeric(right) === 0, "divide error: 0000");
      return binary(expr, left, right);
    }
    case "conditional":
      return yield* run(truth(yield* run(expr.test)) ? expr.yes : expr.no);
    case "call":
      return yield* expr.run();
  }
}

/** What lies at a place: a word, or something embedded there. */
export function* memberAt(place: Place): Kernel<Member> {
  switch (place.kind) {
    case "variable":
      return place.ref;
    case "member":
      return memberOf(yield* run(place.object), place.name);
    case "element": {
      const array = (yield* run(place.array)) as unknown as Words;
      return array.at(numeric(yield* run(place.index)));
    }
  }
}
function* readPlace(place: Place): Kernel<Value> {
  const member = yield* memberAt(place);
  if (member instanceof Ref)
    return (yield* place.kind === "variable" && place.isPrivate ? loadPrivate(member) : load(member)) as Value;
  if (member instanceof Atomic || member instanceof Refcount)
    return yield* step({ op: Op.load, addr: member.addr, text: (names) => `atomic_read(&${member.expr(names)})` });
  return member as unknown as Value;
}
function memberOf(object: Value, name: string): Member {
  return (object as unknown as Record<string, Member>)[name] as Member;
}

// ---- from outside

/** Who can see memory without touching it. */
export interface Onlooker {
  peek(addr: number): number;
}

/** The value as the machine stands. Calls cannot be looked at; the binder has refused them. */
export function look(expr: Bound, machine: Onlooker): Value {
  switch (expr.kind) {
    case "constant":
      return expr.value;
    case "place":
      return lookAt(expr.place, machine);
    case "unary":
      return unary(expr, look(expr.operand, machine));
    case "binary": {
      const left = look(expr.left, machine);
      if (expr.op === "&&") return truth(left) && truth(look(expr.right, machine));
      if (expr.op === "||") return truth(left) || truth(look(expr.right, machine));
      return binary(expr, left, look(expr.right, machine));
    }
    case "conditional":
      return look(truth(look(expr.test, machine)) ? expr.yes : expr.no, machine);
    case "call":
      throw new Error(`${expr.name} cannot be looked at`);
  }
}
/** Constants are worked out at once, so that `0x1000 + 2 * PAGE_SIZE` is a constant like any other. */
export function folded(expr: Extract<Bound, { kind: "unary" | "binary" }>): Bound {
  const operands = expr.kind === "unary" ? [expr.operand] : [expr.left, expr.right];
  const values = operands.flatMap((operand) => (operand.kind === "constant" ? [operand.value] : []));
  if (values.length < operands.length) return expr;
  const { type, at } = expr;
  if (expr.kind === "unary") return { kind: "constant", value: unary(expr, values[0]), type, at };
  const [left, right] = values;
  if (expr.op === "/" || expr.op === "%") return expr; // dividing by zero is for the run to report
  if (expr.op === "&&") return { kind: "constant", value: truth(left) && truth(right), type, at };
  if (expr.op === "||") return { kind: "constant", value: truth(left) || truth(right), type, at };
  return { kind: "constant", value: binary(expr, left, right), type, at };
}
function lookAt(place: Place, machine: Onlooker): Value {
  const member: Member =
    place.kind === "variable"
      ? place.ref
      : place.kind === "member"
        ? memberOf(look(place.object, machine), place.name)
        : (look(place.array, machine) as unknown as Words).at(numeric(look(place.index, machine)));
  if (member instanceof Ref) return member.decode(machine.peek(member.addr)) as Value;
  if (member instanceof Special) return machine.peek(member.addr);
  return member as unknown as Value;
}

/** Whether `look` can answer: it holds no call. The place of the first one otherwise. */
export function firstCall(expr: Bound): Extract<Bound, { kind: "call" }> | undefined {
  switch (expr.kind) {
    case "constant":
      return undefined;
    case "call":
      return expr;
    case "unary":
      return firstCall(expr.operand);
    case "binary":
      return firstCall(expr.left) ?? firstCall(expr.right);
    case "conditional":
      return firstCall(expr.test) ?? firstCall(expr.yes) ?? firstCall(expr.no);
    case "place":
      if (expr.place.kind === "member") return firstCall(expr.place.object);
      if (expr.place.kind === "element") return firstCall(expr.place.array) ?? firstCall(expr.place.index);
      return undefined;
  }
}

// ---- values

export function truth(value: Value): boolean {
  if (value instanceof Struct) return !value.isNull;
  return Boolean(value);
}
export function numeric(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value !== null && typeof value === "object" && "addr" in value) return value.addr;
  return 0;
}
interface Operation<O> {
  readonly op: O;
  readonly at: Span;
}
function unary({ op, at }: Operation<"-" | "!" | "~">, value: Value): Value {
  if (op === "!") return !truth(value);
  return whole(op === "-" ? -numeric(value) : -numeric(value) - 1, at);
}
/** What fits a word. Adding zero turns -0 into 0: a word must not have two zeros. */
function whole(value: number, at: Span): number {
  if (Number.isSafeInteger(value)) return value + 0;
  if (Number.isNaN(value)) throw new ScriptError("E138", at, "a shift by less than nothing");
  throw new ScriptError("E138", at, "this comes to more than 2^53, where numbers end");
}

/** Steps have run into the oops before they come here; who looks from outside gets an error of the script. */
function divisor(value: number, at: Span): number {
  if (value === 0) throw new ScriptError("E138", at, "a division by zero");
  return value;
}
function binary({ op, at }: Operation<BinaryOp>, left: Value, right: Value): Value {
  const a = numeric(left);
  const b = numeric(right);
  switch (op) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "+":
      return whole(a + b, at);
    case "-":
      return whole(a - b, at);
    case "*":
      return whole(a * b, at);
    case "/":
      return whole(Math.trunc(a / divisor(b, at)), at);
    case "%":
      return whole(a % divisor(b, at), at);
    case "<<":
      return whole(b < 0 ? NaN : a === 0 ? 0 : a * 2 ** b, at);
    case ">>":
      return whole(b < 0 ? NaN : Math.floor(a / 2 ** b), at);
    default:
      return whole(bitwise(op, a, b), at);
  }
}
/** On all 53 bits that a word has. */
function bitwise(op: BinaryOp, a: number, b: number): number {
  const x = BigInt(a);
  const y = BigInt(b);
  return Number(op === "&" ? x & y : op === "|" ? x | y : x ^ y);
}
