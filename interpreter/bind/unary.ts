/** Operators with one operand: of them `&` and `*` are about places. */
import type { Expr } from "../../grammar/ast.ts";
import { memberAt, partsOfPlace, type Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { BOOLEAN, NUMBER } from "./types.ts";

type Unary = Extract<Expr, { kind: "unary" }>;

export function bindUnary(binder: ExpressionBinder, expr: Unary): Bound | undefined {
  const operand = binder.bindValue(expr.operand);
  if (operand === undefined) return undefined;
  switch (expr.op) {
    case "&":
      // Of an object, an embedded struct or a lock its name stands for it; of a number it is an array of one.
      return isPlainWord(operand) ? bindAddress(binder, operand, expr) : operand;
    case "+":
      return operand;
    case "*":
      if (operand.type.kind === "array") {
        const index: Bound = { kind: "constant", value: 0, type: NUMBER, at: expr.at };
        return { kind: "place", place: { kind: "element", array: operand, index }, type: NUMBER, at: expr.at };
      }
      binder.scope.error("E223", expr.at, "a pointer is followed with `.` or `->`, not with `*`");
      return undefined;
    case "!":
      return binder.folded({ kind: "unary", op: "!", operand, type: BOOLEAN, at: expr.at });
    default:
      if (!binder.isNumeric(operand)) return undefined;
      return binder.folded({ kind: "unary", op: expr.op, operand, type: NUMBER, at: expr.at });
  }
}
/** A number in memory, or a local one. */
function isPlainWord(bound: Bound): bound is Bound & { kind: "place" } {
  return bound.kind === "place" && (bound.type.kind === "number" || bound.type.kind === "boolean");
}
function bindAddress({ scope }: ExpressionBinder, word: Bound & { kind: "place" }, expr: Unary): Bound | undefined {
  const { place } = word;
  if (place.kind === "local" || place.kind === "field") {
    const text = scope.source.slice(word.at);
    const help = "an array of one has an address: `u64 x[1]`";
    scope.error("E223", expr.at, `\`${text}\` is in no memory that could be pointed to`, help);
    return undefined;
  }
  return {
    kind: "call",
    name: "&",
    type: { kind: "array" },
    at: expr.at,
    parts: partsOfPlace(place),
    *run(frame) {
      return (yield* memberAt(place, frame)).addr;
    },
  };
}
