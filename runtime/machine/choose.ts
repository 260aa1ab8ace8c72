/** What the model does not decide: time-outs, allocation failure, signals. The search tries every choice. */
import { Op, step, type Kernel } from "./step.ts";

/** One of 0 .. n-1. */
export function choose(n: number, what: string): Kernel<number> {
  return step({ op: Op.choose, choices: n, text: () => what });
}
