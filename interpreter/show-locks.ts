/** Which locks are held or waited for: by whom, in which mode, and in which order a CPU took them. */
import { Op, HoldMode } from "../runtime/machine/step.ts";
import { holdingText } from "../runtime/machine/held.ts";
import type { Machine } from "../runtime/machine/machine.ts";
import { waiters } from "../runtime/machine/rwsem.ts";
import { memberText, WORD } from "../runtime/machine/struct.ts";
import { ACTORS, actorName } from "./actors.ts";

interface LockUse {
  readonly name: string;
  readonly holders: string[];
  readonly waiting: string[];
}

/** `mm->mmap_sem: read, cpu0, cpu1 #2  waiting: cpu2 (write)`; `#2`: the second of those that the CPU holds. */
export function lockLines(machine: Machine): string[] {
  const locks = new Map<number, LockUse>();
  const use = (lock: number, name: string): LockUse => {
    let found = locks.get(lock);
    if (found === undefined) locks.set(lock, (found = { name, holders: [], waiting: [] }));
    return found;
  };
  for (let actor = 0; actor < ACTORS; actor++) {
    const held = machine.locksOf(actor);
    for (const [i, holding] of held.entries()) {
      const order = held.length > 1 ? ` #${i + 1}` : "";
      use(holding.lock, nameOf(machine, holding.lock, holding.mode)).holders.push(actorName(actor) + order);
    }
  }
  for (let actor = 0; actor < ACTORS; actor++) {
    const step = machine.nextStep(actor);
    if (step === null || machine.isIdle(actor)) continue;
    const isTaking =
      step.op === Op.spinLock || step.op === Op.mutexLock || /^mutex_lock/.test(step.primitive?.name ?? "");
    if (isTaking && machine.peek(step.addr) !== 0)
      use(step.addr, nameOf(machine, step.addr, HoldMode.exclusive)).waiting.push(actorName(actor));
  }
  for (const [lock, { waiting }] of withSleepers(machine, locks, use))
    for (const { actor, writer } of waiters(machine.peek(lock + WORD)))
      waiting.push(`${actorName(actor)} (${writer ? "write" : "read"})`);
  return [...locks].map(([lock, { name, holders, waiting }]) => {
    const mode = !isRwsem(machine, lock) || holders.length === 0 ? "" : machine.peek(lock) < 0 ? "write, " : "read, ";
    const who = holders.length === 0 ? "free" : holders.join(", ");
    return `${name}: ${mode}${who}${waiting.length === 0 ? "" : `  waiting: ${waiting.join(", ")}`}`;
  });
}
/** Semaphores that are held, and those that nobody holds and somebody sleeps on. */
function withSleepers(
  machine: Machine,
  locks: ReadonlyMap<number, LockUse>,
  use: (lock: number, name: string) => LockUse,
): [number, LockUse][] {
  for (let actor = 0; actor < ACTORS; actor++) {
    const step = machine.nextStep(actor);
    if (step === null || !/^down_(read|write)$/.test(step.primitive?.name ?? "")) continue;
    if (machine.peek(step.addr + WORD) !== 0) use(step.addr, nameOf(machine, step.addr, HoldMode.exclusive));
  }
  return [...locks].filter(([lock]) => isRwsem(machine, lock));
}
const COUNT = /(?:\.|->)count$/;
/** A semaphore is called by its first member, its count. */
function isRwsem(machine: Machine, lock: number): boolean {
  return COUNT.test(memberText(lock, machine) ?? "");
}
function nameOf(machine: Machine, lock: number, mode: HoldMode): string {
  return holdingText({ lock, mode, flags: 0 }, machine)
    .replace(/ \(read\)$/, "")
    .replace(/^&/, "")
    .replace(COUNT, "");
}
