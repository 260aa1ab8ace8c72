/** Arithmetic that the kernel has macros for, error pointers, and time, which is not modelled. */
import type { Call } from "../../grammar/ast.ts";
import { choose } from "../../runtime/machine/choose.ts";
import type { Value } from "../../runtime/machine/step.ts";
import { at } from "../../runtime/machine/struct.ts";
import { PAGE_SIZE } from "../../runtime/mm/pgtable.ts";
import { argumentsOf, type Builtin } from "./macro.ts";
import { numeric, run, type Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { BOOLEAN, NUMBER, type Type } from "./types.ts";

const ERRNO_MAX = 4095;
const isError = (value: Value): boolean => numeric(value) < 0 && numeric(value) >= -ERRNO_MAX;

/** A function of its arguments' numbers. */
function pure(
  shape: string,
  count: number,
  summary: string,
  compute: (...args: number[]) => Value,
  type: Type = NUMBER,
): Builtin {
  const bind = (binder: ExpressionBinder, call: Call, name: string): Bound | undefined => {
    const values = argumentsOf(binder, call, name, shape, { least: count });
    // Of min_t() and max_t() the first is a type.
    const parts = values?.slice(shape.startsWith("type") ? 1 : 0).map((value) => binder.bindValue(value));
    if (parts === undefined || parts.includes(undefined)) return undefined;
    const args = parts as Bound[];
    const constants = args.flatMap((arg) => (arg.kind === "constant" ? [numeric(arg.value)] : []));
    if (constants.length === args.length) return { kind: "constant", value: compute(...constants), type, at: call.at };
    return {
      kind: "call",
      name,
      type,
      at: call.at,
      parts: args,
      compute,
      *run(frame) {
        const numbers: number[] = [];
        for (const arg of args) numbers.push(numeric(yield* run(arg, frame)));
        return compute(...numbers);
      },
    };
  };
  return { summary, bind };
}
const roundDown = (x: number, a: number): number => Math.floor(x / a) * a;
const roundUp = (x: number, a: number): number => Math.ceil(x / a) * a;

/** The same number as a pointer, of the type that is wanted. */
const errPtr: Builtin = {
  summary: "an error as a pointer",
  bind(binder, call, name) {
    const [value] = argumentsOf(binder, call, name, "error", { least: 1 }) ?? [];
    const { expected } = binder;
    const bound = value === undefined ? undefined : binder.bindValue(value);
    if (bound === undefined) return undefined;
    const cls = expected?.kind === "object" ? expected.cls : undefined;
    const compute = (error: number): Value => (cls === undefined ? error : at(cls, error));
    return {
      kind: "call",
      name,
      type: cls === undefined ? { kind: "null" } : { kind: "object", cls },
      at: call.at,
      parts: [bound],
      compute,
      *run(frame) {
        return compute(numeric(yield* run(bound, frame)));
      },
    };
  },
};
/** Whether the time has come is nothing that the model knows: both are tried. */
const either: Builtin = {
  summary: "whether the time has come: both are tried",
  bind: (_, call, name) => ({
    kind: "call",
    name,
    type: BOOLEAN,
    at: call.at,
    parts: [],
    *run() {
      return (yield* choose(2, `${name}()`)) === 1;
    },
  }),
};

/** What 5.2 asks a range with; `range.blockable` says the same. */
const blockable: Builtin = {
  summary: "whether the callback may sleep",
  bind(binder, call, name) {
    const [value] = argumentsOf(binder, call, name, "range", { least: 1 }) ?? [];
    const range = value === undefined ? undefined : binder.bindValue(value);
    const field = range?.type.kind === "record" ? range.type.fields["blockable"] : undefined;
    if (range === undefined || value === undefined) return undefined;
    if (field !== undefined)
      return { kind: "place", place: { kind: "field", record: range, index: field.index }, type: BOOLEAN, at: call.at };
    binder.scope.error("E301", value.at, `\`${name}\` expects what a callback is given, a struct mmu_notifier_range`);
    return undefined;
  },
};

export const arithmetic: Readonly<Record<string, Builtin>> = {
  min: pure("a, b", 2, "the smaller one", Math.min),
  max: pure("a, b", 2, "the larger one", Math.max),
  min_t: pure("type, a, b", 3, "the smaller one", Math.min),
  max_t: pure("type, a, b", 3, "the larger one", Math.max),
  ALIGN: pure("x, a", 2, "x rounded up to a multiple of a", roundUp),
  ALIGN_DOWN: pure("x, a", 2, "x rounded down to a multiple of a", roundDown),
  round_up: pure("x, a", 2, "x rounded up to a multiple of a", roundUp),
  round_down: pure("x, a", 2, "x rounded down to a multiple of a", roundDown),
  DIV_ROUND_UP: pure("n, d", 2, "n / d, rounded up", (n, d) => Math.ceil(n / d)),
  PAGE_ALIGN: pure("addr", 1, "addr rounded up to a page", (x) => roundUp(x, PAGE_SIZE)),
  offset_in_page: pure("addr", 1, "where in its page an address lies", (x) => x % PAGE_SIZE),
  BIT: pure("n", 1, "1 << n", (n) => 2 ** n),
  mmu_notifier_range_blockable: blockable,
  IS_ERR: pure("ptr", 1, "whether a pointer is an error", isError, BOOLEAN),
  IS_ERR_OR_NULL: pure("ptr", 1, "whether a pointer is none", (x) => x === 0 || isError(x), BOOLEAN),
  PTR_ERR: pure("ptr", 1, "the error that a pointer is", (x) => x),
  PTR_ERR_OR_ZERO: pure("ptr", 1, "the error that a pointer is, or 0", (x) => (isError(x) ? x : 0)),
  ERR_PTR: errPtr,
  ERR_CAST: errPtr,
  msecs_to_jiffies: pure("m", 1, "milliseconds as jiffies", (x) => x),
  time_after: either,
  time_before: either,
  time_after_eq: either,
  time_before_eq: either,
};
