/** `mmu_notifier_ops NAME { release(mn, mm) { ... } }`: a table of callbacks, as the kernel calls them. */
import type { Callback, Ops } from "../../grammar/ast.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { CallbackParam, CallbackSignature } from "../../runtime/callables/ops.ts";
import { callbacksIn, callbackTables } from "../../runtime/kernel.ts";
import { existsIn, type Era } from "../../runtime/patch.ts";
import { wordOf } from "../../runtime/machine/step.ts";
import { memberNamed, type Struct } from "../../runtime/machine/struct.ts";
import { ofAnotherKernel } from "./eras.ts";
import type { Definition } from "./functions.ts";
import { comesWith } from "./members.ts";
import type { Scope } from "./scope.ts";
import { BOOLEAN, NUMBER, objectType, RANGE, typeOfResult, type Field, type Type } from "./types.ts";

/** Makes the object. Its callbacks are bound when everything that they may name is there. */
export function declareOps(scope: Scope, { type, name }: Ops): Struct | undefined {
  const { era } = scope.kernel;
  const table = Object.hasOwn(callbackTables, type.name) ? callbackTables[type.name] : undefined;
  if (table === undefined || !existsIn(table, era)) {
    scope.addMistaken(name.name);
    if (ofAnotherKernel(scope, type.name, type.at)) return undefined;
    const known = Object.keys(callbackTables).filter((one) => existsIn(callbackTables[one] ?? {}, era));
    const meant = nearest(type.name, known);
    const help = meant === undefined ? `there are: ${known.join(", ")}` : `did you mean \`${meant}\`?`;
    scope.error("E255", type.at, `no table of callbacks is called \`${type.name}\` in this version`, help);
    return undefined;
  }
  if (scope.isTaken(name.name)) {
    scope.error("E229", name.at, `\`${name.name}\` is declared already`);
    return undefined;
  }
  return scope.addObject(name.name, table.cls());
}

export function bindOps(scope: Scope, { type, callbacks: given }: Ops, object: Struct): void {
  const table = callbackTables[type.name];
  const callbacks = table === undefined ? {} : callbacksIn(table, scope.kernel.era);
  const known = Object.keys(callbacks).filter((one) => comesWith(callbacks[one] ?? {}, scope.kernel.patches));
  const seen = new Set<string>();
  for (const callback of given) {
    const { name, at } = callback.name;
    const signature = known.includes(name) ? callbacks[name] : undefined;
    if (signature === undefined) {
      const meant = nearest(name, known);
      const patch = callbacks[name]?.patch;
      const other = meant === undefined ? `it has: ${known.join(", ")}` : `did you mean \`${meant}\`?`;
      const help = patch === undefined ? other : `it comes with \`+ ${patch}\``;
      scope.error("E221", at, `struct ${type.name} has no callback \`${name}\` in this version`, help);
      continue;
    }
    if (seen.has(name)) scope.error("E229", at, `\`${name}\` is declared already`);
    seen.add(name);
    scope.callbackNames.add(name);
    bindCallback(scope, callback, signature, object);
  }
}

function bindCallback(scope: Scope, callback: Callback, signature: CallbackSignature, object: Struct): void {
  const returns = typeOfResult(signature.result);
  const definition = definitionOf(scope, callback, returns);
  if (definition === undefined) return;
  const types = signature.params.map((param) => typeOfParam(param, scope.kernel.era));
  const joined = definition.params.length === types.length - 1 ? startOf(signature.params) : undefined;
  const given = joined === undefined ? types : [...types.slice(0, joined), RANGE, ...types.slice(joined + 2)];
  const fn = scope.functions?.callback(definition, given, callback.name.at, joined);
  const member = memberNamed(object, callback.name.name);
  if (fn === undefined || member === undefined) return;
  scope.onSetUp((machine) => machine.memory.set(machine.memory.wordAt((member as { addr: number }).addr), wordOf(fn)));
}
function definitionOf(scope: Scope, callback: Callback, returns: Type): Definition | undefined {
  const { source, prefix } = scope;
  if (callback.kind === "callbackBody") {
    const { name, params, body } = callback;
    return { name: name.name, at: name.at, params, body, source, prefix, returns };
  }
  const { name, at } = callback.target;
  const definition = scope.functions?.find(name);
  if (definition !== undefined) return { ...definition, returns };
  const meant = nearest(name, scope.functions?.names() ?? []);
  const help = meant === undefined ? `\`fn ${name}(...) { ... }\` declares it` : `did you mean \`${meant}\`?`;
  if (!scope.isMistaken(name)) scope.error("E260", at, `\`${name}\` is no function of this script`, help);
  return undefined;
}
function typeOfParam(param: CallbackParam, era: Era): Type {
  if (param.kind === "object") return objectType(param.type());
  if (param.kind === "number") return NUMBER;
  if (param.kind === "boolean") return BOOLEAN;
  if (param.kind === "word") return { kind: "array" };
  return typeOfRecord(param, era);
}
/** `struct hmm_update` and its like, by name. */
export function recordType(name: string, era: Era): Type | undefined {
  for (const table of Object.values(callbackTables).filter((one) => existsIn(one, era)))
    for (const { params } of Object.values(callbacksIn(table, era)))
      for (const param of params) if (param.kind === "record" && param.struct === name) return typeOfRecord(param, era);
  return undefined;
}
function typeOfRecord(param: Extract<CallbackParam, { kind: "record" }>, era: Era): Type {
  const fields: Record<string, Field> = {};
  param.fields.forEach(({ name, kind, since }, index) => {
    if (!existsIn({ since: since ?? null }, era)) return;
    const type: Type = typeof kind === "function" ? objectType(kind()) : kind === "boolean" ? BOOLEAN : NUMBER;
    fields[name] = { index, type };
  });
  return { kind: "record", name: param.struct, fields };
}
/** Where `start` and `end` stand, which a callback may take as one range. */
function startOf(params: readonly CallbackParam[]): number | undefined {
  const start = params.findIndex(({ name }, i) => name === "start" && params[i + 1]?.name === "end");
  return start < 0 ? undefined : start;
}
