/**
 * Expressions of a script, bound: names are resolved, types known. They can be run, as steps of a CPU, or looked at
 * from outside, as expectations are, which takes no step and changes nothing.
 */
import { constants } from "../../runtime/kernel.ts";
import { load, loadPrivate } from "../../runtime/machine/access.ts";
import { BUG } from "../../runtime/machine/bug.ts";
import { checkBounds, checkType, outOfBounds } from "../../runtime/machine/bounds.ts";
import { Op, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import {
  at,
  Atomic,
  int,
  Int,
  memberNamed,
  membersOf,
  Ref,
  Refcount,
  Special,
  Struct,
  WORD,
  Words,
  type Member,
} from "../../runtime/machine/struct.ts";
import type { BinaryOp } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { ScriptError } from "../script-error.ts";
import type { Type } from "./types.ts";

/** The locals of one call of a script's function, by number. Statements of a CPU have none. */
export type Frame = Value[];
const NO_FRAME: Frame = [];

/** A place: in memory, known from the start or only when it runs; or a local of a call. */
export type Place =
  | { readonly kind: "variable"; readonly ref: Member; readonly isPrivate: boolean }
  | { readonly kind: "member"; readonly object: Bound; readonly name: string; readonly isPrivate?: boolean }
  | { readonly kind: "element"; readonly array: Bound; readonly index: Bound }
  | { readonly kind: "local"; readonly local: Local }
  /** Of a tuple that the kernel hands to a callback: constant, no word of memory. */
  | { readonly kind: "field"; readonly record: Bound; readonly index: number };

/** A parameter or variable of a function. */
export interface Local {
  readonly index: number;
  readonly name: string;
  type: Type;
  /** Its declaration says which type that is. */
  readonly isTyped: boolean;
  readonly at: Span;
  /** It is in memory of its own, which is freed when the call is over: the local itself holds the address. */
  readonly owns: boolean;
}

export type Bound = { readonly type: Type; readonly at: Span } & (
  | { readonly kind: "constant"; readonly value: Value }
  /** A read of a word; of an embedded struct, array or lock: the thing itself. */
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "unary"; readonly op: "-" | "!" | "~"; readonly operand: Bound }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly left: Bound; readonly right: Bound }
  /** Its value is a pair: the start, and the end, which is excluded. */
  | { readonly kind: "range"; readonly start: Bound; readonly end: Bound }
  | { readonly kind: "conditional"; readonly test: Bound; readonly yes: Bound; readonly no: Bound }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly run: (frame: Frame) => Kernel<Value>;
      /** The expressions that it evaluates. */
      readonly parts: readonly Bound[];
      /** What it is of the numbers that these are, if it touches nothing else. */
      readonly compute?: (...numbers: number[]) => Value;
    }
);

// ---- as steps

export function* run(expr: Bound, frame: Frame): Kernel<Value> {
  switch (expr.kind) {
    case "constant":
      return expr.value;
    case "place":
      return yield* readPlace(expr.place, frame);
    case "unary":
      return unary(expr, yield* run(expr.operand, frame));
    case "binary": {
      const left = yield* run(expr.left, frame);
      if (expr.op === "&&") return truth(left) && truth(yield* run(expr.right, frame));
      if (expr.op === "||") return truth(left) || truth(yield* run(expr.right, frame));
      const right = yield* run(expr.right, frame);
      if (expr.op === "/" || expr.op === "%") {
        if (numeric(right) === 0) yield* BUG("divide error: 0000");
      }
      return binary(expr, left, right);
    }
    case "range":
      return [yield* run(expr.start, frame), yield* run(expr.end, frame)];
    case "conditional":
      return yield* run(truth(yield* run(expr.test, frame)) ? expr.yes : expr.no, frame);
    case "call":
      return yield* expr.run(frame);
  }
}

