/** `base(...)` in a patch: the body that the patch replaces. */
import type { Call } from "../../grammar/ast.ts";
import { Op, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { coerced, run, type Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { ANY } from "./types.ts";

export function bindBase(binder: ExpressionBinder, call: Call): Bound | undefined {
  const { scope } = binder;
  const base = binder.owner?.base;
  if (base === undefined) return undefined;
  const args = call.args.map((arg) => binder.bindArgument(arg.value));
  if (args.includes(undefined)) return undefined;
  if (args.length !== base.params.length) {
    const takes = `${base.params.length} argument${base.params.length === 1 ? "" : "s"}`;
    scope.error("E300", call.at, `\`base\`, the old ${base.name}, takes ${takes}, ${args.length} given`);
    return undefined;
  }
  const given = args as Bound[];
  return {
    kind: "call",
    name: base.name,
    type: base.result,
    at: call.at,
    parts: given,
    *run(frame): Kernel<Value> {
      const values: Value[] = [];
      for (const [i, arg] of given.entries()) values.push(coerced(yield* run(arg, frame), base.params[i] ?? ANY));
      return (yield { op: Op.call, fn: { id: base.id, name: base.name }, args: values }) as Value;
    },
  };
}
