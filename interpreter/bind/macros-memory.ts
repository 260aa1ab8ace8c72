/** Allocation by type, and the way back from a member to its object. */
import type { Call, Expr } from "../../grammar/ast.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";
import { kfree, kfree_rcu, kzalloc } from "../../runtime/machine/alloc.ts";
import { load } from "../../runtime/machine/access.ts";
import { GFP_KERNEL } from "../../runtime/machine/gfp.ts";
import { list_head } from "../../runtime/machine/list.ts";
import { Op, primitive, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { at, memberNamed, membersOf, sizeOf, Struct, WORD, type StructClass } from "../../runtime/machine/struct.ts";
import { ScriptError } from "../script-error.ts";
import { ARRAY_MAX, arrayClass } from "./word-objects.ts";
import { argumentsOf, type Builtin } from "./macro.ts";
import { numeric, run, type Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { NUMBER, typeText, VOID, type Type } from "./types.ts";
import { nearest } from "../../grammar/suggest.ts";

// ---- allocation

const objectOf = (name: string): Builtin => ({
  summary: "a zeroed object of a type, or NULL",
  bind(binder, call) {
    const shape = "sizeof(struct gpu), GFP_KERNEL";
    const [size, gfp] = argumentsOf(binder, call, name, shape, { least: 1, most: 2 }) ?? [];
    const cls = size === undefined ? undefined : sizedType(binder, size);
    const flags = cls === undefined ? undefined : bindFlags(binder, gfp, call);
    if (cls === undefined || flags === undefined) return undefined;
    return {
      kind: "call",
      name,
      type: { kind: "object", cls },
      at: call.at,
      parts: [flags],
      *run(frame): Kernel<Value> {
        return yield* kzalloc(cls, numeric(yield* run(flags, frame)));
      },
    };
  },
});
const arrayOf = (name: string): Builtin => ({
  summary: "a zeroed array of numbers, or NULL",
  bind(binder, call) {
    const shape = "n, sizeof(u64), GFP_KERNEL";
    const [count, , gfp] = argumentsOf(binder, call, name, shape, { least: 1, most: 3 }) ?? [];
    const bound = count === undefined ? undefined : binder.bindNumber(count, "an array has a number of elements");
    const flags = bound === undefined ? undefined : bindFlags(binder, gfp, call);
    if (bound === undefined || flags === undefined) return undefined;
    return {
      kind: "call",
      name,
      type: { kind: "array" },
      at: call.at,
      parts: [bound, flags],
      *run(frame) {
        const n = numeric(yield* run(bound, frame));
        if (n >= 1 && n <= ARRAY_MAX) return yield* kzalloc(arrayClass(n), numeric(yield* run(flags, frame)));
        const message = `an array of ${n} elements; here it has 1 to ${ARRAY_MAX}`;
        throw new ScriptError("E318", bound.at, message);
      },
    };
  },
});

/** What the allocation may do to find memory: GFP_KERNEL, if it does not say. */
function bindFlags(binder: ExpressionBinder, gfp: Expr | undefined, { at }: Call): Bound | undefined {
  if (gfp !== undefined) return binder.bindNumber(gfp, "it says where the memory may come from");
  return { kind: "constant", value: GFP_KERNEL, type: NUMBER, at };
}
/** What is to be allocated: `sizeof(struct gpu)`, `sizeof(*p)`, `struct gpu`, `gpu`. */
function sizedType(binder: ExpressionBinder, size: Expr): StructClass | undefined {
  const { scope } = binder;
  const type = size.kind === "sizeof" ? typeOfText(binder, size.of) : typeOfName(binder, size);
  if (type?.kind === "object") return type.cls;
  const text = scope.source.slice(size.at);
  const help = "`kzalloc(sizeof(struct gpu), GFP_KERNEL)`; `kcalloc(n, sizeof(u64), GFP_KERNEL)` makes an array";
  const what = type === undefined ? "says no type that is known here" : `is ${typeText(type)}`;
  scope.error("E319", size.at, `memory is allocated by type, and \`${text}\` ${what}`, help);
  return undefined;
}
function typeOfName({ scope }: ExpressionBinder, expr: Expr): Type | undefined {
  const name = expr.kind === "type" ? expr.type.name : expr.kind === "name" ? expr.name : undefined;
  const cls = name === undefined ? undefined : scope.structs.find(name);
  return cls === undefined ? undefined : { kind: "object", cls };
}
/** Of the text behind `sizeof`: a type, or an expression, which is not evaluated. */
function typeOfText(binder: ExpressionBinder, text: string): Type | undefined {
  const { scope } = binder;
  const named = /^(?:struct\s+)?(\w+)$/.exec(text.trim())?.[1];
  const cls = named === undefined ? undefined : scope.structs.find(named);
  if (cls !== undefined) return { kind: "object", cls };
  const source = new SourceText(
    scope.source.name,
    text
      .trim()
      .replace(/^\(?\*\s*/, "")
      .replace(/\)$/, ""),
  );
  const [statement] = parse(source).script.statements;
  if (statement?.kind !== "expression") return undefined;
  const told = scope.diagnostics.length;
  const bound = scope.within(source, scope.prefix, () => binder.bind(statement.expr));
  scope.diagnostics.length = told; // an unknown name has been told where it stands
  return bound?.type.kind === "null" || bound === undefined ? binder.expected : bound.type;
}

const freeing = (name: string): Builtin => ({
  summary: "frees an object; NULL is nothing to free",
  bind(binder, call) {
    const bound = pointerArgument(binder, call, name);
    if (bound === undefined) return undefined;
    return {
      kind: "call",
      name,
      type: VOID,
      at: call.at,
      parts: [bound],
      *run(frame) {
        const value = yield* run(bound, frame);
        yield* kfree(value instanceof Struct ? value : at(memory, numeric(value)), name);
      },
    };
  },
});
/** What lies at an address of which the type is not known. */
class memory extends Struct {}

function pointerArgument(binder: ExpressionBinder, call: Call, name: string): Bound | undefined {
  const { scope } = binder;
  const [value] = argumentsOf(binder, call, name, "object", { least: 1 }) ?? [];
  const bound = value === undefined ? undefined : binder.bindValue(value);
  if (bound === undefined || value === undefined) return undefined;
  // A member may hold the address of an array.
  const isAddress = bound.type.kind === "number" && bound.kind === "place" && bound.place.kind === "member";
  if (isAddress || ["object", "null", "array", "any"].includes(bound.type.kind)) return bound;
  const text = scope.source.slice(value.at);
  scope.error("E301", value.at, `\`${name}\` expects an object, \`${text}\` is ${typeText(bound.type)}`);
  return undefined;
}
const freeingLater: Builtin = {
  summary: "frees an object after a grace period",
  bind(binder, call, name) {
    const [value, member] = argumentsOf(binder, call, name, "object, rcu", { least: 2 }) ?? [];
    const bound = value === undefined ? undefined : binder.bindValue(value);
    if (bound === undefined || member === undefined) return undefined;
    const field = bound.type.kind === "object" ? memberOf(binder, bound.type.cls, member) : undefined;
    if (field === undefined) return undefined;
    return {
      kind: "call",
      name,
      type: VOID,
      at: call.at,
      parts: [bound],
      *run(frame) {
        yield* kfree_rcu((yield* run(bound, frame)) as Struct, field.addr);
      },
    };
  },
};

const zero = primitive("memset", (m, addr = 0, words = 0) => {
  for (let i = 0; i < words; i++) m.write(addr + i * WORD, 0);
  return 0;
});
const memset: Builtin = {
  summary: "fills an object with zeros",
  bind(binder, call, name) {
    const [object, byte] = argumentsOf(binder, call, name, "&object, 0, sizeof(object)", { least: 3 }) ?? [];
    const bound = object === undefined ? undefined : binder.bindValue(object);
    if (bound === undefined || byte === undefined) return undefined;
    if (byte.kind !== "number" || byte.value !== 0 || bound.type.kind !== "object") {
      binder.scope.error("E301", call.at, "`memset` fills whole objects, and with zeros only");
      return undefined;
    }
    const words = sizeOf(bound.type.cls) / WORD;
    return {
      kind: "call",
      name,
      type: VOID,
      at: call.at,
      parts: [bound],
      *run(frame) {
        const target = (yield* run(bound, frame)) as Struct;
        const text = (names: Parameters<Struct["expr"]>[0]): string => `memset(&${target.expr(names)}, 0)`;
        yield* step({ op: Op.primitive, addr: target.addr, primitive: zero, args: [target.addr, words], text });
      },
    };
  },
};

// ---- from a member to its object

/** A member that a macro names, or undefined after saying that there is none. */
export function memberOf(
  { scope, kernel }: ExpressionBinder,
  cls: StructClass,
  name: Expr,
): { readonly addr: number; readonly name: string } | undefined {
  const text = name.kind === "name" ? name.name : scope.source.slice(name.at);
  const member = text
    .split(".")
    .reduce<unknown>((owner, part) => (owner instanceof Struct ? memberNamed(owner, part) : undefined), at(cls, 0)) as
    { addr: number } | undefined;
  if (member !== undefined) return { addr: member.addr, name: text };
  const names = membersOf(at(cls, 0)).map(([known]) => known);
  const meant = nearest(text, names);
  const help = meant === undefined ? `it has: ${names.join(", ")}` : `did you mean \`${meant}\`?`;
  scope.error("E221", name.at, `struct ${cls.name} has no member \`${text}\` in ${kernel}`, help);
  return undefined;
}
/** A type that a macro names: `struct gpu`, or just `gpu`. */
function classNamed(binder: ExpressionBinder, expr: Expr): StructClass | undefined {
  const { scope } = binder;
  const measured = expr.kind === "call" && expr.callee.kind === "name" && expr.callee.name === "typeof";
  if (measured && expr.args[0] !== undefined) {
    const { value } = expr.args[0];
    const bound = binder.bind(value.kind === "unary" && value.op === "*" ? value.operand : value);
    if (bound?.type.kind === "object") return bound.type.cls;
  }
  const name = expr.kind === "type" ? expr.type.name : expr.kind === "name" ? expr.name : "";
  const cls = scope.structs.find(name);
  if (cls === undefined) scope.structs.unknownType({ struct: true, name, at: expr.at });
  return cls;
}
/** `f(ptr, struct gpu, member)`; `hop` says which pointer it is about. */
const containing = (
  summary: string,
  hop: (pointer: Struct) => Kernel<Struct | null> = function* (pointer) {
    return pointer;
  },
): Builtin => ({
  summary,
  bind(binder, call, name) {
    const [pointer, type, member] = argumentsOf(binder, call, name, "ptr, struct gpu, member", { least: 3 }) ?? [];
    if (pointer === undefined || type === undefined || member === undefined) return undefined;
    const bound = binder.bindValue(pointer);
    const cls = classNamed(binder, type);
    const field = cls === undefined ? undefined : memberOf(binder, cls, member);
    if (bound === undefined || cls === undefined || field === undefined) return undefined;
    return {
      kind: "call",
      name,
      type: { kind: "object", cls },
      at: call.at,
      parts: [bound],
      *run(frame) {
        const value = yield* run(bound, frame);
        const inner = yield* hop(value instanceof Struct ? value : at(memory, numeric(value)));
        return at(cls, inner === null ? 0 : inner.addr - field.addr);
      },
    };
  },
});
const head = (pointer: Struct): list_head => at(list_head, pointer.addr);

export const allocations: Readonly<Record<string, Builtin>> = {
  ...Object.fromEntries(["kzalloc", "kmalloc", "kvzalloc", "kvmalloc"].map((name) => [name, objectOf(name)])),
  ...Object.fromEntries(
    ["kcalloc", "kmalloc_array", "kvcalloc", "kvmalloc_array"].map((name) => [name, arrayOf(name)]),
  ),
  ...Object.fromEntries(["kfree", "kvfree", "vfree"].map((name) => [name, freeing(name)])),
  kfree_rcu: freeingLater,
  memset,
  container_of: containing("the object that a member is part of"),
  list_entry: containing("the object that a list node is part of"),
  hlist_entry: containing("the object that a list node is part of"),
  rb_entry: containing("the object that a tree node is part of"),
  list_first_entry: containing("the first entry of a list that is not empty", function* (pointer) {
    return yield* load(head(pointer).next);
  }),
  list_last_entry: containing("the last entry of a list that is not empty", function* (pointer) {
    return yield* load(head(pointer).prev);
  }),
  list_first_entry_or_null: containing("the first entry of a list, or NULL", function* (pointer) {
    const first = yield* load(head(pointer).next);
    return first.addr === pointer.addr ? null : first;
  }),
};
