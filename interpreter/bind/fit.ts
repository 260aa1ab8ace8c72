/** How an argument becomes what a parameter of the kernel takes, or why it does not. */
import type { Span } from "../../grammar/span.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import type { Bound, Frame } from "./expression.ts";

/** How one parameter gets its values. */
export interface Source {
  readonly values: (frame: Frame) => Kernel<readonly Value[]>;
  /** The expressions behind it, where it has any. */
  readonly from: readonly Bound[];
}
export const constant = (...values: Value[]): Source => ({
  *values() {
    return values;
  },
  from: [],
});

/** Why an entry does not take these arguments. */
export interface Misfit {
  readonly code: string;
  readonly at: Span;
  readonly message: string;
  readonly help?: string | undefined;
  /** How many arguments did fit: the best misfit is the one told. */
  readonly fitted: number;
}
export function misfit(code: string, at: Span, message: string, fitted: number, help?: string): Misfit {
  return { code, at, message, fitted, help };
}
/** An argument is wrong whatever is called, and that has been told. */
export const TOLD: Misfit = { code: "", at: { start: 0, end: 0 }, message: "", fitted: -1 };
