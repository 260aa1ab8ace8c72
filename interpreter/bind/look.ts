/** What a person who looks on wants to know: the value of an expression, seen from outside. No step is taken. */
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import type { SourceText } from "../../grammar/span.ts";
import type { Machine } from "../../runtime/machine/machine.ts";
import { STATIC_ARENA } from "../../runtime/machine/types.ts";
import type { Look } from "../program.ts";
import { ScriptError } from "../script-error.ts";
import { look, truth, type Onlooker } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { showOne } from "./values.ts";

/** Binds an expression to the names of a script; or what is wrong with it: nothing, if it is a statement. */
export function bindLook(binder: ExpressionBinder, source: SourceText): Look | readonly Diagnostic[] {
  const { scope } = binder;
  const { script, diagnostics } = parse(source);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return errors;
  const [statement, ...more] = script.statements;
  if (statement?.kind !== "expression" || more.length > 0) return [];
  const before = scope.diagnostics.length;
  const bound = scope.within(source, "", () => binder.bindValue(statement.expr));
  const mistakes = scope.diagnostics.splice(before).filter(({ severity }) => severity === "error");
  if (bound === undefined || mistakes.length > 0) return mistakes;
  return {
    text: source.slice(statement.at).trim(),
    holds: (machine) => seen(machine, (onlooker) => truth(look(bound, onlooker))) === true,
    value: (machine) => {
      const value = seen(machine, (onlooker) => look(bound, onlooker));
      return value instanceof Unseen ? value.message : showOne(value, machine);
    },
  };
}
/** What cannot be seen, and why: "<freed memory>". */
class Unseen extends Error {}
/** Looks as a CPU would: not through NULL, not at what is freed, not at what a division by 0 comes to. */
function seen<R>(machine: Machine, compute: (onlooker: Onlooker) => R): R | Unseen {
  const peek = (addr: number): number => {
    if (addr < STATIC_ARENA) throw new Unseen("<NULL dereference>");
    if (machine.memory.header(addr) < 0) throw new Unseen("<freed memory>");
    return machine.peek(addr);
  };
  try {
    return compute({ peek });
  } catch (error) {
    if (error instanceof Unseen) return error;
    if (error instanceof ScriptError) return new Unseen("<it cannot be computed here>");
    throw error;
  }
}