/** What lies at a place: a word, or something embedded there. */
export function* memberAt(place: MemoryPlace, frame: Frame): Kernel<Member> {
  switch (place.kind) {
    case "variable":
      return place.ref;
    case "member": {
      const object = yield* run(place.object, frame);
      if (place.object.kind !== "constant" && object instanceof Struct && !object.isNull) yield* checkType(object);
      return memberOf(object, place);
    }
    case "element": {
      const array = yield* run(place.array, frame);
      const i = numeric(yield* run(place.index, frame));
      const length = lengthOf(array);
      if (length !== undefined && (i < 0 || i >= length)) yield* BUG(outOfBounds(i, length));
      if (length === undefined) yield* checkBounds(numeric(array), i);
      return elementOf(array, i);
    }
  }
}
export type MemoryPlace = Extract<Place, { kind: "variable" | "member" | "element" }>;

function* readPlace(place: Place, frame: Frame): Kernel<Value> {
  if (place.kind === "local") return localValue(place.local, frame);
  if (place.kind === "field") return fieldOf(yield* run(place.record, frame), place.index);
  const member = yield* memberAt(place, frame);
  if (member instanceof Ref)
    return (yield* place.kind !== "element" && place.isPrivate === true ? loadPrivate(member) : load(member)) as Value;
  if (member instanceof Atomic || member instanceof Refcount)
    return yield* step({ op: Op.load, addr: member.addr, text: (names) => `atomic_read(&${member.expr(names)})` });
  return member as unknown as Value;
}
function memberOf(object: Value, { name, object: { at: where } }: Extract<Place, { kind: "member" }>): Member {
  // Where the binder did not know the type, nobody has looked whether there is such a member.
  const owner = object instanceof Struct ? object : at(no_struct, numeric(object));
  const member = memberNamed(owner, name);
  if (member !== undefined) return member;
  if (owner.isNull || owner instanceof no_struct) return at(no_struct, owner.addr).word;
  throw new ScriptError("E221", where, `struct ${owner.constructor.name} has no member \`${name}\``);
}
/** What lies at a pointer of which nothing is known. */
class no_struct extends Struct {
  word = int();
}
/** Of what the kernel hands to a callback: an event, which the model has by name, is a number for a script, as in C. */
function fieldOf(record: Value, index: number): Value {
  const value = (record as readonly Value[])[index];
  return typeof value === "string" ? constants[value] : value;
}
/** What a pointer to words leads to, where nothing lives. */
class unknown_array extends Struct {
  static readonly elements = true;
}
function lengthOf(array: Value): number | undefined {
  if (array instanceof Words) return array.length;
  const first = array instanceof Struct ? membersOf(array)[0]?.[1] : undefined;
  return first instanceof Words ? first.length : undefined;
}
function elementOf(array: Value, i: number): Member {
  if (array instanceof Words) return array.at(i);
  if (array instanceof Struct) {
    const [first] = membersOf(array);
    if (first?.[1] instanceof Words) return first[1].at(i);
  }
  const word = new Int(at(unknown_array, 0), numeric(array) + i * WORD);
  word.name = `${numeric(array) === 0 ? "NULL" : `0x${numeric(array).toString(16)}`}[${i}]`;
  return word;
}
/** One that nothing was assigned to holds what C does not say; here it is zero. */
function localValue({ index, type }: Local, frame: Frame): Value {
  const value = frame[index];
  if (value !== undefined) return value;
  if (type.kind === "object") return at(type.cls, 0);
  return type.kind === "boolean" ? false : type.kind === "number" ? 0 : null;
}
/** A value as a variable of this type holds it: NULL becomes a pointer, and a pointer one of that type, as in C. */
export function coerced(value: Value, type: Type): Value {
  if (type.kind === "object") {
    if (value instanceof Struct && value instanceof type.cls) return value;
    return at(type.cls, numeric(value));
  }
  if (type.kind === "boolean") return truth(value);
  return type.kind === "number" ? numeric(value) : value;
}

// ---- from outside

/** Who can see memory without touching it. */
export interface Onlooker {
  peek(addr: number): number;
}

