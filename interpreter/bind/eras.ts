/** What to say about a name of another kernel: since when it exists, and what stands there before and after. */
import type { Span } from "../../grammar/span.ts";
import { lifeOfType } from "../../runtime/kernel.ts";
import { allFunctions } from "../../runtime/machine/function.ts";
import { erasOf, erasText, existsIn } from "../../runtime/patch.ts";
import type { Scope } from "./scope.ts";

interface Younger {
  readonly since: string;
  readonly before: string;
}
/** Names that kernel developers know from younger kernels, and what stood there before. */
const YOUNGER: Readonly<Record<string, Younger>> = {
  mmap_read_lock: { since: "v5.8", before: "`down_read mm.mmap_sem`" },
  mmap_read_trylock: { since: "v5.8", before: "`down_read_trylock mm.mmap_sem`" },
  mmap_read_unlock: { since: "v5.8", before: "`up_read mm.mmap_sem`" },
  mmap_write_downgrade: { since: "v5.8", before: "`downgrade_write mm.mmap_sem`" },
  mmap_write_lock: { since: "v5.8", before: "`down_write mm.mmap_sem`" },
  mmap_write_trylock: { since: "v5.8", before: "`down_write_trylock mm.mmap_sem`" },
  mmap_write_unlock: { since: "v5.8", before: "`up_write mm.mmap_sem`" },
  mmu_interval_check_retry: { since: "v5.5", before: "`hmm_range_valid`" },
  mmu_interval_notifier: { since: "v5.5", before: "`hmm_mirror` or `mmu_notifier`" },
  mmu_interval_notifier_insert: { since: "v5.5", before: "`hmm_mirror_register` or `mmu_notifier_register`" },
  mmu_interval_notifier_insert_locked: { since: "v5.5", before: "`hmm_mirror_register` or `__mmu_notifier_register`" },
  mmu_interval_notifier_ops: { since: "v5.5", before: "`hmm_mirror_ops` or `mmu_notifier_ops`" },
  mmu_interval_notifier_remove: { since: "v5.5", before: "`hmm_mirror_unregister` or `mmu_notifier_unregister`" },
  mmu_interval_read_begin: { since: "v5.5", before: "`hmm_range_register` and `hmm_range_wait_until_valid`" },
  mmu_interval_read_retry: { since: "v5.5", before: "`hmm_range_valid`" },
  mmu_interval_set_seq: { since: "v5.5", before: "`range.valid`, which HMM itself sets" },
  mmu_notifier_get: { since: "v5.4", before: "`mmu_notifier_register`" },
  mmu_notifier_put: { since: "v5.4", before: "`mmu_notifier_unregister`" },
  mmu_notifier_synchronize: { since: "v5.4", before: "`synchronize_srcu`, of a domain of your own" },
};
/** Names that younger kernels have no more: since when, and what stands there instead. */
const GONE: Readonly<Record<string, { readonly since: string; readonly after: string }>> = {
  hmm: { since: "v5.5", after: "`mmu_interval_notifier`" },
  hmm_get_or_create: { since: "v5.4", after: "`mmu_interval_notifier_insert`" },
  hmm_mirror: { since: "v5.5", after: "`mmu_interval_notifier`" },
  hmm_mirror_mm_is_alive: { since: "v5.3", after: "`mmget_not_zero`" },
  hmm_mirror_ops: { since: "v5.5", after: "`mmu_interval_notifier_ops`" },
  hmm_mirror_register: { since: "v5.5", after: "`mmu_interval_notifier_insert`" },
  hmm_mirror_unregister: { since: "v5.5", after: "`mmu_interval_notifier_remove`" },
  hmm_put: { since: "v5.4", after: "`mmu_interval_notifier_remove`" },
  hmm_range_dma_map: { since: "v5.5", after: "`hmm_range_fault`, and the driver's own mapping" },
  hmm_range_dma_unmap: { since: "v5.5", after: "the driver's own unmapping" },
  hmm_range_register: { since: "v5.5", after: "`mmu_interval_read_begin`" },
  hmm_range_snapshot: { since: "v5.4", after: "`hmm_range_fault`, with `snapshot`" },
  hmm_range_unregister: { since: "v5.5", after: "nothing: a range that is faulted needs no registration" },
  hmm_range_valid: { since: "v5.5", after: "`mmu_interval_read_retry`" },
  hmm_range_wait_until_valid: { since: "v5.5", after: "`mmu_interval_read_begin`" },
  mm_get_hmm: { since: "v5.3", after: "`mmu_interval_notifier_insert`" },
  mmu_notifier_unregister_no_release: { since: "v5.4", after: "`mmu_notifier_put`" },
  mmu_notifier_call_srcu: { since: "v5.4", after: "`mmu_notifier_put`" },
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

const goneIn = (name: string, kernel: string): { readonly since: string; readonly after: string } | undefined => {
  const entry = Object.hasOwn(GONE, name) ? GONE[name] : undefined;
  return entry !== undefined && age(kernel) >= age(entry.since) ? entry : undefined;
};
/** Whether younger or older kernels than this one are known to have it. */
export const isOfAnotherKernel = ({ kernel }: Scope, name: string): boolean =>
  younger(YOUNGER, name, kernel.era) !== undefined ||
  goneIn(name, kernel.era) !== undefined ||
  !existsIn(lifeOfType(name), kernel.era);

/** Reports a function or type that other kernels have and this one has not; false if it is none of these. */
export function ofAnotherKernel(scope: Scope, name: string, at: Span): boolean {
  const { era, text } = scope.kernel;
  const later = younger(YOUNGER, name, era);
  if (later !== undefined) {
    const help = `before it there is ${later.before}`;
    scope.error("E261", at, `\`${name}\` exists since ${later.since}; this kernel is ${text}`, help);
    return true;
  }
  const gone = goneIn(name, era);
  if (gone !== undefined) {
    const help = `there is ${gone.after}`;
    scope.error("E261", at, `\`${name}\` is gone since ${gone.since}; this kernel is ${text}`, help);
    return true;
  }
  const bodies = allFunctions().filter((fn) => fn.name === name && fn.info.internal !== true);
  const isElsewhere = bodies.length > 0 && !bodies.some(({ info }) => existsIn(info, era));
  if (!isElsewhere && existsIn(lifeOfType(name), era)) return false;
  const eras = isElsewhere ? bodies.flatMap(({ info }) => erasOf(info)) : erasOf(lifeOfType(name));
  const what = isElsewhere ? "function" : "type";
  scope.error(
    "E261",
    at,
    `\`${name}\` is no ${what} of ${text}`,
    `kernels that have it: ${erasText([...new Set(eras)])}`,
  );
  return true;
}
