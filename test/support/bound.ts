/** Scripts bound and checked without a command line. */
import { readFileSync } from "node:fs";
import { SourceText } from "../../grammar/span.ts";
import { bindScript } from "../../interpreter/bind/script.ts";
import { drain } from "../../interpreter/breathing.ts";
import { check, type CheckResult } from "../../interpreter/check.ts";
import { DEFAULT_LIMITS } from "../../interpreter/limits.ts";
import type { Program } from "../../interpreter/program.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";

export function bound(text: string, kernel?: string): Program {
  const {
    programs: [program],
    diagnostics,
  } = bindScript(new SourceText("test", text), kernel === undefined ? {} : { kernel });
  if (program === undefined) throw new Error(diagnostics.map((d) => `${d.code} ${d.message}`).join("\n"));
  return program;
}
export function boundFile(path: string, kernel?: string): Program {
  return bound(readFileSync(path, "utf8"), kernel);
}
export function checked(program: Program, mutations: readonly Mutation[] = []): CheckResult {
  return drain(check(program, { limits: DEFAULT_LIMITS, mutations }));
}
/** "use-after-free in find_vma": each class of reports in every place it was met. */
export function reportsOf(result: CheckResult): string[] {
  return result.reports
    .flatMap(({ finding, places }) =>
      [...places].map((place) => (place === "" ? finding.kind : `${finding.kind} in ${place}`)),
    )
    .sort();
}
