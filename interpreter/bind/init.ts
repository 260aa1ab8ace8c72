/** `{ .start = a, .pfns = pfns }`: what an object begins with. What is not named is zero. */
import type { Expr, Init, InitField } from "../../grammar/ast.ts";
import { nearest } from "../../grammar/suggest.ts";
import { Atomic, at, memberNamed, membersOf, Ref, Refcount, Struct, Words } from "../../runtime/machine/struct.ts";
import type { Member, StructClass } from "../../runtime/machine/struct.ts";
import { isArrayClass } from "./word-objects.ts";
import type { Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { compatible, typeOfKept, typeOfMember, typeText } from "./types.ts";

export interface InitialValue {
  /** From the object to the word: names of members, and indices. */
  readonly path: readonly string[];
  readonly value: Bound;
}

export function initialValues(binder: ExpressionBinder, cls: StructClass, init: Init): readonly InitialValue[] {
  return valuesIn(binder, at(cls, 0), init, []);
}
/** The word at the end of a path. */
export function memberAtPath(object: Struct, path: readonly string[]): Ref<unknown> | undefined {
  let member: unknown = object;
  for (const part of path) {
    if (member instanceof Words) member = member.at(Number(part));
    else if (member instanceof Struct && isArrayClass(member.constructor as StructClass))
      member = (membersOf(member)[0]?.[1] as Words).at(Number(part));
    else member = member instanceof Struct ? memberNamed(member, part) : undefined;
  }
  if (member instanceof Atomic || member instanceof Refcount) return new Ref(member.owner, member.addr);
  return member instanceof Ref ? member : undefined;
}

function valuesIn(
  binder: ExpressionBinder,
  owner: Struct | Words,
  init: Init,
  path: readonly string[],
): readonly InitialValue[] {
  const isArray = owner instanceof Words || isArrayClass(owner.constructor as StructClass);
  let position = 0;
  return init.fields.flatMap((field) => {
    const place = isArray ? indexOf(binder, field, position) : nameOf(binder, field, owner as Struct, position);
    if (place === undefined) return [];
    position = place.next;
    const member = isArray
      ? (owner instanceof Words ? owner : (membersOf(owner)[0]?.[1] as Words)).at(Number(place.key))
      : memberNamed(owner as Struct, place.key);
    return member === undefined ? [] : valuesOf(binder, member, field, [...path, place.key]);
  });
}
interface Slot {
  readonly key: string;
  /** The position of what follows without a name of its own. */
  readonly next: number;
}
function indexOf(binder: ExpressionBinder, field: InitField, position: number): Slot | undefined {
  if (field.index === undefined) return { key: String(position), next: position + 1 };
  const index = binder.scope.constantOf(field.index);
  if (index !== undefined) return { key: String(index), next: index + 1 };
  binder.scope.error("E318", field.index.at, "an index in `{ ... }` is a constant");
  return undefined;
}
function nameOf({ scope }: ExpressionBinder, field: InitField, owner: Struct, position: number): Slot | undefined {
  const members = membersOf(owner);
  if (field.name === undefined) {
    const key = members[position]?.[0];
    if (key === undefined) scope.error("E221", field.at, `struct ${owner.constructor.name} has no more members`);
    return key === undefined ? undefined : { key, next: position + 1 };
  }
  const { name, at: where } = field.name;
  const found = members.findIndex(([known]) => known === name);
  if (found >= 0) return { key: name, next: found + 1 };
  if (NOT_MODELLED.includes(`${owner.constructor.name}.${name}`)) return undefined;
  const names = members.map(([known]) => known);
  const meant = nearest(name, names);
  const help = meant === undefined ? `it has: ${names.join(", ")}` : `did you mean \`${meant}\`?`;
  scope.error("E221", where, `struct ${owner.constructor.name} has no member \`${name}\``, help);
  return undefined;
}
/** Members that every driver sets and the model needs not: how a driver encodes its entries is its own business. */
const NOT_MODELLED: readonly string[] = ["hmm_range.flags", "hmm_range.values", "hmm_range.pfn_shift"];
export const isNotModelled = (cls: StructClass, member: string): boolean =>
  NOT_MODELLED.includes(`${cls.name}.${member}`);

function valuesOf(
  binder: ExpressionBinder,
  member: Member,
  field: InitField,
  path: readonly string[],
): readonly InitialValue[] {
  const { scope } = binder;
  if (field.value.kind === "init") {
    if (member instanceof Struct || member instanceof Words) return valuesIn(binder, member, field.value, path);
    scope.error("E314", field.value.at, `\`${path.join(".")}\` is no object: it takes one value`);
    return [];
  }
  const initial = initializerOf(field.value);
  const value = binder.bindValue(initial);
  if (value === undefined) return [];
  const type = typeOfMember(member);
  const isCount = member instanceof Atomic || member instanceof Refcount;
  const isAddress = type.kind === "number" && value.type.kind === "array";
  if (isCount || isAddress || (member instanceof Ref && compatible(type, typeOfKept(value.type))))
    return [{ path, value }];
  scope.error("E315", value.at, `\`${path.join(".")}\` is ${typeText(type)}; this is ${typeText(value.type)}`);
  return [];
}
/** `ATOMIC_INIT(1)` and its like stand for their argument. */
export function initializerOf(expr: Expr): Expr {
  const isInit = expr.kind === "call" && expr.callee.kind === "name" && /^[A-Z_]*INIT$/.test(expr.callee.name);
  return isInit ? (expr.args[0]?.value ?? expr) : expr;
}
