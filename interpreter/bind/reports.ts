/** Kinds of report, and which of them something can detect. */
import type { Ident } from "../../grammar/ast.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { ReportKind } from "../../runtime/machine/step.ts";
import type { Scope } from "./scope.ts";

/** Every kind of the language; those that nothing in this version can find are false. */
const KINDS: Readonly<Record<string, boolean>> = {
  "use-after-free": true,
  "double-free": true,
  "null-deref": true,
  "list-corruption": true,
  refcount: true,
  deadlock: true,
  livelock: true,
  lockdep: true,
  warning: true,
  bug: true,
  leak: true,
  expectation: true,
  "data-race": false,
  "sleep-in-atomic": false,
  rcu: false,
  "stale-translation": false,
};

export function bindReportKind(scope: Scope, ident: Ident): ReportKind | undefined {
  const detectable = KINDS[ident.name];
  if (detectable === true) return ident.name as ReportKind;
  if (detectable === false) {
    scope.error(
      "E207",
      ident.at,
      `nothing in this version can detect \`${ident.name}\``,
      `it can detect: ${Object.keys(KINDS)
        .filter((kind) => KINDS[kind])
        .join(", ")}`,
    );
    return undefined;
  }
  const meant = nearest(ident.name, Object.keys(KINDS));
  const help = meant === undefined ? `kinds are: ${Object.keys(KINDS).join(", ")}` : `did you mean \`${meant}\`?`;
  scope.error("E203", ident.at, `no kind of report is called \`${ident.name}\``, help);
  return undefined;
}