/** The value as the machine stands. Calls cannot be looked at; the binder has refused them. */
export function look(expr: Bound, machine: Onlooker, frame = NO_FRAME): Value {
  switch (expr.kind) {
    case "constant":
      return expr.value;
    case "place":
      return lookAt(expr.place, machine, frame);
    case "unary":
      return unary(expr, look(expr.operand, machine, frame));
    case "binary": {
      const left = look(expr.left, machine, frame);
      if (expr.op === "&&") return truth(left) && truth(look(expr.right, machine, frame));
      if (expr.op === "||") return truth(left) || truth(look(expr.right, machine, frame));
      return binary(expr, left, look(expr.right, machine, frame));
    }
    case "range":
      return [look(expr.start, machine, frame), look(expr.end, machine, frame)];
    case "conditional":
      return look(truth(look(expr.test, machine, frame)) ? expr.yes : expr.no, machine, frame);
    case "call":
      if (expr.compute === undefined) throw new Error(`${expr.name} cannot be looked at`);
      return expr.compute(...expr.parts.map((part) => numeric(look(part, machine, frame))));
  }
}
/** Where something is: a lock itself rather than what it holds. */
export function addressAt(expr: Bound, machine: Onlooker): number {
  if (expr.kind !== "place") return numeric(look(expr, machine));
  const { place } = expr;
  if (place.kind === "variable") return place.ref.addr;
  if (place.kind !== "member") return numeric(look(expr, machine));
  const member = memberOf(look(place.object, machine), place);
  return member instanceof Ref ? machine.peek(member.addr) : member.addr;
}
/** Constants are worked out at once, so that `0x1000 + 2 * PAGE_SIZE` is a constant like any other. */
export function folded(expr: Extract<Bound, { kind: "unary" | "binary" }>): Bound {
  const operands = expr.kind === "unary" ? [expr.operand] : [expr.left, expr.right];
  const values = operands.flatMap((operand) => (operand.kind === "constant" ? [operand.value] : []));
  if (values.length < operands.length) return expr;
  const { type, at: where } = expr;
  if (expr.kind === "unary") return { kind: "constant", value: unary(expr, values[0]), type, at: where };
  const [left, right] = values;
  if (expr.op === "/" || expr.op === "%") return expr; // dividing by zero is for the run to report
  if (expr.op === "&&") return { kind: "constant", value: truth(left) && truth(right), type, at: where };
  if (expr.op === "||") return { kind: "constant", value: truth(left) || truth(right), type, at: where };
  return { kind: "constant", value: binary(expr, left, right), type, at: where };
}
function lookAt(place: Place, machine: Onlooker, frame: Frame): Value {
  if (place.kind === "local") return localValue(place.local, frame);
  if (place.kind === "field") return fieldOf(look(place.record, machine, frame), place.index);
  const member: Member =
    place.kind === "variable"
      ? place.ref
      : place.kind === "member"
        ? memberOf(look(place.object, machine, frame), place)
        : elementOf(look(place.array, machine, frame), numeric(look(place.index, machine, frame)));
  if (member instanceof Ref) return member.decode(machine.peek(member.addr)) as Value;
  if (member instanceof Special) return machine.peek(member.addr);
  return member as unknown as Value;
}

/** Whether `look` can answer: it holds no call. The first one otherwise. */
export function firstCall(expr: Bound): Extract<Bound, { kind: "call" }> | undefined {
  if (expr.kind === "call") return expr;
  for (const part of partsOf(expr)) {
    const call = firstCall(part);
    if (call !== undefined) return call;
  }
  return undefined;
}

/** The expressions that an expression is made of. */
function partsOf(expr: Bound): readonly Bound[] {
  switch (expr.kind) {
    case "constant":
      return [];
    case "call":
      return expr.parts;
    case "unary":
      return [expr.operand];
    case "binary":
      return [expr.left, expr.right];
    case "range":
      return [expr.start, expr.end];
    case "conditional":
      return [expr.test, expr.yes, expr.no];
    case "place":
      return partsOfPlace(expr.place);
  }
}
export function partsOfPlace(place: Place): readonly Bound[] {
  switch (place.kind) {
    case "member":
      return [place.object];
    case "element":
      return [place.array, place.index];
    case "field":
      return [place.record];
    default:
      return [];
  }
}
/** The locals that an expression reads. */
export function* localsIn(expr: Bound): Generator<Local> {
  if (expr.kind === "place" && expr.place.kind === "local") yield expr.place.local;
  for (const part of partsOf(expr)) yield* localsIn(part);
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
function unary({ op, at: where }: Operation<"-" | "!" | "~">, value: Value): Value {
  if (op === "!") return !truth(value);
  return whole(op === "-" ? -numeric(value) : -numeric(value) - 1, where);
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
