/** What to say about a name that cannot be called: what it may have been meant to be, and in which kernel it exists. */
import type { Argument } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable } from "../../runtime/callable.ts";
import { patches } from "../../runtime/kernel.ts";
import { existsIn, functionIn, type Era } from "../../runtime/patch.ts";
import { builtinNames } from "./builtins.ts";
import { isOfAnotherKernel, ofAnotherKernel } from "./eras.ts";
import type { ExpressionBinder } from "./names.ts";

/** Functions of the kernel that scripts may well want, and this version does not model. */
const TO_COME: readonly string[] = [
  ...["dma_map_page", "dma_unmap_page", "get_user_pages", "get_user_pages_remote"],
  ...["pin_user_pages", "put_user_page"],
];

/** Whether there is anything to say about a function but that nobody knows it. */
export function existsSomewhere({ scope }: ExpressionBinder, name: string): boolean {
  if (scope.elsewhere.has(name) || TO_COME.includes(name) || isOfAnotherKernel(scope, name)) return true;
  return functionIn(name, scope.kernel.era) !== undefined;
}

export function unknownFunction(
  binder: ExpressionBinder,
  name: string,
  at: Span,
  args: readonly Argument[],
  bare: boolean,
): void {
  const { scope, kernel } = binder;
  if (scope.isMistaken(name)) {
    if (bare && args[0]?.value.kind === "name") scope.addMistaken(args[0].value.name); // its type was refused
    return;
  }
  if (ofAnotherKernel(scope, name, at)) {
    if (bare && args[0]?.value.kind === "name") scope.addMistaken(args[0].value.name); // it may be a declaration
    return;
  }
  const elsewhere = scope.elsewhere.get(name)?.[0];
  if (elsewhere !== undefined)
    return scope.error(
      "E261",
      at,
      `\`${name}\` is not a function of ${kernel}`,
      whereItIs(elsewhere, scope.kernel.era),
    );
  if (binder.isVariable(name)) {
    const arg = args[0]?.value;
    const text = arg === undefined ? "" : scope.source.slice(arg.at);
    const help = text.startsWith("-") ? `write \`${name} - ${text.slice(1)}\`` : undefined;
    return scope.error("E214", at, `\`${name}\` is a variable, not a function`, help);
  }
  if (bare && unknownType(binder, name, at, args)) return;
  if (functionIn(name, scope.kernel.era) !== undefined) {
    const help = `\`until ${name}\` can stop a CPU in it`;
    return scope.error("E262", at, `\`${name}\` is inside the modelled kernel: a script cannot call it`, help);
  }
  if (TO_COME.includes(name)) return scope.error("E290", at, `this version does not model \`${name}\` yet`);
  const meant = nearest(name, [...scope.callables.keys(), ...builtinNames(), ...(scope.functions?.names() ?? [])]);
  const help = meant === undefined ? undefined : `did you mean \`${meant}\`?`;
  scope.error("E260", at, `this version models no function \`${name}\` of ${kernel}`, help);
}

/** `mutx gpu_lock` reads like a call, but it is a declaration if the second word is new. */
function unknownType({ scope }: ExpressionBinder, name: string, at: Span, args: readonly Argument[]): boolean {
  const [object] = args;
  if (args.length !== 1 || object?.value.kind !== "name") return false;
  const types = scope.structs.names();
  const meant = nearest(name, types);
  if (meant === undefined || scope.objects.has(object.value.name)) return false;
  if (nearest(name, [meant, ...scope.callables.keys()]) !== meant) return false;
  scope.error("E255", at, `no kernel object is called \`${name}\` in this version`, `did you mean \`${meant}\`?`);
  scope.addMistaken(object.value.name);
  return true;
}

function whereItIs(entry: Callable, era: Era): string {
  const parts = [];
  const patch = patches.find(({ name }) => name === entry.patch);
  const on = patch === undefined || patch.eras.includes(era) ? "" : `${patch.eras.join(", ")} `;
  if (patch !== undefined) parts.push(`it comes with \`${on}+ ${patch.name}\``);
  const { since, until } = entry;
  if (typeof since === "string" && !existsIn({ since }, era)) parts.push(`it exists since ${since}`);
  else if (until !== undefined && !existsIn({ until }, era) && patch === undefined) parts.push(`gone since ${until}`);
  return parts.join(", ");
}
