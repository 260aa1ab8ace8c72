/** Marked accesses, and WARN_ON and its like. */
import type { Call, Expr } from "../../grammar/ast.ts";
import { cmpxchg, READ_ONCE, WRITE_ONCE, xchg } from "../../runtime/machine/access.ts";
import { BUG_ON, WARN_ON } from "../../runtime/machine/bug.ts";
import { rcu_read_lock_held, srcu_read_lock_held, suspicious } from "../../runtime/machine/rcu-checks.ts";
import { asBoolean, Op, primitive, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import type { Ref, Struct } from "../../runtime/machine/struct.ts";
import type { Builtin } from "./macro.ts";
import { memberAt, numeric, run, truth, type Bound, type Frame, type MemoryPlace } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { BOOLEAN, compatible, NUMBER, typeOfKept, typeText, VOID, type Type } from "./types.ts";
import { isWord } from "./words.ts";

/** What a macro takes, argument by argument; the last kind stands for whatever else is there. */
type Shape = readonly ("place" | "value" | "condition" | "ignored")[];

interface Shaped {
  readonly shape: Shape;
  readonly summary: string;
  /** The type of its result, from the types of its arguments. */
  readonly type: (args: readonly Bound[]) => Type;
  readonly run: (args: readonly Bound[], text: string, frame: Frame, name: string) => Kernel<Value>;
}

const ofPlace = (args: readonly Bound[]): Type => (args[0] === undefined ? NUMBER : typeOfKept(args[0].type));
const nothing = (): Type => VOID;

function* refOf(arg: Bound | undefined, frame: Frame): Kernel<Ref<Value>> {
  return (yield* memberAt((arg as Bound & { place: MemoryPlace }).place, frame)) as Ref<Value>;
}
const read = (summary: string, shape: Shape = ["place"]): Shaped => ({
  shape,
  summary,
  type: ofPlace,
  *run([place], _, frame) {
    return yield* READ_ONCE(yield* refOf(place, frame));
  },
});
type Allows = (second: Value) => Kernel<boolean>;
const held: Record<"rcu" | "checked" | "protected" | "srcu", Allows> = {
  rcu: rcu_read_lock_held,
  *checked(condition) {
    return truth(condition) || (yield* rcu_read_lock_held());
  },
  *protected(condition) {
    return truth(condition);
  },
  srcu: (domain) => srcu_read_lock_held(domain as Struct),
};
/** Reads a pointer that only readers may read: RCU says so if this is none, and nothing else allows it. */
function dereference(by: keyof typeof held): Shaped {
  return {
    shape: by === "rcu" ? ["place"] : ["place", "condition"],
    summary: "a marked read of a pointer, which only readers may read",
    type: ofPlace,
    *run([place, second], _, frame, name) {
      const value = second === undefined ? undefined : yield* run(second, frame);
      if (!(yield* held[by](value)))
        yield* suspicious(name, by === "protected" ? "rcu_dereference_protected" : "rcu_dereference_check");
      return yield* READ_ONCE(yield* refOf(place, frame));
    },
  };
}
const write = (summary: string): Shaped => ({
  shape: ["place", "value"],
  summary,
  type: nothing,
  *run([place, value], _, frame) {
    const ref = yield* refOf(place, frame);
    yield* WRITE_ONCE(ref, yield* run(value as Bound, frame));
  },
});
const warning: Shaped = {
  shape: ["condition", "ignored"],
  summary: "warns if the condition holds, and goes on",
  type: () => BOOLEAN,
  *run([condition], text, frame) {
    return yield* WARN_ON(truth(yield* run(condition as Bound, frame)), text);
  },
};
const bug: Shaped = {
  shape: ["condition"],
  summary: "ends the path if the condition holds",
  type: nothing,
  *run([condition], text, frame) {
    yield* BUG_ON(truth(yield* run(condition as Bound, frame)), text);
  },
};

/** One atomic step on one word; the result is whether the bit was set before. */
function bits(summary: string, change: (word: number, bit: number) => number, result?: "changes"): Shaped {
  const flip = primitive("bit", (m, addr = 0, bit = 0) => {
    const word = m.read(addr);
    m.write(addr, change(word, bit));
    return (word & bit) === 0 ? 0 : 1;
  });
  return {
    shape: ["value", "place"],
    summary,
    type: () => (result === undefined ? BOOLEAN : VOID),
    *run([nr, place], _, frame, name) {
      const n = numeric(yield* run(nr as Bound, frame));
      const ref = yield* refOf(place, frame);
      const was = yield* step({
        op: Op.primitive,
        addr: ref.addr,
        primitive: flip,
        args: [ref.addr, 2 ** n],
        decode: asBoolean,
        text: (names) => `${name}(${n}, &${ref.expr(names)})`,
      });
      return result === undefined ? was : undefined;
    },
  };
}

const SHAPED: Readonly<Record<string, Shaped>> = {
  READ_ONCE: read("a marked read"),
  smp_load_acquire: read("a marked read"),
  rcu_dereference: dereference("rcu"),
  rcu_access_pointer: read("a marked read of a pointer"),
  rcu_dereference_check: dereference("checked"),
  rcu_dereference_protected: dereference("protected"),
  srcu_dereference: dereference("srcu"),
  WRITE_ONCE: write("a marked write"),
  smp_store_release: write("a marked write"),
  smp_store_mb: write("a marked write"),
  rcu_assign_pointer: write("a marked write of a pointer"),
  RCU_INIT_POINTER: write("a marked write of a pointer"),
  xchg: {
    shape: ["place", "value"],
    summary: "writes, and gives what was there",
    type: ofPlace,
    *run([place, value], _, frame) {
      const ref = yield* refOf(place, frame);
      return yield* xchg(ref, yield* run(value as Bound, frame));
    },
  },
  cmpxchg: {
    shape: ["place", "value", "value"],
    summary: "writes if the old value is there, and gives what was there",
    type: ofPlace,
    *run([place, old, value], _, frame) {
      const ref = yield* refOf(place, frame);
      const expected = yield* run(old as Bound, frame);
      return yield* cmpxchg(ref, expected, yield* run(value as Bound, frame));
    },
  },
  test_bit: bits("whether a bit is set", (word) => word),
  set_bit: bits("sets a bit", (word, bit) => word | bit, "changes"),
  clear_bit: bits("clears a bit", (word, bit) => word & ~bit, "changes"),
  change_bit: bits("changes a bit", (word, bit) => word ^ bit, "changes"),
  test_and_set_bit: bits("sets a bit; whether it was set", (word, bit) => word | bit),
  test_and_clear_bit: bits("clears a bit; whether it was set", (word, bit) => word & ~bit),
  WARN_ON: warning,
  WARN_ON_ONCE: warning,
  WARN: warning,
  WARN_ONCE: warning,
  VM_WARN_ON: warning,
  VM_WARN_ON_ONCE: warning,
  BUG_ON: bug,
  VM_BUG_ON: bug,
};

export const accesses: Readonly<Record<string, Builtin>> = Object.fromEntries(
  Object.entries(SHAPED).map(([name, shaped]) => [
    name,
    { summary: shaped.summary, bind: (binder, call) => bindShaped(binder, call, name, shaped) },
  ]),
);

function bindShaped(binder: ExpressionBinder, call: Call, name: string, shaped: Shaped): Bound | undefined {
  const { scope } = binder;
  const { shape } = shaped;
  const values = call.args.map((arg) => arg.value);
  const isOpen = shape.at(-1) === "ignored";
  const wanted = isOpen ? shape.length - 1 : shape.length;
  if (values.length < wanted || (values.length > wanted && !isOpen)) {
    const takes = `${wanted} argument${wanted === 1 ? "" : "s"}`;
    scope.error("E300", call.at, `\`${name}\` takes ${takes}, ${values.length} given`, `it is ${shaped.summary}`);
    return undefined;
  }
  const args: Bound[] = [];
  for (const [i, kind] of shape.slice(0, wanted).entries()) {
    const arg = bindOne(binder, values[i] as Expr, kind === "place", name);
    if (arg === undefined) return undefined;
    args.push(arg);
  }
  if (!sameType(binder, args, values, shape)) return undefined;
  const text = values[0] === undefined ? "" : scope.source.slice(values[0].at);
  return {
    kind: "call",
    name,
    type: shaped.type(args),
    at: call.at,
    parts: args,
    run: (frame) => shaped.run(args, text, frame, name),
  };
}

/** Whether the values fit the place that they are written to or compared with. */
function sameType(binder: ExpressionBinder, args: readonly Bound[], values: readonly Expr[], shape: Shape): boolean {
  const { scope } = binder;
  const [place] = args;
  if (place === undefined || shape[0] !== "place") return true;
  const odd = args.findIndex((arg, i) => shape[i] === "value" && !compatible(place.type, arg.type));
  if (odd < 0) return true;
  const text = scope.source.slice((values[0] as Expr).at);
  const message = `\`${text}\` is ${typeText(place.type)}; this is ${typeText((args[odd] as Bound).type)}`;
  scope.error("E315", (values[odd] as Expr).at, message);
  return false;
}

function bindOne(binder: ExpressionBinder, expr: Expr, isPlace: boolean, name: string): Bound | undefined {
  // `xchg(&x, 1)` and `xchg(x, 1)` are one thing.
  const word = isPlace && expr.kind === "unary" && expr.op === "&" ? expr.operand : expr;
  const bound = binder.bindValue(word);
  if (bound === undefined || !isPlace) return bound;
  const { scope } = binder;
  const text = scope.source.slice(expr.at);
  if (isWord(bound) && bound.place.kind !== "local") return bound;
  const why = bound.kind === "place" && bound.place.kind === "local" ? "is a local: no other CPU sees it" : "is none";
  scope.error("E312", expr.at, `\`${name}\` needs a place in memory, \`${text}\` ${why}`, "a variable or a member");
  return undefined;
}
