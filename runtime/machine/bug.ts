/** WARN_ON and BUG_ON: they judge values the body already has, so they are no scheduling points. */
import { Op, primitive, step, type Kernel } from "./step.ts";

const warn = (message: string) =>
  primitive("WARN_ON", (m) => {
    m.warn("warning", message);
    return 0;
  });
const bug = (message: string) => primitive("BUG_ON", (m) => m.fail("bug", message));

/** Reports and goes on, if `condition` holds; evaluates to it. `what` is the condition as C would spell it. */
export function* WARN_ON(condition: boolean, what: string): Kernel<boolean> {
  if (condition) yield* step({ op: Op.silentPrimitive, primitive: warn(what), text: () => `WARN_ON(${what})` });
  return condition;
}
/** Ends the path, if `condition` holds. */
export function* BUG_ON(condition: boolean, what: string): Kernel<void> {
  if (condition) yield* step({ op: Op.silentPrimitive, primitive: bug(what), text: () => `BUG_ON(${what})` });
}

/** Ends the path: the kernel would oops. `what` says why, in its words. */
export function* BUG(what: string): Kernel<void> {
  yield* step({ op: Op.silentPrimitive, primitive: bug(what), text: () => what });
}
