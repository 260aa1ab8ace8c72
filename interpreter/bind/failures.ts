/** `fail kmalloc #2`, `maybe fail hmm_mirror_register`: which call is to fail, and how. */
import type { Fail } from "../../grammar/ast.ts";
import { ENOMEM } from "../../runtime/machine/errno.ts";
import {
  armFailure,
  failNext,
  CALLS_MAX,
  FAILURES_MAX,
  FIRST_CHOSEN,
  KERNEL_FAILURES,
} from "../../runtime/machine/failure.ts";
import { choose } from "../../runtime/machine/choose.ts";
import type { Value } from "../../runtime/machine/step.ts";
import { NULL } from "../../runtime/machine/struct.ts";
import type { CodeBinder } from "./code.ts";
import { typeOfResult, typeText, type Type } from "./types.ts";

export function bindFail(code: CodeBinder, { function: fn, count, maybe, at: where }: Fail): void {
  const counter = counterOf(code, fn.name, fn.at);
  if (counter === undefined) return;
  if (count > CALLS_MAX) {
    code.names.scope.error("E320", where, `\`fail\` looks ${CALLS_MAX} calls ahead; this is number ${count}`);
    return;
  }
  code.addStep(where, [], function* () {
    if (maybe && (yield* choose(2, `maybe fail ${fn.name}`)) === 0) return;
    yield* armFailure(counter, count);
  });
}

/** The number under which the failures of a function are counted; undefined after an error. */
function counterOf({ names }: CodeBinder, name: string, where: { start: number; end: number }): number | undefined {
  const { scope } = names;
  const known = KERNEL_FAILURES.get(name);
  if (known !== undefined) return known;
  const definition = scope.functions?.find(name);
  const entry = scope.callables.get(name)?.[0];
  if (definition === undefined && entry === undefined) {
    names.unknownName(name, where);
    return undefined;
  }
  const result: Type = entry === undefined ? { kind: "any" } : typeOfResult(entry.result);
  const failure = failureOf(result);
  if (definition !== undefined || failure === undefined || entry === undefined) {
    const why = definition !== undefined ? "is this script's own" : `gives ${typeText(result)}`;
    const help = "a function fails by an error code or by NULL; `x = choose(0, 1)` tries both ways of anything else";
    scope.error("E320", where, `\`${name}\` ${why}: it cannot be made to fail`, help);
    return undefined;
  }
  const counter = scope.failures.get(name) ?? scope.failures.size + FIRST_CHOSEN;
  if (counter >= FAILURES_MAX) {
    scope.error(
      "E320",
      where,
      `\`${name}\` is one too many: a script can make ${FAILURES_MAX - FIRST_CHOSEN} functions fail`,
    );
    return undefined;
  }
  scope.failures.set(name, counter);
  const run = entry.run as unknown as { id?: number };
  const wrapped = scope.functions?.wrap(run.id, function* (base) {
    return (yield* failNext(counter)) ? failure : yield* base;
  });
  if (wrapped === true) return counter;
  scope.error("E320", where, `\`${name}\` cannot be made to fail: it has no body of its own in the model`);
  return undefined;
}
function failureOf(type: Type): Value | undefined {
  if (type.kind === "number") return -ENOMEM;
  if (type.kind === "object") return NULL(type.cls);
  return type.kind === "boolean" ? false : undefined;
}
