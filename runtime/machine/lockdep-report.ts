/** What is said when a lock is taken where or in an order in which it must not be, and when somebody sleeps. */
import type { Context } from "./held.ts";
import type { Dependency, LockClass } from "./lockdep-order.ts";

/** Said of lock orders that come back to where they began; behind the colon are the classes. */
export const CIRCULAR = "possible circular locking dependency detected";
export const RECURSIVE = "possible recursive locking detected";
/** The title that sleepers get; behind it stands the file. */
export const SLEEPING = "sleeping function called from invalid context";
const IN_RCU_SECTION = "Illegal context switch in RCU read-side critical section";

export interface Told {
  readonly kind: "lockdep" | "sleep-in-atomic" | "rcu";
  readonly message: string;
}

/** "a --> b --> a": the new dependency first. */
export function circleText({ held, taken, circle }: Dependency): string {
  const classes: LockClass[] = [held, taken, ...(circle ?? []).map((dependency) => dependency.taken)];
  return classes.map(({ name }) => name).join(" --> ");
}
export function orderMessage(dependency: Dependency): string {
  if (dependency.held === dependency.taken) return `${RECURSIVE}: ${dependency.taken.name}`;
  return `${CIRCULAR}: ${circleText(dependency)}`;
}

/** `illegal`: what RCU calls it that somebody does this in its read section. */
export function sleepMessages(context: Context, file: string, illegal = IN_RCU_SECTION): Told[] {
  const { preempt, irqs, nonBlock, rcu } = context;
  const counts = [
    `in_atomic(): ${preempt + rcu > 0 ? 1 : 0}`,
    `irqs_disabled(): ${irqs > 0 ? 1 : 0}`,
    `non_block: ${nonBlock}`,
  ];
  return [
    ...(rcu > 0 ? [{ kind: "rcu", message: illegal } as const] : []),
    { kind: "sleep-in-atomic", message: `${SLEEPING} at ${file}: ${counts.join(", ")}` },
  ];
}
