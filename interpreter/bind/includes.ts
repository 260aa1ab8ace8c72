/** `include "lib/gpu.hmm"`: the statements of another file in the place of the line, each file once. */
import type { Script, Statement } from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText, type Span } from "../../grammar/span.ts";

/**
 * Reads a file named relative to the script that includes it. Gives its text and the name it goes by, or says why not.
 */
export type ReadFile = (path: string, from: string) => { name: string; text: string } | { error: string };

export interface PlacedStatement {
  readonly statement: Statement;
  /** The file it stands in. */
  readonly from: SourceText;
  /** What its names begin with: "gpu." in a file that is included as gpu. */
  readonly prefix: string;
}

export function expandIncludes(script: Script, readFile: ReadFile | undefined, out: Diagnostic[]): PlacedStatement[] {
  return new Includer(readFile, out).expand(script, [script.source.name], "");
}

class Includer {
  private readonly readFile: ReadFile | undefined;
  private readonly out: Diagnostic[];
  private readonly done = new Set<string>();

  constructor(readFile: ReadFile | undefined, out: Diagnostic[]) {
    this.readFile = readFile;
    this.out = out;
  }

  expand(script: Script, chain: readonly string[], prefix: string): PlacedStatement[] {
    const placed: PlacedStatement[] = [];
    for (const statement of script.statements) {
      if (statement.kind === "include") placed.push(...this.include(statement, script.source, chain, prefix));
      else placed.push({ statement, from: script.source, prefix });
    }
    return placed;
  }

  private include(
    statement: Extract<Statement, { kind: "include" }>,
    from: SourceText,
    chain: readonly string[],
    outer: string,
  ): PlacedStatement[] {
    const { path } = statement;
    const prefix = statement.as === undefined ? outer : `${outer}${statement.as.name}.`;
    if (this.readFile === undefined) {
      this.error("E258", path.at, from, "there is no folder here to include from", "put the script in a file");
      return [];
    }
    const file = this.readFile(path.value, from.name);
    if ("error" in file) {
      this.error("E258", path.at, from, `cannot include \`${path.value}\`: ${file.error}`);
      return [];
    }
    if (chain.includes(file.name)) {
      this.error("E259", path.at, from, `\`${path.value}\` includes itself`, [...chain, file.name].join(" -> "));
      return [];
    }
    // Once under each prefix: under two names it is there twice.
    const key = `${prefix} ${file.name}`;
    if (this.done.has(key)) return [];
    this.done.add(key);
    const parsed = parse(new SourceText(file.name, file.text));
    this.out.push(...parsed.diagnostics);
    return this.expand(parsed.script, [...chain, file.name], prefix);
  }
  private error(code: string, at: Span, source: SourceText, message: string, help?: string): void {
    this.out.push({ code, severity: "error", source, at, message, ...(help === undefined ? {} : { help }) });
  }
}
