/** What a macro is to the binder. */
import type { Call, Expr } from "../../grammar/ast.ts";
import type { Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";

export interface Builtin {
  readonly summary: string;
  readonly bind: (binder: ExpressionBinder, call: Call, name: string) => Bound | undefined;
}

/** The arguments of a macro, or undefined after saying that there are too few or too many. */
export function argumentsOf(
  binder: ExpressionBinder,
  call: Call,
  name: string,
  shape: string,
  { least, most = least }: { least: number; most?: number },
): readonly Expr[] | undefined {
  const values = call.args.map((arg) => arg.value);
  if (values.length >= least && values.length <= most) return values;
  const takes = least === most ? String(least) : `${least} to ${most}`;
  const message = `\`${name}\` takes ${takes} argument${most === 1 ? "" : "s"}, ${values.length} given`;
  binder.scope.error("E300", call.at, message, `\`${name}(${shape})\``);
  return undefined;
}
