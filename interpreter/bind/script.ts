/** A whole script: from its text to a program for every kernel that it names, or to every mistake in it. */
import type { Statement } from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import type { SourceText } from "../../grammar/span.ts";
import type { Program } from "../program.ts";
import { ScriptBinder } from "./binder.ts";
import { expandIncludes, type PlacedStatement, type ReadFile } from "./includes.ts";
import { chooseKernel, resolveKernel, type ChosenKernel } from "./kernels.ts";
import { ownPatches, type OwnPatch } from "./patches.ts";
import { namesLost, tidy } from "./tidy.ts";

export interface BindOptions {
  /** Overrides the script's own kernel line: "v5.2 + odp-v4". */
  readonly kernel?: string;
  /** Reads a file that a script includes; undefined if there is none, or none that may be read. */
  readonly readFile?: ReadFile;
}

export interface BoundScript {
  /** One for every kernel of a `for kernel`, one without it; none if there is any error. */
  readonly programs: readonly Program[];
  readonly diagnostics: readonly Diagnostic[];
}

export function bindScript(source: SourceText, options: BindOptions = {}): BoundScript {
  const parsed = parse(source);
  const diagnostics: Diagnostic[] = [...parsed.diagnostics];
  const statements = expandIncludes(parsed.script, options.readFile, diagnostics);
  const lost = namesLost(diagnostics);
  const patches = ownPatches(statements, diagnostics);
  const programs: Program[] = [];
  const variants = variantsOf(statements, patches, source, options.kernel, diagnostics);
  if (options.kernel === undefined) warnOfUnused(patches, variants, source, diagnostics);
  for (const variant of variants) {
    const binder = new ScriptBinder(source, variant.kernel);
    for (const name of lost) binder.scope.addMistaken(name);
    binder.scope.isIncomplete = diagnostics.some((d) => d.severity === "error");
    binder.bind(variant.statements);
    diagnostics.push(...binder.scope.diagnostics);
    if (!diagnostics.some((d) => d.severity === "error")) programs.push(binder.program());
  }
  const failed = diagnostics.some((d) => d.severity === "error");
  return { programs: failed ? [] : programs, diagnostics: tidy(diagnostics, source) };
}

/** Whoever writes a patch means to test it. What is included may have patches for others. */
function warnOfUnused(
  patches: readonly OwnPatch[],
  variants: readonly Variant[],
  script: SourceText,
  out: Diagnostic[],
): void {
  for (const patch of patches) {
    const { name, source, statement } = patch;
    if (source !== script || variants.some(({ kernel }) => kernel.patches.includes(patch))) continue;
    const message = `no kernel of this script has \`${name}\`: it changes nothing`;
    const help = `\`kernel v5.2 + ${name}\``;
    out.push({ code: "E243", severity: "warning", source, at: statement.name.at, message, help });
  }
}

interface Variant {
  readonly kernel: ChosenKernel;
  readonly statements: readonly PlacedStatement[];
}
type ForKernel = Extract<Statement, { kind: "forKernel" }>;

/** The script once for each kernel of each `for kernel`: what stands outside of these, and that one body. */
function variantsOf(
  statements: readonly PlacedStatement[],
  patches: readonly OwnPatch[],
  source: SourceText,
  override: string | undefined,
  out: Diagnostic[],
): Variant[] {
  const blocks = statements.filter((placed) => placed.statement.kind === "forKernel");
  if (blocks.length === 0) {
    const kernel = chooseKernel(statements, override, source, patches, out);
    return kernel === undefined ? [] : [{ kernel, statements }];
  }
  const line = statements.find(({ statement }) => statement.kind === "kernel");
  if (line !== undefined) {
    const help = "leave this line out: the kernels stand at the `for`";
    out.push({
      ...{ code: "E235", severity: "error", source: line.from, at: line.statement.at },
      ...{ message: "`for kernel` names the kernels of this script", help },
    });
  }
  return blocks.flatMap((block) => {
    const statement = block.statement as ForKernel;
    const inside = statement.body.statements.map((inner): PlacedStatement => ({ ...block, statement: inner }));
    const unrolled = statements.flatMap((placed) =>
      placed === block ? inside : placed.statement.kind === "forKernel" ? [] : [placed],
    );
    const kernels =
      override === undefined
        ? statement.kernels.map((kernel) => resolveKernel(kernel, block.from, patches, out))
        : [chooseKernel([], override, source, patches, out)];
    return kernels.flatMap((kernel) => (kernel === undefined ? [] : [{ kernel, statements: unrolled }]));
  });
}
