/** Which of the mistakes that were found are told, and in which order. */
import { sortByPlace, type Diagnostic } from "../../grammar/diagnostic.ts";
import type { SourceText } from "../../grammar/span.ts";

/** What is assigned or defined in a text that could not be read as a whole: whoever uses it makes no mistake. */
export function namesLost(diagnostics: readonly Diagnostic[]): string[] {
  const texts = new Set(diagnostics.filter((d) => d.severity === "error").map((d) => d.source.text));
  return [...texts].flatMap((text) =>
    [...text.matchAll(/([A-Za-z_]\w*)\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)|\bfn\s+(\w+)/g)].map(([, x, f]) => x ?? f ?? ""),
  );
}

/** Codes of what the text alone can tell. */
const isGrammars = ({ code, severity }: Diagnostic): boolean => severity === "error" && /^E(1|20|21[01])/.test(code);

/**
 * The script's own first, by place. Each once, for a mistake in what several CPUs run is met by each of them; and
 * where the grammar has refused something, what else is said about the same word follows from that.
 */
export function tidy(diagnostics: readonly Diagnostic[], main: SourceText): Diagnostic[] {
  const taken = new Map<string, Diagnostic>();
  const kept = diagnostics.filter((d) => {
    const key = `${d.source.name}:${d.at.start}`;
    const first = taken.get(key);
    if (first === undefined) taken.set(key, d);
    return first === undefined || (!isGrammars(first) && first.code !== d.code);
  });
  const ofMain = kept.filter((d) => d.source === main);
  return sortByPlace([...ofMain, ...kept.filter((d) => d.source !== main)]);
}
