/** What to say about a name that cannot be called: what it may have been meant to be, and in which kernel it exists. */
import type { Argument } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable } from "../../runtime/callable.ts";
import { allFunctions } from "../../runtime/machine/function.ts";
import { builtinNames } from "./builtins.ts";
import type { ExpressionBinder } from "./names.ts";

interface Younger {
  readonly since: string;
  readonly before: string;
}
/** Names that kernel developers know from kernels younger than those of the model, and what stood there before. */
const YOUNGER: Readonly<Record<string, Younger>> = {
  mmap_read_lock: { since: "v5.8", before: "`down_read mm.mmap_sem`" },
  mmap_read_trylock: { since: "v5.8", before: "`down_read_trylock mm.mmap_sem`" },
  mmap_read_unlock: { since: "v5.8", before: "`up_read mm.mmap_sem`" },
  mmap_write_downgrade: { since: "v5.8", before: "`downgrade_write mm.mmap_sem`" },
  mmap_write_lock: { since: "v5.8", before: "`down_write mm.mmap_sem`" },
  mmap_write_trylock: { since: "v5.8", before: "`down_write_trylock mm.mmap_sem`" },
  mmap_write_unlock: { since: "v5.8", before: "`up_write mm.mmap_sem`" },
  mmu_interval_notifier: { since: "v5.5", before: "`hmm_mirror` or `mmu_notifier`" },
  mmu_interval_notifier_insert: { since: "v5.5", before: "`hmm_mirror_register` or `mmu_notifier_register`" },
  mmu_interval_notifier_remove: { since: "v5.5", before: "`hmm_mirror_unregister` or `mmu_notifier_unregister`" },
  mmu_interval_read_begin: { since: "v5.5", before: "`hmm_range_register` and `hmm_range_wait_until_valid`" },
  mmu_interval_read_retry: { since: "v5.5", before: "`hmm_range_valid`" },
  mmu_interval_set_seq: { since: "v5.5", before: "`range.valid`, which HMM itself sets" },
  mmu_notifier_get: { since: "v5.4", before: "`mmu_notifier_register`" },
  mmu_notifier_put: { since: "v5.4", before: "`mmu_notifier_unregister`" },
};
/** Members, likewise. */
const YOUNGER_MEMBERS: Readonly<Record<string, Younger>> = {
  mmap_lock: { since: "v5.8", before: "mmap_sem" },
  notifier_subscriptions: { since: "v5.6", before: "mmu_notifier_mm" },
};
function younger(table: Readonly<Record<string, Younger>>, name: string, kernel: string): Younger | undefined {
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  return entry !== undefined && age(kernel) < age(entry.since) ? entry : undefined;
}
/** Of "v5.2 + odp-v4": 5002. */
function age(kernel: string): number {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(kernel) ?? [];
  return Number(major ?? 0) * 1000 + Number(minor ?? 0);
}

/** "it is `mmap_sem` before v5.8" */
export function olderMember(name: string, kernel: string, members: readonly string[]): string | undefined {
  const entry = younger(YOUNGER_MEMBERS, name, kernel);
  if (entry === undefined || !members.includes(entry.before)) return undefined;
  return `it is \`${entry.before}\` before ${entry.since}`;
}

/** Functions of the kernel that scripts may well want, and this version does not model. */
const TO_COME: readonly string[] = [
  ...["dma_map_page", "dma_unmap_page", "fork", "get_user_pages", "get_user_pages_remote", "kill", "madvise"],
  ...["migrate_vma", "mprotect", "mremap", "oom_reap_task_mm", "pin_user_pages", "put_user_page", "walk_page_range"],
];

/** Whether there is anything to say about a function but that nobody knows it. */
export function existsSomewhere({ scope, kernel }: ExpressionBinder, name: string): boolean {
  if (scope.elsewhere.has(name) || TO_COME.includes(name) || younger(YOUNGER, name, kernel) !== undefined) return true;
  return allFunctions().some((fn) => fn.name === name && fn.info.internal !== true);
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
  const elsewhere = scope.elsewhere.get(name)?.[0];
  if (elsewhere !== undefined)
    return scope.error("E261", at, `\`${name}\` is not a function of ${kernel}`, whereItIs(elsewhere));
  const later = younger(YOUNGER, name, kernel);
  if (later !== undefined) {
    if (bare && args[0]?.value.kind === "name") scope.addMistaken(args[0].value.name); // it may be a declaration
    const help = `before it there is ${later.before}`;
    return scope.error("E261", at, `\`${name}\` exists since ${later.since}; this kernel is ${kernel}`, help);
  }
  if (binder.isVariable(name)) {
    const arg = args[0]?.value;
    const text = arg === undefined ? "" : scope.source.slice(arg.at);
    const help = text.startsWith("-") ? `write \`${name} - ${text.slice(1)}\`` : undefined;
    return scope.error("E214", at, `\`${name}\` is a variable, not a function`, help);
  }
  if (bare && unknownType(binder, name, at, args)) return;
  if (allFunctions().some((fn) => fn.name === name && fn.info.internal !== true)) {
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

function whereItIs(entry: Callable): string {
  const parts = [];
  if (entry.patch !== undefined) parts.push(`it comes with \`+ ${entry.patch}\``);
  if (entry.since !== undefined) parts.push(`it exists since ${entry.since}`);
  if (entry.until !== undefined) parts.push(`it is gone in ${entry.until}`);
  return parts.join(", ");
}
