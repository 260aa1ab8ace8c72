/** What is wrong in a final state: everybody is done, and something is left over. */
import type { Machine } from "../runtime/machine/machine.ts";
import { reportLeaks } from "./leak.ts";

/** Files a report for every lock that is still held and for every object that nobody can reach. */
export function reportLeftovers(machine: Machine): void {
  machine.reports = [];
  for (const actor of machine.locals.keys())
    for (const { lock } of machine.locksOf(actor))
      machine.complain("lockdep", "lock held when returning to user space!", actor, lock);
  reportLeaks(machine);
}
