/** What is wrong in a final state: everybody is done, and something is left over. */
import { holdingText, isContext } from "../runtime/machine/held.ts";
import type { Machine } from "../runtime/machine/machine.ts";
import { reportLeaks } from "./leak.ts";

/** Files a report for every lock that is still held and for every object that nobody can reach. */
export function reportLeftovers(machine: Machine): void {
  machine.reports = [];
  for (const actor of machine.locals.keys())
    for (const holding of machine.locksOf(actor))
      if (isContext(holding.mode))
        machine.complain("sleep-in-atomic", `scheduling while atomic: ${holdingText(holding, machine)}`, actor);
      else machine.complain("lockdep", "lock held when returning to user space!", actor, holding.lock);
  reportLeaks(machine);
}
