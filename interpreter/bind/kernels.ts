/** Which kernel a script runs on, and what can be called in it. */
import type { Ident, KernelName, Statement } from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText, type Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable } from "../../runtime/callable.ts";
import { callables, patches } from "../../runtime/kernel.ts";
import { DEFAULT_ERA, ERAS, existsIn, isBuiltIn, type Era, type Patch } from "../../runtime/patch.ts";
import type { PlacedStatement } from "./includes.ts";
import type { OwnPatch } from "./patches.ts";

export interface ChosenKernel {
  readonly era: Era;
  /** In the order in which they are applied. */
  readonly patches: readonly (Patch | OwnPatch)[];
  /** "v5.2 + odp-v4" */
  readonly text: string;
}

/** The command line's kernel, or the script's own, or the usual one. Undefined after an error. */
export function chooseKernel(
  statements: readonly PlacedStatement[],
  override: string | undefined,
  source: SourceText,
  own: readonly OwnPatch[],
  out: Diagnostic[],
): ChosenKernel | undefined {
  const lines = statements.filter(
    (placed): placed is PlacedStatement & { statement: Extract<Statement, { kind: "kernel" }> } =>
      placed.statement.kind === "kernel",
  );
  const here = lines.filter(({ from }) => from === source);
  for (const extra of here.slice(1))
    out.push(error("E235", extra.from, extra.statement.at, "a script names its kernel once"));
  if (override !== undefined) return chosenByOption(override, own, out);
  const line = here[0] ?? lines[0];
  if (line === undefined) return { era: DEFAULT_ERA, patches: [], text: DEFAULT_ERA };
  return resolveKernel(line.statement.kernel, line.from, own, out);
}

const KERNEL = "kernel ";

function chosenByOption(text: string, own: readonly OwnPatch[], out: Diagnostic[]): ChosenKernel | undefined {
  const source = new SourceText("--kernel", `${KERNEL}${text}`);
  const { script, diagnostics } = parse(source);
  const [statement] = script.statements;
  out.push(...diagnostics);
  if (diagnostics.length > 0) return undefined;
  if (statement?.kind !== "kernel" || script.statements.length > 1) {
    const help = "a kernel is an era and perhaps patches: `v5.2 + odp-v4`";
    out.push(error("E133", source, { start: KERNEL.length, end: source.text.length }, "this names no kernel", help));
    return undefined;
  }
  return resolveKernel(statement.kernel, source, own, out);
}

export function resolveKernel(
  kernel: KernelName,
  from: SourceText,
  own: readonly OwnPatch[],
  out: Diagnostic[],
): ChosenKernel | undefined {
  const [first, ...rest] = kernel.parts;
  if (first === undefined) return undefined;
  if (!(ERAS as readonly string[]).includes(first.name)) {
    const meant = nearest(first.name, ERAS);
    const patch = patches.find((p) => p.name === first.name);
    const help =
      patch !== undefined
        ? `that is a patch; the kernel under it comes first: \`kernel ${patch.eras.at(-1)} + ${first.name}\``
        : meant === undefined
          ? `there are: ${ERAS.join(", ")}`
          : `did you mean \`${meant}\`?`;
    out.push(error("E213", from, first.at, `no kernel is called \`${first.name}\` in this version`, help));
    return undefined;
  }
  const era = first.name as Era;
  const chosen: (Patch | OwnPatch)[] = [];
  for (const [i, part] of rest.entries()) {
    const mine = own.find(({ name }) => name === part.name);
    if (mine !== undefined && !chosen.includes(mine)) {
      chosen.push(mine);
      continue;
    }
    const patch = patchCalled(part, own, from, out);
    if (patch === undefined) return undefined;
    if (rest.findIndex(({ name }) => name === part.name) < i) {
      out.push(error("E235", from, part.at, `\`${part.name}\` stands twice`));
      continue;
    }
    if (!patch.eras.includes(era))
      out.push(
        error("E215", from, part.at, `\`${patch.name}\` is a patch for ${patch.eras.join(", ")}, not for ${era}`),
      );
    const missing = missingBefore(patch, chosen, era);
    if (missing.length > 0) {
      const ready = [...chosen, ...missing, patch];
      const others = rest.map(({ name }) => name).filter((name) => !ready.some((p) => p.name === name));
      const help = `write \`kernel ${[era, ...ready.map((p) => p.name), ...others].join(" + ")}\``;
      const needed = missing.map((p) => `\`${p.name}\``).join(", ");
      out.push(error("E238", from, part.at, `\`${patch.name}\` needs ${needed} before it`, help));
    }
    chosen.push(...missing, patch);
  }
  return { era, patches: chosen, text: [era, ...chosen.map((p) => p.name)].join(" + ") };
}
/** The patch, or after an error the one that was probably meant: the rest of the script is looked at with it. */
function patchCalled(
  { name, at }: Ident,
  own: readonly OwnPatch[],
  from: SourceText,
  out: Diagnostic[],
): Patch | undefined {
  const known = patches.find((p) => p.name === name);
  if (known !== undefined) return known;
  const names = [...own, ...patches].map((p) => p.name);
  const meant = nearest(name, names);
  const help = meant === undefined ? `patches are: ${names.join(", ")}` : `did you mean \`${meant}\`?`;
  out.push(error("E215", from, at, `no patch is called \`${name}\` in this version`, help));
  return patches.find((p) => p.name === meant);
}
/** What a patch stands on and the line does not have, in the order in which it is to be applied. */
function missingBefore(patch: Patch, chosen: readonly (Patch | OwnPatch)[], era: Era): Patch[] {
  const missing: Patch[] = [];
  for (const need of patch.needs) {
    const needed = patches.find((p) => p.name === need);
    if (needed === undefined || isBuiltIn(needed, era) || [...chosen, ...missing].includes(needed)) continue;
    missing.push(...missingBefore(needed, [...chosen, ...missing], era), needed);
  }
  return missing;
}
function error(code: string, source: SourceText, at: Span, message: string, help?: string): Diagnostic {
  return { code, severity: "error", source, at, message, ...(help === undefined ? {} : { help }) };
}

/** What can be called in a kernel, and what only in others. */
export function tablesOf(kernel: ChosenKernel): {
  here: ReadonlyMap<string, readonly Callable[]>;
  elsewhere: ReadonlyMap<string, readonly Callable[]>;
} {
  const here = new Map<string, Callable[]>();
  const elsewhere = new Map<string, Callable[]>();
  for (const entry of callables) {
    const exists =
      existsIn(entry, kernel.era) && (entry.patch === undefined || kernel.patches.some((p) => p.name === entry.patch));
    const table = exists ? here : elsewhere;
    table.set(entry.name, [...(table.get(entry.name) ?? []), entry]);
  }
  return { here, elsewhere };
}
