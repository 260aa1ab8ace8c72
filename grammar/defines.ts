/** `#define GPU_PAGES 4`: of the preprocessor's lines the ones that say something which can be said without it. */
import type { Statement } from "./ast.ts";
import type { Span } from "./span.ts";

/** A name, and a value that is no macro's: numbers, names of constants, operators. */
const CONSTANT = /^#define([ \t]+)([A-Za-z_]\w*)([ \t]+)([-+~(\w][-+~()\w\s*/|&<>]*?)(?:[ \t]*(?:\/\*.*|\/\/.*))?$/;

/**
 * The same as an `enum` with one constant, in a text of nothing but that, in which everything stands where it stood.
 * Undefined if the line is no such definition.
 */
export function asEnum(text: string, line: Span): string | undefined {
  const [, before, name, between, value] = CONSTANT.exec(text.slice(line.start, line.end)) ?? [];
  if (before === undefined || name === undefined || between === undefined || value === undefined) return undefined;
  const head = `enum {`.padEnd("#define".length) + before;
  return `${" ".repeat(line.start)}${head}${name}${"=".padEnd(between.length)}${value.trimEnd()}}`;
}

/** The constants among the statements of a file, in front of the first that stands behind them. */
export function merged(statements: readonly Statement[], defines: readonly Statement[]): readonly Statement[] {
  if (defines.length === 0) return statements;
  return [...defines, ...statements].sort((a, b) => a.at.start - b.at.start);
}
