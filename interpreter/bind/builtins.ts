/** Calls whose arguments are places or conditions rather than values, as macros of the kernel are. */
import type { Call, Expr } from "../../grammar/ast.ts";
import { cmpxchg, READ_ONCE, WRITE_ONCE, xchg } from "../../runtime/machine/access.ts";
import { kfree } from "../../runtime/machine/alloc.ts";
import { BUG_ON, WARN_ON } from "../../runtime/machine/bug.ts";
import { choose } from "../../runtime/machine/choose.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { Ref, type Struct } from "../../runtime/machine/struct.ts";
import { memberAt, numeric, run, truth, type Bound, type Place } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { compatible, NUMBER, typeText, VOID, type Type } from "./types.ts";

/** What a builtin takes, argument by argument. */
type Shape = readonly ("place" | "value" | "object" | "condition")[];

interface Builtin {
  readonly shape: Shape;
  readonly summary: string;
  /** The type of its result, from the types of its arguments. */
  readonly type: (args: readonly Bound[]) => Type;
  readonly run: (args: readonly Bound[], text: string) => Kernel<Value>;
}

const first = (args: readonly Bound[]): Type => args[0]?.type ?? NUMBER;

function* refOf(arg: Bound | undefined): Kernel<Ref<Value>> {
  return (yield* memberAt((arg as Extract<Bound, { kind: "place" }>).place)) as Ref<Value>;
}

const BUILTINS: Readonly<Record<string, Builtin>> = {
  READ_ONCE: {
    shape: ["place"],
    summary: "a marked read",
    type: first,
    *run([place]) {
      return yield* READ_ONCE(yield* refOf(place));
    },
  },
  WRITE_ONCE: {
    shape: ["place", "value"],
    summary: "a marked write",
    type: () => VOID,
    *run([place, value]) {
      const ref = yield* refOf(place);
      yield* WRITE_ONCE(ref, yield* run(value as Bound));
    },
  },
  xchg: {
    shape: ["place", "value"],
    summary: "writes, and gives what was there",
    type: first,
    *run([place, value]) {
      const ref = yield* refOf(place);
      return yield* xchg(ref, yield* run(value as Bound));
    },
  },
  cmpxchg: {
    shape: ["place", "value", "value"],
    summary: "writes if the old value is there, and gives what was there",
    type: first,
    *run([place, old, value]) {
      const ref = yield* refOf(place);
      const expected = yield* run(old as Bound);
      return yield* cmpxchg(ref, expected, yield* run(value as Bound));
    },
  },
  kfree: {
    shape: ["object"],
    summary: "frees an object",
    type: () => VOID,
    *run([object]) {
      yield* kfree((yield* run(object as Bound)) as Struct);
    },
  },
  WARN_ON: {
    shape: ["condition"],
    summary: "warns if the condition holds, and goes on",
    type: () => ({ kind: "boolean" }),
    *run([condition], text) {
      return yield* WARN_ON(truth(yield* run(condition as Bound)), text);
    },
  },
  BUG_ON: {
    shape: ["condition"],
    summary: "ends the path if the condition holds",
    type: () => VOID,
    *run([condition], text) {
      yield* BUG_ON(truth(yield* run(condition as Bound)), text);
    },
  },
};
const TRANSPARENT = new Set(["likely", "unlikely"]);

export function isBuiltin(name: string): boolean {
  return Object.hasOwn(BUILTINS, name) || TRANSPARENT.has(name) || name === "choose";
}
export function builtinNames(): string[] {
  return [...Object.keys(BUILTINS), ...TRANSPARENT, "choose"];
}

export function bindBuiltin(binder: ExpressionBinder, call: Call, name: string): Bound | undefined {
  const { scope } = binder;
  const values = call.args.map((arg) => arg.value);
  if (TRANSPARENT.has(name)) {
    if (values.length === 1) return binder.bind(values[0] as Expr);
    scope.error("E300", call.at, `\`${name}\` takes 1 argument, ${values.length} given`, "it is its argument");
    return undefined;
  }
  if (name === "choose") return bindChoose(binder, call, values);
  const builtin = BUILTINS[name] as Builtin;
  if (values.length !== builtin.shape.length) {
    const takes = `${builtin.shape.length} argument${builtin.shape.length === 1 ? "" : "s"}`;
    scope.error("E300", call.at, `\`${name}\` takes ${takes}, ${values.length} given`, `it is ${builtin.summary}`);
    return undefined;
  }
  const args: Bound[] = [];
  for (const [i, shape] of builtin.shape.entries()) {
    const arg = bindShaped(binder, values[i] as Expr, shape, name);
    if (arg === undefined) return undefined;
    args.push(arg);
  }
  if (!sameType(binder, args, values, builtin.shape)) return undefined;
  const text = values[0] === undefined ? "" : scope.source.slice(values[0].at);
  return { kind: "call", name, type: builtin.type(args), at: call.at, run: () => builtin.run(args, text) };
}

/** Whether the values fit the place that they are written to or compared with. */
function sameType(binder: ExpressionBinder, args: readonly Bound[], values: readonly Expr[], shape: Shape): boolean {
  const { scope } = binder;
  const [place] = args;
  if (place === undefined || shape[0] !== "place") return true;
  const odd = args.findIndex((arg) => !compatible(place.type, arg.type));
  if (odd < 0) return true;
  const text = scope.source.slice((values[0] as Expr).at);
  const message = `\`${text}\` is ${typeText(place.type)}; this is ${typeText((args[odd] as Bound).type)}`;
  scope.error("E315", (values[odd] as Expr).at, message);
  return false;
}

function bindShaped(binder: ExpressionBinder, expr: Expr, shape: Shape[number], name: string): Bound | undefined {
  const bound = binder.bindValue(expr);
  if (bound === undefined) return undefined;
  const { scope } = binder;
  const text = scope.source.slice(expr.at);
  if (shape === "object" && bound.type.kind !== "object" && bound.type.kind !== "null") {
    scope.error("E301", expr.at, `\`${name}\` expects an object, \`${text}\` is ${typeText(bound.type)}`);
    return undefined;
  }
  if (shape === "place" && !isWord(bound)) {
    scope.error("E312", expr.at, `\`${name}\` needs a place in memory, \`${text}\` is none`, "a variable or a member");
    return undefined;
  }
  return bound;
}
/** Whether it is a word that can be loaded and stored. */
export function isWord(bound: Bound): bound is Extract<Bound, { kind: "place" }> & { place: Place } {
  return bound.kind === "place" && !["atomic", "refcount", "array", "spinlock", "mutex"].includes(bound.type.kind);
}

function bindChoose(binder: ExpressionBinder, call: Call, values: readonly Expr[]): Bound | undefined {
  const { scope } = binder;
  const numbers: number[] = [];
  for (const value of values) {
    const bound = binder.bind(value);
    if (bound === undefined) return undefined;
    if (bound.kind !== "constant") {
      scope.error("E313", value.at, "`choose` takes constants: all of them are tried", "`x = choose(0, 1)`");
      return undefined;
    }
    numbers.push(numeric(bound.value));
  }
  if (numbers.length === 0) {
    scope.error("E300", call.at, "`choose` needs at least one value", "`x = choose(0, 1)`");
    return undefined;
  }
  return {
    kind: "call",
    name: "choose",
    type: NUMBER,
    at: call.at,
    *run() {
      return numbers[yield* choose(numbers.length, `choose(${numbers.join(", ")})`)] as number;
    },
  };
}
