/** What the rules about notifiers know of calls: which functions they are about, and what is kept of each. */
import type { FunctionInfo } from "../../../runtime/machine/function.ts";
import { at } from "../../../runtime/machine/struct.ts";
import type { Value } from "../../../runtime/machine/step.ts";
import { mm_struct } from "../../../runtime/mm/mm_types.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_subscriptions,
} from "../../../runtime/mm/mmu_notifier_types.ts";
import type { OracleName, Transition } from "./rule.ts";
import { isType } from "./tables.ts";

/** From one address of an mm to another. */
export interface Invalidation {
  readonly mm: number;
  readonly start: number;
  readonly end: number;
  /** The subscriptions that have counted it; 0: the mm had no interval notifiers when it began. */
  readonly counted: number;
}
export type Role = "release" | "start" | "end" | "flush" | "free" | "invalidate";
/** A call that rules are about. */
export interface Pending {
  readonly actor: number;
  /** How many calls it is inside of. */
  readonly depth: number;
  readonly kind: "start" | "end" | "enter" | "leave" | "quit" | "put" | "exit" | Role;
  readonly mm: number;
  /** The notifier; 0: none. */
  readonly object: number;
  readonly range?: Invalidation;
  /** By how much it has changed mm_count so far. */
  readonly count: number;
  /** How many it has to give back. */
  readonly owes: number;
  readonly isCallback: boolean;
  readonly isInterval: boolean;
}
export interface Member {
  readonly object: number;
  readonly mm: number;
}
export const NOBODY: Member = { object: 0, mm: 0 };
interface Registered extends Member {
  readonly isInterval: boolean;
}
export interface NotifierPast {
  readonly calls: readonly Pending[];
  /** Between the return of start and the call of end. */
  readonly ranges: readonly Invalidation[];
  readonly members: readonly Registered[];
  /** Of whom no callback may run any more. */
  readonly gone: readonly number[];
  /** In the drafts, whose unregistering waits for nobody: those in a read section that may still come upon one. */
  readonly late: readonly { readonly object: number; readonly actor: number }[];
  /** Removed, and released once the last invalidation is over. */
  readonly leaving: readonly Member[];
  /** Drivers, by their ops, that read the number of a notifier, and that set it without a lock. */
  readonly readers: readonly number[];
  readonly lockless: readonly number[];
  /** Starts that a notifier with both callbacks has been told of, and not the end. */
  readonly owed: readonly (Member & { readonly start: number; readonly end: number })[];
  /** Who has made the number of an mm odd and not dropped the lock since. */
  readonly odd: readonly { readonly subscriptions: number; readonly actor: number }[];
  /** What was wrong with the last transition. */
  readonly said: readonly { readonly oracle: OracleName; readonly message: string }[];
}
export const NO_NOTIFIERS: NotifierPast = {
  ...{ calls: [], ranges: [], members: [], gone: [], late: [], leaving: [], readers: [], lockless: [] },
  ...{ owed: [], odd: [], said: [] },
};

const START = ["mmu_notifier_invalidate_range_start", "mmu_notifier_invalidate_range_start_nonblock"];
const END = ["mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end"];
const ENTER = ["mmu_notifier_register", "__mmu_notifier_register"];
const INSERT = [
  ...["mmu_interval_notifier_insert", "mmu_interval_notifier_insert_locked", "__mmu_interval_notifier_insert"],
];
const KINDS: ReadonlyMap<string, Pending["kind"]> = new Map<string, Pending["kind"]>([
  ...START.map((name) => [name, "start"] as const),
  ...END.map((name) => [name, "end"] as const),
  ...[...ENTER, ...INSERT].map((name) => [name, "enter"] as const),
  ["mmu_notifier_unregister", "leave"],
  ["mmu_interval_notifier_remove", "leave"],
  ["mmu_notifier_unregister_no_release", "quit"],
  ["mmu_notifier_free_rcu", "quit"],
  ["mmu_notifier_put", "put"],
  ["mmu_notifier_release", "exit"],
]);
export const SET_SEQ = "mmu_interval_set_seq";
export const READ = ["mmu_interval_read_begin", "mmu_interval_read_retry", "mmu_interval_check_retry"];
export const REMOVE = "mmu_interval_notifier_remove";
/** How facts call the body of remove() that does not wait, but has release() called when it is done. */
export const ASYNCHRONOUS = "remove (v5)";

/** The subscriptions of an mm that interval notifiers can come to; 0: there are none. */
export function treeOf({ machine }: Transition, mm: number): number {
  const addr = machine.memory.peek(at(mm_struct, mm).notifier_subscriptions.addr);
  const header = addr === 0 ? 0 : machine.memory.header(addr);
  if (header <= 0 || !isType(header, mmu_notifier_subscriptions)) return 0;
  return machine.memory.peek(at(mmu_notifier_subscriptions, addr).has_itree.addr) === 0 ? 0 : addr;
}
/** Whether somebody reads of it who knows the kernel. */
export function known(t: Transition, fn: number): Pending["kind"] | undefined {
  const { automaton } = t.machine;
  return automaton.infoOf(fn).internal === true ? undefined : KINDS.get(automaton.functionName(fn));
}
/** Also of the file as a mail has it. */
export const isOfNotifiers = ({ source = "" }: FunctionInfo): boolean => /^mm\/mmu_notifier\.c\b/.test(source);
export const isNotifier = (value: Value): value is mmu_notifier | mmu_interval_notifier =>
  value instanceof mmu_notifier || value instanceof mmu_interval_notifier;

/** Which callback of the notifier `fn` is, if it is one. */
export function roleOf(t: Transition, fn: number, object: mmu_notifier | mmu_interval_notifier): Role | undefined {
  const look = (ref: { addr: number }): number => t.machine.memory.peek(ref.addr);
  if (object instanceof mmu_interval_notifier) {
    const { invalidate, release } = at(mmu_interval_notifier_ops, look(object.ops));
    return look(invalidate) === fn ? "invalidate" : look(release) === fn ? "release" : undefined;
  }
  const ops = at(mmu_notifier_ops, look(object.ops));
  const roles: readonly (readonly [Role, { addr: number }])[] = [
    ["start", ops.invalidate_range_start],
    ["end", ops.invalidate_range_end],
    ["release", ops.release],
    ["free", ops.free_notifier],
    ...[ops.invalidate_range, ops.invalidate_page, ops.change_pte, ops.invalidate_all, ops.invalidate_range_begin].map(
      (member) => ["flush", member] as const,
    ),
    ...[ops.clear_flush_young, ops.clear_young, ops.test_young].map((member) => ["flush", member] as const),
  ];
  return ops.isNull ? undefined : roles.find(([, member]) => look(member) === fn)?.[0];
}
