/** Calls of the script's own functions. */
import type { Argument, Call } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import { Op, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { coerced, memberAt, run, type Bound, type Frame } from "./expression.ts";
import type { Definition } from "./functions.ts";
import type { ExpressionBinder } from "./names.ts";
import { ANY, compatible, isCounter, NUMBER, typeOfKept, typeText, type Type } from "./types.ts";

/** What is handed on: a counter or lock is itself, not its value. */
export function* passed(bound: Bound, frame: Frame): Kernel<Value> {
  if (!isCounter(bound.type) || bound.kind !== "place") return yield* run(bound, frame);
  const { place } = bound;
  if (place.kind === "local") return frame[place.local.index];
  if (place.kind === "field") return yield* run(bound, frame);
  return (yield* memberAt(place, frame)) as unknown as Value;
}

export function bindOwnCall(binder: ExpressionBinder, call: Call, definition: Definition): Bound | undefined {
  const { scope } = binder;
  const args = inOrder(binder, call, definition);
  if (args === undefined) return undefined;
  const bound = args.map((arg) => binder.bindArgument(arg.value));
  if (bound.includes(undefined)) return undefined;
  const given = spread(bound as Bound[], definition);
  const { params } = definition;
  if (given.length !== params.length) {
    const takes = `${params.length === 0 ? "no" : params.length} argument${params.length === 1 ? "" : "s"}`;
    scope.error("E300", call.at, `\`${definition.name}\` takes ${takes}, ${args.length} given`, head(definition));
    return undefined;
  }
  const types = given.map((arg) => (isCounter(arg.type) ? arg.type : typeOfKept(arg.type)));
  const declared = scope.functions?.declaredTypes(definition) ?? [];
  for (const [i, type] of declared.entries())
    if (type !== undefined && !fits(type, types[i] ?? ANY)) {
      const { at } = given[i] as Bound;
      const name = params[i]?.name.name;
      const wanted = `\`${definition.name}\` expects ${typeText(type)} for \`${name}\``;
      scope.error("E301", at, `${wanted}, this is ${typeText(types[i] ?? ANY)}`, head(definition));
      return undefined;
    }
  return calling(binder, definition, given, types, declared, call.at);
}

function calling(
  binder: ExpressionBinder,
  definition: Definition,
  given: readonly Bound[],
  types: readonly Type[],
  declared: readonly (Type | undefined)[],
  at: Span,
): Bound | undefined {
  const instance = binder.scope.functions?.instance(definition, types);
  if (instance === undefined) return undefined;
  const { id } = instance;
  return {
    kind: "call",
    name: definition.name,
    type: instance.result,
    at,
    parts: given,
    *run(frame): Kernel<Value> {
      const args: Value[] = [0];
      for (const [i, arg] of given.entries()) {
        const value = yield* passed(arg, frame);
        args.push(declared[i] === undefined ? value : coerced(value, declared[i]));
      }
      return (yield { op: Op.call, fn: { id, name: definition.name }, args }) as Value;
    },
  };
}

/** The arguments in the order of the parameters. */
function inOrder(binder: ExpressionBinder, call: Call, definition: Definition): Argument[] | undefined {
  const { scope } = binder;
  const names = definition.params.map((param) => param.name.name);
  const placed = new Map<number, Argument>();
  const others = call.args.filter((arg) => arg.name === undefined);
  for (const arg of call.args) {
    if (arg.value.kind === "defaults") {
      const message = `\`...\` stands for the defaults of a kernel function; \`${definition.name}\` has none`;
      scope.error("E308", arg.at, message, head(definition));
      return undefined;
    }
    if (arg.name === undefined) continue;
    const place = names.indexOf(arg.name.name);
    if (place < 0) {
      const meant = nearest(arg.name.name, names);
      const help = meant === undefined ? head(definition) : `did you mean \`${meant}\`?`;
      scope.error("E302", arg.name.at, `\`${definition.name}\` has no parameter \`${arg.name.name}\``, help);
      return undefined;
    }
    if (placed.has(place)) {
      scope.error("E300", arg.at, `\`${arg.name.name}\` is given twice`, head(definition));
      return undefined;
    }
    placed.set(place, arg);
  }
  if (placed.size === 0) return others;
  // What is not named fills the places that are left, in order.
  const args = names.map((_, i) => placed.get(i) ?? others.shift());
  const given = args.filter((arg) => arg !== undefined);
  return given.length === args.length ? [...given, ...others] : given;
}
/** "gpu_fault(sub, range)" */
function head({ name, params }: Definition): string {
  return `${name}(${params.map((param) => param.name.name).join(", ")})`;
}
/** A range for `start, end`: the number of parameters says whether that is meant. */
function spread(given: readonly Bound[], { params }: Definition): readonly Bound[] {
  if (given.length >= params.length) return given;
  return given.flatMap((arg): readonly Bound[] => {
    if (arg.type.kind !== "range") return [arg];
    if (arg.kind === "range") return [arg.start, arg.end];
    const end = (index: number): Bound => ({
      kind: "place",
      place: { kind: "field", record: arg, index },
      type: NUMBER,
      at: arg.at,
    });
    return [end(0), end(1)];
  });
}
function fits(declared: Type, given: Type): boolean {
  if (compatible(declared, given)) return true;
  // An array is its address.
  return declared.kind === "array" ? given.kind === "number" : declared.kind === "number" && given.kind === "array";
}
