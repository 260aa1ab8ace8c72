/** A mistake of the script that shows only when it runs: told like any other, with its place, and exit code 2. */
import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { SourceText, Span } from "../grammar/span.ts";

export class ScriptError extends Error {
  override readonly name = "ScriptError";
  readonly code: string;
  readonly at: Span;
  readonly help: string | undefined;
  private source: SourceText | undefined;
  constructor(code: string, at: Span, message: string, help?: string) {
    super(message);
    this.code = code;
    this.at = at;
    this.help = help;
  }
  /** Says which file it is in; who knows first knows best. */
  in(source: SourceText): this {
    this.source ??= source;
    return this;
  }
  /** `script`: the file it is in if nobody has said otherwise. */
  diagnostic(script: SourceText): Diagnostic {
    const { code, at, message, help } = this;
    const source = this.source ?? script;
    return { code, severity: "error", source, at, message, ...(help === undefined ? {} : { help }) };
  }
}
