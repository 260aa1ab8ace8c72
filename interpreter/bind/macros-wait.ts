/** wait_event() and its like: a condition of the script, looked at as often as the kernel looks at it. */
import type { Call } from "../../grammar/ast.ts";
import { wait_event, wait_event_killable, wait_event_timeout, wait_queue_head } from "../../runtime/machine/wait.ts";
import type { KernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { argumentsOf, type Builtin } from "./macro.ts";
import { localsIn, run, truth, type Bound, type Frame } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { NUMBER, typeText, VOID, type Type } from "./types.ts";

type Condition = KernelFunction<Value[], boolean>;

/** `result`: what the macro gives, from what the condition said last. */
function waiting(summary: string, hasTimeout: boolean, type: Type, result: (held: boolean) => Value): Builtin {
  const bind = (binder: ExpressionBinder, call: Call, name: string): Bound | undefined => {
    const shape = `wq, condition${hasTimeout ? ", timeout" : ""}`;
    const values = argumentsOf(binder, call, name, shape, { least: hasTimeout ? 3 : 2 });
    const [first, second] = values ?? [];
    if (first === undefined || second === undefined) return undefined;
    const wq = binder.bindValue(first);
    const test = binder.bindValue(second);
    if (wq === undefined || test === undefined) return undefined;
    if (wq.type.kind !== "object" || wq.type.cls !== wait_queue_head) {
      const text = binder.scope.source.slice(first.at);
      binder.scope.error("E301", first.at, `\`${name}\` expects a wait queue, \`${text}\` is ${typeText(wq.type)}`);
      return undefined;
    }
    // What it looks at may be locals: they are handed to it, for it is a function of its own.
    const locals = [...new Set(localsIn(test))];
    const id = binder.scope.functions?.helper(
      binder.scope.source.slice(second.at),
      function* (...given: Value[]): Kernel<boolean> {
        const frame: Frame = [];
        locals.forEach((local, i) => (frame[local.index] = given[i]));
        return truth(yield* run(test, frame));
      },
    );
    return {
      kind: "call",
      name,
      type,
      at: call.at,
      parts: [wq, test],
      *run(frame) {
        const head = (yield* run(wq, frame)) as wait_queue_head;
        const condition = id as unknown as Condition;
        const given = locals.map((local) => frame[local.index]);
        if (hasTimeout) return result(yield* wait_event_timeout(head, condition, ...given));
        if (type === NUMBER) return yield* wait_event_killable(head, condition, ...given);
        yield* wait_event(head, condition, ...given);
        return result(true);
      },
    };
  };
  return { summary, bind };
}

const KILLABLE = "the same, or until a fatal signal comes: -ERESTARTSYS then";
export const waits: Readonly<Record<string, Builtin>> = {
  wait_event: waiting("waits until a condition holds; wake_up_all() makes it look again", false, VOID, () => undefined),
  wait_event_interruptible: waiting(KILLABLE, false, NUMBER, () => 0),
  wait_event_killable: waiting(KILLABLE, false, NUMBER, () => 0),
  wait_event_timeout: waiting("the same, or until time is up: 0 then", true, NUMBER, (held) => (held ? 1 : 0)),
};
