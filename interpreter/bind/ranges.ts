/** Ranges of user memory as arguments. */
import type { Argument, Expr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import type { Callable, Param } from "../../runtime/callable.ts";
import type { Value } from "../../runtime/machine/step.ts";
import { PAGE_SIZE } from "../../runtime/mm/pgtable.ts";
import { ScriptError } from "../script-error.ts";
import { numeric, run, type Bound } from "./expression.ts";
import { misfit, TOLD, type Misfit, type Source } from "./fit.ts";
import type { ExpressionBinder } from "./names.ts";
import { described, isWords } from "./signature.ts";
import { NUMBER, typeText } from "./types.ts";
import { showNumber } from "./values.ts";

/** A range: as such, as start and length or end, or in what holds one. */
export function fitRange(
  binder: ExpressionBinder,
  entry: Callable,
  param: Param,
  queue: Argument[],
  fitted: number,
): Source | Misfit {
  const first = queue[0] as Argument;
  if (first.value.kind === "range" || (first.value.kind === "binary" && first.value.op === "+")) {
    const ends = rangeEnds(binder, first.value);
    if (ends === undefined) return TOLD;
    queue.shift();
    return readRange(binder, first.at, ends);
  }
  const second = queue[1];
  const start = binder.bindOnce(first.value);
  if (start === undefined) return TOLD;
  const pair = pairIn(start);
  if (pair !== undefined) {
    queue.shift();
    return pair;
  }
  const isLast = second === undefined || isWordOf(entry, second);
  if (start.type.kind === "any" && isLast) {
    queue.shift();
    return anyPair(binder, start, entry, param, first.at);
  }
  const end = isLast ? undefined : binder.bindOnce(second.value);
  if (isNumeric(start) && end !== undefined && isNumeric(end)) {
    queue.splice(0, 2);
    const isLength = param.of.kind === "range" && param.of.second === "length";
    const ends = isLength ? ended(binder, start, end, first.at) : ([start, end] as const);
    return ends === undefined ? TOLD : readRange(binder, first.at, ends);
  }
  const text = binder.scope.source.slice(first.at);
  if (first.value.kind === "binary" && first.value.op === "-") {
    const help = `write \`${text.replace(/\s*-\s*/, "..")}\``;
    return misfit("E304", first.at, `\`${text}\` is a subtraction; a range has two dots`, fitted, help);
  }
  const help = /^\w+$/.test(text) ? `\`${text}..\` is one page, \`${text}..+8K\` two` : "a range is `start..end`";
  return misfit(
    "E303",
    first.at,
    `\`${entry.name}\` expects a range for \`${param.name}\`, \`${text}\` is ${typeText(start.type)}`,
    fitted,
    start.type.kind === "number" ? help : described(entry),
  );
}
/** One of the function's words, such as `write`. */
function isWordOf(entry: Callable, { value }: Argument): boolean {
  if (value.kind !== "name") return false;
  return entry.params.some(({ of }) => isWords({ of }) && "words" in of && Object.hasOwn(of.words, value.name));
}
/** A parameter of a function of the script that nobody calls: what it is shows when it is called. */
function anyPair(binder: ExpressionBinder, bound: Bound, entry: Callable, param: Param, at: Span): Source {
  return {
    *values(frame) {
      const value = yield* run(bound, frame);
      if (Array.isArray(value)) return [value[0] as Value, value[1] as Value];
      const text = binder.scope.source.slice(at);
      throw new ScriptError("E303", at, `\`${entry.name}\` expects a range for \`${param.name}\`, \`${text}\` is none`);
    },
    from: [bound],
  };
}
const isNumeric = ({ type }: Bound): boolean => type.kind === "number" || type.kind === "any";

/** A parameter that is a range, or what the kernel hands to a callback: two of its fields. */
function pairIn(bound: Bound): Source | undefined {
  const { type } = bound;
  if (type.kind !== "range" && type.kind !== "record") return undefined;
  const [start, end] = type.kind === "range" ? [0, 1] : [type.fields["start"]?.index, type.fields["end"]?.index];
  if (start === undefined || end === undefined) return undefined;
  return {
    *values(frame) {
      const fields = (yield* run(bound, frame)) as readonly Value[];
      return [fields[start], fields[end]];
    },
    from: [bound],
  };
}
const ENDS = "a range is made of addresses";

/** `a..b`, `a..+n`, `a..`; and, where a range is wanted, `a+n`. Undefined after an error. */
export function rangeEnds(
  binder: ExpressionBinder,
  expr: Extract<Expr, { kind: "range" | "binary" }>,
): readonly [Bound, Bound] | undefined {
  const page: Bound = { kind: "constant", value: PAGE_SIZE, type: { kind: "number" }, at: expr.at };
  if (expr.kind === "binary") {
    const start = binder.bindNumber(expr.left, ENDS);
    const length = binder.bindNumber(expr.right, ENDS);
    return ended(binder, start, length, expr.at);
  }
  const start = binder.bindNumber(expr.start, ENDS);
  if (expr.end !== undefined) {
    const end = binder.bindNumber(expr.end, ENDS);
    return start === undefined || end === undefined ? undefined : [start, end];
  }
  const length = expr.length === undefined ? page : binder.bindNumber(expr.length, ENDS);
  return ended(binder, start, length, expr.at);
}
/** A range by its length. */
function ended(
  binder: ExpressionBinder,
  start: Bound | undefined,
  length: Bound | undefined,
  at: Span,
): readonly [Bound, Bound] | undefined {
  if (start === undefined || length === undefined) return undefined;
  const end = binder.folded({ kind: "binary", op: "+", left: start, right: length, type: NUMBER, at });
  return end === undefined ? undefined : [start, end];
}

function readRange(binder: ExpressionBinder, at: Span, [start, end]: readonly [Bound, Bound]): Source {
  if (start.kind === "constant" && end.kind === "constant")
    checkRange(binder, at, numeric(start.value), numeric(end.value));
  return {
    *values(frame) {
      const from = numeric(yield* run(start, frame));
      return [from, numeric(yield* run(end, frame))];
    },
    from: [start, end],
  };
}
const ADDRESS_MAX = 2 ** 47;
function checkRange(binder: ExpressionBinder, at: Span, from: number, to: number): void {
  const { scope } = binder;
  const [low, high] = [showNumber(from), showNumber(to)];
  if (to <= from)
    scope.error(
      "E305",
      at,
      `this range is empty: its end, ${high}, is not above its start, ${low}`,
      "the end is excluded",
    );
  else if (from < 0 || to > ADDRESS_MAX)
    scope.error("E306", at, "this range leaves user memory", "user addresses are 0 to 0x7fffffffffff (2^47 - 1)");
  else if (from % PAGE_SIZE !== 0 || to % PAGE_SIZE !== 0)
    scope.error("E307", at, "a range begins and ends on a page boundary", "pages have 4096 (0x1000) bytes");
}
