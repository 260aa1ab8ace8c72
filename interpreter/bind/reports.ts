/** Kinds of report that a script can name, and what it can ask to be looked for. */
import type { Ident } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { ReportKind } from "../../runtime/machine/step.ts";
import type { Scope } from "./scope.ts";

const KINDS: readonly ReportKind[] = [
  "use-after-free",
  "double-free",
  "null-deref",
  "list-corruption",
  "refcount",
  "deadlock",
  "livelock",
  "lockdep",
  "data-race",
  "sleep-in-atomic",
  "rcu",
  "warning",
  "bug",
  "stale-translation",
  "leak",
  "expectation",
];

export function bindReportKind(scope: Scope, ident: Ident): ReportKind | undefined {
  const kind = KINDS.find((k) => k === ident.name);
  if (kind === undefined) {
    const meant = nearest(ident.name, KINDS);
    const help = meant === undefined ? `there are: ${KINDS.join(", ")}` : `did you mean \`${meant}\`?`;
    scope.error("E257", ident.at, `\`${ident.name}\` is no kind of report`, help);
  }
  return kind;
}

/** Of all others it is true that they are always looked for. */
const ALWAYS_ON: readonly string[] = ["kasan", "lockdep"];
/** Whether it is KCSAN that is asked for: data races are looked for only then. */
export function bindSanitizer(scope: Scope, name: string, at: Span): boolean {
  const known = ["kcsan", ...ALWAYS_ON];
  if (!known.includes(name)) {
    const help = `there are: ${known.join(", ")}; all but kcsan are always on`;
    scope.error("E263", at, `\`${name}\` is no sanitizer that is known here`, help);
  }
  return name === "kcsan";
}
