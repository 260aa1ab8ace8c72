/** A mistake of the script that shows only when it runs: told like any other, with its place, and exit code 2. */
import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { SourceText, Span } from "../grammar/span.ts";

export class ScriptError extends Error {
  override readonly name = "ScriptError";
  readonly code: string;
  readonly at: Span;
  readonly help: string | undefined;
  constructor(code: string, at: Span, message: string, help?: string) {
    super(message);
    this.code = code;
    this.at = at;
    this.help = help;
  }
  diagnostic(source: SourceText): Diagnostic {
    const { code, at, message, help } = this;
    return { code, severity: "error", source, at, message, ...(help === undefined ? {} : { help }) };
  }
}
