/** Memory that is live at the end and that nobody can reach: no word, no variable, no actor, no registered callback. */
import type { Machine } from "../runtime/machine/machine.ts";
import { headerAddress } from "../runtime/machine/struct.ts";
import { arenaOf } from "../runtime/machine/types.ts";

const isObject = (word: number): boolean => word >= 2 ** 52;

/** Header addresses of leaked objects, first allocated first. */
export function leakedObjects(machine: Machine): number[] {
  const { memory } = machine;
  const live = [...memory.objects()].filter((base) => memory.peek(base) > 0);
  const isStatic = (base: number): boolean => base < arenaOf(0);
  const reached = new Set<number>(live.filter(isStatic));
  for (const base of live) if (machine.isRemembered(base)) reached.add(base);
  const queue = [...reached];
  for (let base = queue.pop(); base !== undefined; base = queue.pop()) {
    for (const word of memory.wordsOfObject(base)) {
      const value = memory.words[word] as number;
      const target = isObject(value) ? headerAddress(value) : 0;
      if (target === 0 || reached.has(target) || memory.peek(target) <= 0) continue;
      reached.add(target);
      queue.push(target);
    }
  }
  return live.filter((base) => !reached.has(base)).sort((a, b) => a - b);
}

/** Files a leak report for every object nobody can reach. */
export function reportLeaks(machine: Machine): void {
  for (const base of leakedObjects(machine)) {
    const type = machine.typeAt(base);
    machine.complain("leak", `unreferenced object: struct ${type?.name ?? "?"}`, -1, base);
  }
}
