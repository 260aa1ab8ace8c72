/** How what a script can call is written, in one line. */
import type { Callable, Param } from "../../runtime/callable.ts";

/** The parameters that a script gives: all but the mm of the CPU itself. */
export function written(entry: Callable): readonly Param[] {
  return entry.params.filter((param) => param.of.kind !== "current-mm");
}
/** Words that may be left out. */
export const isWords = ({ of }: Pick<Param, "of">): boolean => of.kind === "flags" || of.kind === "mapping";
/** "hmm_range_fault(range, [request])" */
export function signature(entry: Callable): string {
  const params = written(entry).map((param) =>
    param.otherwise !== undefined || isWords(param) ? `[${param.name}]` : param.name,
  );
  return `${entry.name}(${params.join(", ")})`;
}
/** "mmput(mm): one user less" */
export function described(entry: Callable): string {
  return `${signature(entry)}: ${entry.summary}`;
}
