/** What can be named at a place of a script: for completion, and for nothing that decides anything. */
import { wordHeads } from "../../grammar/parser.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";
import { constants, declarableIn } from "../../runtime/kernel.ts";
import { at, type StructClass } from "../../runtime/machine/struct.ts";
import { builtinNames } from "./builtins.ts";
import { membersIn } from "./members.ts";
import type { ExpressionBinder } from "./names.ts";

/** Statements, functions, objects and variables. */
export function vocabulary({ scope }: ExpressionBinder): string[] {
  return [
    ...wordHeads.keys(),
    ...["cpu0:", "cpu1:", "until", "returns", "if", "while", "return", "goto"],
    ...scope.objects.keys(),
    ...scope.shared.keys(),
    ...[...scope.allVariables()].map(({ name }) => name).filter((name) => !name.startsWith("$")),
    ...scope.callables.keys(),
    ...(scope.functions?.names() ?? []),
    ...builtinNames(),
    ...declarableIn(scope.kernel.era),
    ...Object.keys(constants),
  ];
}
/** Members of what an expression is or points to. */
export function memberNames(binder: ExpressionBinder, expression: string): string[] {
  const source = new SourceText("expression", expression);
  const [statement] = parse(source).script.statements;
  if (statement?.kind !== "expression") return [];
  const { scope } = binder;
  const before = scope.diagnostics.length;
  const bound = scope.within(source, "", () => binder.bind(statement.expr));
  scope.diagnostics.length = before;
  const cls: StructClass | undefined = bound?.type.kind === "object" ? bound.type.cls : undefined;
  return cls === undefined ? [] : membersIn(at(cls, 0), scope.kernel.era, scope.kernel.patches).map(([name]) => name);
}
