/** Which reports an expectation names, and what one run can say about it. */
import { placesOf, type Finding } from "../runtime/machine/report.ts";
import type { ReportKind } from "../runtime/machine/step.ts";
import type { ExpectItem, Program } from "./program.ts";

export interface Named {
  /** Undefined: any kind, but no broken expectation. */
  readonly report: ReportKind | undefined;
  /** Undefined: anywhere. */
  readonly in: string | undefined;
}

/** `places`: every function that reports of this class were in. */
export function fits(named: Named, finding: Finding, places: ReadonlySet<string> = NOWHERE_ELSE): boolean {
  if (named.report === undefined ? finding.kind === "expectation" : named.report !== finding.kind) return false;
  return named.in === undefined || placesOf(finding).includes(named.in) || places.has(named.in);
}
const NOWHERE_ELSE: ReadonlySet<string> = new Set();

/** What the machine is made to say where an `expect`, `always` or `never` does not hold. */
export function brokenText(text: string): string {
  return `${text} does not hold`;
}

/** It does not hold here, and other schedules may make it hold: one run cannot say. */
export function isLeftOpen({ expectation }: ExpectItem, program: Program): boolean {
  const isOneOfMany = program.items.some((item) => item.kind === "race");
  return isOneOfMany && (expectation.kind === "blocked" || (expectation.kind === "condition" && expectation.sometimes));
}
