/** What a script can ask to be looked for. */
import type { Span } from "../../grammar/span.ts";
import type { Scope } from "./scope.ts";

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
