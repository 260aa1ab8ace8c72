/** What a script expects, and where it stops a CPU. */
import type { Expect, Expr, Statement, Until as UntilClause } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import { callables } from "../../runtime/kernel.ts";
import { allFunctions } from "../../runtime/machine/function.ts";
import { existsIn } from "../../runtime/patch.ts";
import type { ReportKind } from "../../runtime/machine/step.ts";
import { showWords } from "../show.ts";
import type { Expectation, Invariant, Until } from "../program.ts";
import { ofAnotherKernel } from "./eras.ts";
import { addressAt, look, truth } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { typeText } from "./types.ts";

/** `binder`: one that belongs to no CPU. */
export function bindExpectation(
  binder: ExpressionBinder,
  { what, sometimes }: Expect,
  knownCpus: (numbers: readonly number[], at: Span) => readonly number[],
): Expectation | undefined {
  const { scope } = binder;
  switch (what.kind) {
    case "condition": {
      const holds = condition(binder, what.test);
      return holds === undefined ? undefined : { kind: "condition", sometimes, holds };
    }
    case "report":
    case "none": {
      const report = what.report?.name as ReportKind | undefined; // the parser knows them all
      if (what.in !== undefined) mustBeFunction(binder, what.in.name, what.in.at);
      return { kind: what.kind, report, in: what.in?.name };
    }
    case "blocked": {
      const [cpu] = knownCpus([what.cpu.number], what.cpu.at);
      if (cpu === undefined) return undefined;
      if (what.on === undefined) return { kind: "blocked", cpu, lock: undefined };
      const lock = binder.bind(what.on);
      if (lock === undefined) return undefined;
      if (!["mutex", "spinlock", "object"].includes(lock.type.kind)) {
        const text = scope.source.slice(what.on.at);
        scope.error("E317", what.on.at, `nobody waits for \`${text}\`: it is ${typeText(lock.type)}`);
        return undefined;
      }
      return { kind: "blocked", cpu, lock: (machine) => addressAt(lock, machine) };
    }
  }
}
function condition(
  binder: ExpressionBinder,
  test: Expr,
): ((machine: { peek(addr: number): number }) => boolean) | undefined {
  const bound = binder.bindValue(test);
  if (bound === undefined) return undefined;
  return (machine) => truth(look(bound, machine));
}
export function bindInvariant(
  binder: ExpressionBinder,
  statement: Extract<Statement, { kind: "invariant" }>,
): Invariant | undefined {
  const holds = condition(binder, statement.test);
  if (holds === undefined) return undefined;
  return {
    text: binder.scope.source.slice(statement.at).trim(),
    holds: statement.when === "never" ? (machine) => !holds(machine) : holds,
    at: statement.at,
  };
}

export function bindUntil(binder: ExpressionBinder, { what, returns, count, at }: UntilClause): Until {
  const { scope } = binder;
  switch (what.kind) {
    case "function":
      mustBeFunction(binder, what.name.name, what.name.at);
      return { place: { kind: "function", name: what.name.name, returns }, count };
    case "text":
      return { place: { kind: "text", text: what.text }, count };
    case "blocked":
      return { place: { kind: "blocked" }, count };
    case "steps":
      return { place: { kind: "steps" }, count: what.count };
    case "label": {
      const { functions } = scope;
      const { name } = what.function;
      const label = what.label.name;
      const full = `${name}.${label}`;
      const definition = functions?.find(name);
      // `g.fault` may be a function of a file that is included as g.
      if (functions?.find(full) !== undefined) return { place: { kind: "function", name: full, returns }, count };
      if (definition === undefined || functions === undefined) {
        const meant = nearest(name, functions?.names() ?? []);
        const help = meant === undefined ? undefined : `did you mean \`${meant}\`?`;
        scope.error("E212", what.function.at, `this script has no function \`${name}\``, help);
      } else if (![...functions.instancesOf(definition)].some((instance) => instance.labels.has(label))) {
        const meant = functions.suggestLabel(definition, label);
        const help = meant === undefined ? undefined : `did you mean \`${meant}\`?`;
        scope.error("E230", at, `no label \`${label}\` in \`${name}\``, help);
      }
      const places = () =>
        definition === undefined || functions === undefined
          ? []
          : [...functions.instancesOf(definition)].flatMap(({ id, labels }) => {
              const pc = labels.get(label);
              return pc === undefined ? [] : [{ fn: id, pc }];
            });
      return { place: { kind: "label", places }, count };
    }
  }
}
/** Of the kernel, or of the script. */
function mustBeFunction({ scope }: ExpressionBinder, name: string, at: Span): void {
  if (scope.functions?.find(name) !== undefined || scope.callbackNames.has(name)) return;
  const here = allFunctions().filter((fn) => existsIn(fn.info, scope.kernel.era));
  const names = here.filter((fn) => fn.info.internal !== true).map((fn) => fn.name);
  if (names.includes(name)) return;
  if (ofAnotherKernel(scope, name, at) || here.some((fn) => fn.name === name)) return;
  const meant = nearest(name, [...names, ...(scope.functions?.names() ?? []), ...scope.callbackNames]);
  const runs = callables.find((entry) => entry.name === name)?.run.name;
  const help =
    runs !== undefined && names.includes(runs)
      ? `as a statement it runs \`${runs}\``
      : meant === undefined
        ? undefined
        : `did you mean \`${meant}\`?`;
  scope.error("E212", at, `the modelled kernel has no function \`${name}\``, help);
}

export function checkShow(binder: ExpressionBinder, statement: Extract<Statement, { kind: "show" }>): void {
  const known = showWords();
  for (const { what } of statement.items) {
    if (known.includes(what.name)) continue;
    const meant = nearest(what.name, known);
    const help = meant === undefined ? `it can show: ${known.join(", ")}` : `did you mean \`${meant}\`?`;
    binder.scope.error("E232", what.at, `\`show\` knows nothing called \`${what.name}\``, help);
  }
}
