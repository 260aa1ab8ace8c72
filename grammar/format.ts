/** One canonical spelling of a script: comments stay, and what it means. */
import type { Diagnostic } from "./diagnostic.ts";
import { ScriptFormatter } from "./format-blocks.ts";
import { parse } from "./parse.ts";
import { SourceText } from "./span.ts";

/** A text that has been formatted, or why it cannot be. */
export type Formatted = { readonly text: string } | { readonly diagnostics: readonly Diagnostic[] };

export function format(source: SourceText): Formatted {
  const { script, diagnostics } = parse(source);
  if (areErrors(diagnostics)) return { diagnostics };
  const text = new ScriptFormatter(script).script(script);
  // Braces and parentheses that were left out may be too many when they are put in.
  const again = parse(new SourceText(`${source.name} (formatted)`, text));
  return areErrors(again.diagnostics) ? { diagnostics: again.diagnostics } : { text };
}

function areErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === "error");
}
