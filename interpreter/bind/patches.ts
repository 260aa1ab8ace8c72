/** `patch NAME { fn hmm_range_unregister(range) { ... } }`: bodies of the kernel, replaced by a script. */
import type { Fn, Patch as PatchStatement } from "../../grammar/ast.ts";
import type { SourceText } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Param } from "../../runtime/callable.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { callables, patches } from "../../runtime/kernel.ts";
import type { FunctionBody } from "../../runtime/machine/automaton.ts";
import { allFunctions, functionNumbered, type AnyBody } from "../../runtime/machine/function.ts";
import { existsIn, functionIn } from "../../runtime/patch.ts";
import { rw_semaphore } from "../../runtime/machine/rwsem.ts";
import { Op, type Call, type Request, type Value } from "../../runtime/machine/step.ts";
import { mm_struct } from "../../runtime/mm/mm_types.ts";
import type { Definition } from "./functions.ts";
import type { PlacedStatement } from "./includes.ts";
import type { Scope } from "./scope.ts";
import { ANY, NUMBER, objectType, typeOfResult, type Type } from "./types.ts";

/** A patch as a script has it. */
export interface OwnPatch {
  readonly name: string;
  readonly statement: PatchStatement;
  readonly source: SourceText;
  readonly prefix: string;
}

/** The patches of a script; a name that the kernel's patches have is a mistake. */
export function ownPatches(statements: readonly PlacedStatement[], out: Diagnostic[]): readonly OwnPatch[] {
  const own: OwnPatch[] = [];
  for (const { statement, from, prefix } of statements) {
    if (statement.kind !== "patch") continue;
    const { name, at } = statement.name;
    const isBuiltIn = patches.some((patch) => patch.name === name);
    if (isBuiltIn || own.some((patch) => patch.name === name)) {
      const message = `\`${name}\` is ${isBuiltIn ? "a patch of the modelled kernel" : "declared already"}`;
      out.push({ code: "E229", severity: "error", source: from, at, message, help: "give it another name" });
    } else own.push({ name, statement, source: from, prefix });
  }
  return own;
}

/** A body of the kernel and what stands in for it: `base` is the number under which the old one can be called. */
export interface OwnReplacement {
  readonly fn: number;
  readonly base: number;
  readonly by: number;
}

type Enter = (body: FunctionBody) => number;

export function bindPatch(scope: Scope, patch: OwnPatch, enter: Enter): readonly OwnReplacement[] {
  return scope.within(patch.source, patch.prefix, () =>
    patch.statement.functions.flatMap((fn) => bindReplacement(scope, fn, enter)),
  );
}

function bindReplacement(scope: Scope, { name: ident, params, body }: Fn, enter: Enter): readonly OwnReplacement[] {
  const { name, at } = ident;
  const { era } = scope.kernel;
  const target = functionIn(name, era);
  if (target === undefined) {
    const known = allFunctions().filter((fn) => fn.info.internal !== true && existsIn(fn.info, era));
    const meant = nearest(name, known.map((fn) => fn.name)); // prettier-ignore
    const isStep = scope.callables.has(name);
    const help = isStep
      ? "it is one step of the machine: there is no body to replace"
      : meant === undefined
        ? undefined
        : `did you mean \`${meant}\`?`;
    scope.error("E212", at, `the modelled kernel has no function \`${name}\` with a body`, help);
    return [];
  }
  const entry = callables.find(({ run }) => (run as unknown as { id?: number }).id === target.id);
  const names = target.info.params ?? [];
  const types = entry === undefined ? names.map(() => ANY) : entry.params.flatMap(typesOfParam);
  const result = entry === undefined ? ANY : typeOfResult(entry.result);
  if (params.length !== types.length) {
    const takes = `${types.length} parameter${types.length === 1 ? "" : "s"}`;
    const which = types.length === 0 ? "" : ` (${names.join(", ")})`;
    scope.error("E300", at, `\`${name}\` has ${takes}${which}; this has ${params.length}`);
    return [];
  }
  const base = enter({ name, body: (() => undefined) as unknown as AnyBody });
  const { source, prefix } = scope;
  const definition: Definition = {
    ...{ name, at, params, body, source, prefix },
    base: { id: base, name, params: types, result },
    ...(result.kind === "any" || result.kind === "void" ? {} : { returns: result }),
  };
  const by = scope.functions?.callback(definition, types, at);
  return by === undefined ? [] : [{ fn: target.id, base, by: by.id }];
}

/** What a body is called with for one parameter of the table. */
function typesOfParam({ of }: Param): readonly Type[] {
  switch (of.kind) {
    case "object":
      return [objectType(of.type())];
    case "range":
      return [NUMBER, NUMBER];
    case "lock":
      if (of.lock === "any") return [ANY];
      return of.lock === "rwsem" ? [objectType(rw_semaphore)] : [{ kind: of.lock }];
    case "atomic":
      return [{ kind: "atomic" }];
    case "refcount":
      return [{ kind: "refcount" }];
    case "current-mm":
      return [objectType(mm_struct)];
    case "function":
      return [ANY];
    default:
      return [NUMBER];
  }
}

/** Puts a script's bodies in the place of the kernel's. */
export function applyOwn(bodies: Map<number, FunctionBody>, replacements: readonly OwnReplacement[]): void {
  for (const { fn, base, by } of replacements) {
    const old = bodies.get(fn);
    const replacement = bodies.get(by);
    if (old === undefined || replacement === undefined) continue;
    bodies.set(base, asBase(old, fn, base));
    bodies.set(fn, { ...old, body: replacement.body });
  }
}
/** A body under another number: where it starts over, it starts over itself. */
export function asBase(old: FunctionBody, fn: number, base: number): FunctionBody {
  const body = function* (...args: Value[]): Generator<Request, unknown, unknown> {
    const inner = (old.body as unknown as (...a: Value[]) => Generator<Request, unknown, unknown>)(...args);
    let item = inner.next();
    while (item.done !== true) {
      const request = item.value;
      const again = request.op === Op.tailCall && (request as Call).fn.id === fn;
      item = inner.next(yield again ? { ...(request as Call), fn: functionNumbered(base) } : request);
    }
    return item.value;
  };
  return { ...old, body: body as unknown as AnyBody };
}
