/** Kinds of report that the grammar knows, and which of them something can detect. */
import type { Ident } from "../../grammar/ast.ts";
import type { ReportKind } from "../../runtime/machine/step.ts";
import type { Scope } from "./scope.ts";

const DETECTABLE: readonly ReportKind[] = [
  "use-after-free",
  "double-free",
  "null-deref",
  "list-corruption",
  "refcount",
  "deadlock",
  "livelock",
  "lockdep",
  "warning",
  "bug",
  "stale-translation",
  "leak",
  "expectation",
];

export function bindReportKind(scope: Scope, ident: Ident): ReportKind | undefined {
  const kind = DETECTABLE.find((k) => k === ident.name);
  if (kind === undefined)
    scope.error(
      "E257",
      ident.at,
      `nothing in this version can detect \`${ident.name}\``,
      `it can detect: ${DETECTABLE.join(", ")}`,
    );
  return kind;
}
