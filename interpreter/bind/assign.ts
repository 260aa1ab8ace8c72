/** Assignments: what can stand on the left of `=`, and what it takes. */
import type { Assign, Expr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { store, storePrivate } from "../../runtime/machine/access.ts";
import type { Ref } from "../../runtime/machine/struct.ts";
import type { Value } from "../../runtime/machine/step.ts";
import type { CodeBinder } from "./code.ts";
import { coerced, memberAt, partsOfPlace, run, type Bound, type Place } from "./expression.ts";
import { isNotModelled } from "./init.ts";
import { compatible, isCounter, NULL_TYPE, NUMBER, typeOfKept, typeText, type Type } from "./types.ts";
import { isWord } from "./words.ts";

type BoundPlace = Bound & { readonly kind: "place" };

export function bindAssign(code: CodeBinder, statement: Assign): void {
  const { names } = code;
  const { target, value: source, op } = statement;
  if (source.kind === "init") {
    const help = "member by member: `range.start = 0x1000`";
    names.scope.error("E314", source.at, "`{ ... }` begins an object where it is declared; here it cannot stand", help);
    return;
  }
  if (isLeftOut(code, target)) return;
  const value = assigned(code, source, target);
  if (value === undefined) {
    if (target.kind === "name") names.scope.addMistaken(target.name);
    return;
  }
  const place = targetOf(code, statement, typeOfKept(value.type));
  if (place === undefined) return;
  if (op === "=") return assignTo(code, place, value, statement.at);
  const combined = (left: Bound): Bound => ({
    kind: "binary",
    op: op.slice(0, -1) as "+",
    left,
    right: value,
    type: NUMBER,
    at: statement.at,
  });
  const { place: target_ } = place;
  if (target_.kind === "member" || target_.kind === "element")
    changeMember(code, target_, value, combined, statement.at);
  else assignTo(code, place, combined(place), statement.at);
}

/** `gpu->seq += 1`: which word that is, is found out once; then it is read, and written. */
function changeMember(
  code: CodeBinder,
  place: Extract<Place, { kind: "member" | "element" }>,
  value: Bound,
  combined: (left: Bound) => Bound,
  at: Span,
): void {
  code.addStep(at, [value, ...partsOfPlace(place)], function* (frame) {
    const ref = (yield* memberAt(place, frame)) as Ref<unknown>;
    const isPrivate = place.kind === "member" && place.isPrivate === true;
    const word: Bound = { kind: "place", place: { kind: "variable", ref, isPrivate }, type: NUMBER, at };
    const result = yield* run(combined(word), frame);
    if (isPrivate) yield* storePrivate(ref as Ref<Value>, result);
    else yield* store(ref as Ref<Value>, result);
  });
}

/** `place = value` as an instruction. */
export function assignTo(code: CodeBinder, target: BoundPlace, value: Bound, at: Span): void {
  const { place } = target;
  if (place.kind === "local") {
    const { local } = place;
    code.addStep(
      at,
      [value],
      function* (frame) {
        frame[local.index] = coerced(yield* run(value, frame), local.type);
      },
      local,
    );
    return;
  }
  if (place.kind === "field") return; // refused before
  code.addStep(at, [value, ...partsOfPlace(place)], function* (frame) {
    const result = yield* run(value, frame);
    const ref = (yield* memberAt(place, frame)) as Ref<Value>;
    const isPrivate = place.kind !== "element" && place.isPrivate === true;
    if (isPrivate) yield* storePrivate(ref, result);
    else yield* store(ref, result);
  });
}

/** A member that every driver sets and the model has not: how it encodes its entries is its own business. */
function isLeftOut({ names }: CodeBinder, target: Expr): boolean {
  if (target.kind !== "member") return false;
  const object = names.bindOnce(target.object);
  return object?.type.kind === "object" && isNotModelled(object.type.cls, target.name.name);
}
/** The right side; some values cannot be kept. */
function assigned(code: CodeBinder, expr: Expr, target: Expr): Bound | undefined {
  const { names } = code;
  const { scope } = names;
  names.expected = typeOfTarget(code, target);
  const value = names.bindValue(expr);
  names.expected = undefined;
  if (value === undefined || !["spinlock", "mutex", "record", "function"].includes(value.type.kind)) return value;
  if (names.locals !== undefined && value.type.kind === "record") return value;
  const text = scope.source.slice(expr.at);
  scope.error("E314", expr.at, `\`${text}\` is ${typeText(value.type)}: it can be passed on, not kept`);
  return undefined;
}
/** What is known of the type of a name before it is assigned to: `sizeof(*p)` asks for it. */
function typeOfTarget(code: CodeBinder, target: Expr): Type | undefined {
  const { names } = code;
  if (target.kind === "name") {
    const own = names.locals === undefined ? names.scope.findResult(names.cpu, target.name) : undefined;
    return (names.locals?.find(target.name) ?? own ?? names.scope.findShared(target.name))?.type;
  }
  if (target.kind !== "member") return undefined;
  return names.bindOnce(target)?.type;
}

function targetOf(code: CodeBinder, statement: Assign, type: Type): BoundPlace | undefined {
  const { names } = code;
  const { scope } = names;
  const { target } = statement;
  const { at } = target;
  if (target.kind === "name") {
    const found = namedPlace(code, statement, target.name, type);
    return found === undefined ? undefined : { kind: "place", ...found, at };
  }
  const bound = names.bindOnce(target);
  if (bound === undefined) return undefined;
  const text = scope.source.slice(at);
  if (isWord(bound)) return mayHold(code, text, bound.type, type, statement.value.at) ? bound : undefined;
  const change = CHANGES[statement.op] ?? "set";
  const isCount = isCounter(bound.type);
  const help = isCount ? `\`${bound.type.kind}_${change}(&${text}${change === "set" ? ", VALUE" : ""})\`` : undefined;
  scope.error("E226", at, `\`${text}\` ${isCount ? "is a counter: it " : ""}cannot be assigned to`, help);
  return undefined;
}
/** A variable, made if need be. */
function namedPlace(
  code: CodeBinder,
  statement: Assign,
  name: string,
  type: Type,
): { place: Place; type: Type } | undefined {
  const { names } = code;
  const { scope, locals } = names;
  const { at } = statement.target;
  const local = locals?.find(name);
  if (local !== undefined) {
    if (!mayHold(code, name, local.type, type, statement.value.at)) return undefined;
    if (isOpen(local.type)) local.type = type;
    else if (local.type.kind === "boolean" && type.kind === "number" && !local.isTyped) local.type = type;
    return { place: { kind: "local", local }, type: local.type };
  }
  const shared = scope.findShared(name);
  if (shared !== undefined) {
    if (!mayHold(code, name, shared.type, type, statement.value.at)) return undefined;
    if (isOpen(shared.type)) shared.type = type;
    return { place: { kind: "variable", ref: shared.ref(), isPrivate: false }, type: shared.type };
  }
  if (scope.findObject(name) !== undefined) {
    const help = "its members can, and a result is kept in a name of its own";
    scope.error("E225", at, `\`${name}\` is an object; it cannot be assigned to`, help);
    return undefined;
  }
  if (locals !== undefined) {
    if (statement.op !== "=") {
      names.unknownName(name, at);
      return undefined;
    }
    const fresh = locals.assign(name, type, at);
    return { place: { kind: "local", local: fresh }, type };
  }
  const known = scope.findResult(names.cpu, name);
  if (statement.op !== "=" && known === undefined) {
    names.unknownName(name, at);
    return undefined;
  }
  if (known !== undefined && !mayHold(code, name, known.type, type, statement.value.at)) return undefined;
  const variable = scope.resultOf(names.cpu, name, type);
  return { place: { kind: "variable", ref: variable.ref(), isPrivate: true }, type: variable.type };
}
/** Nothing but NULL is known of it. */
const isOpen = (type: Type): boolean => type.kind === NULL_TYPE.kind;

function mayHold(code: CodeBinder, name: string, type: Type, value: Type, at: Span): boolean {
  if (compatible(type, value)) return true;
  // An array is its address, where an address is wanted: `range.pfns = pfns`.
  if (type.kind === "number" && value.kind === "array") return true;
  code.names.scope.error("E315", at, `\`${name}\` is ${typeText(type)}; this is ${typeText(value)}`);
  return false;
}

/** How counters are changed instead. */
const CHANGES: Readonly<Partial<Record<Assign["op"], string>>> = { "+=": "inc", "-=": "dec" };
