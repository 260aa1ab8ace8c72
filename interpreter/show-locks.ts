/** Which locks are held or waited for: by whom, in which mode, and in which order a CPU took them. */
import { Op, HoldMode } from "../runtime/machine/step.ts";
import { holdingText } from "../runtime/machine/held.ts";
import type { Machine } from "../runtime/machine/machine.ts";
import { grace_periods, rcu } from "../runtime/machine/rcu.ts";
import { waiters } from "../runtime/machine/rwsem.ts";
import { memberText, WORD, type Words } from "../runtime/machine/struct.ts";
import { ACTOR_NAMES, ACTORS, actorName, actorsIn } from "./actors.ts";
import { liveObjects } from "./show-objects.ts";

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
      use(holding.lock, nameOf(machine, holding.lock, holding.mode, holding.flags)).holders.push(
        actorName(actor) + order,
      );
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
  for (const domain of domains(machine)) {
    const waiting = waitersOf(machine, domain);
    if (waiting.length > 0) use(domain.addr, domainName(machine, domain)).waiting.push(...waiting);
  }
  return [...locks].map(([lock, { name, holders, waiting }]) => {
    const mode = !isRwsem(machine, lock) || holders.length === 0 ? "" : machine.peek(lock) < 0 ? "write, " : "read, ";
    const who = holders.length === 0 ? "free" : holders.join(", ");
    return `${name}: ${mode}${who}${waiting.length === 0 ? "" : `  waiting: ${waiting.join(", ")}`}`;
  });
}
/** Who waits for readers, or is queued until they are gone, and for which: not for those that came later. */
function waitersOf(machine: Machine, domain: grace_periods): string[] {
  const at = (words: Words, i: number): number => machine.peek(words.addr + i * WORD);
  const forWhom = (who: string, readers: number): string[] =>
    readers === 0 ? [] : [`${who} (for ${actorsIn(readers)})`];
  const pending = machine.peek(domain.pending.addr);
  return [
    ...ACTOR_NAMES.flatMap((name, actor) => forWhom(name, at(domain.synchronizing, actor))),
    ...Array.from({ length: pending }, (_, i) =>
      forWhom(`${machine.functionName(at(domain.functions, i))}()`, at(domain.readers, i)),
    ).flat(),
  ];
}
function domains(machine: Machine): grace_periods[] {
  return liveObjects(machine).filter((object) => object instanceof grace_periods);
}
function domainName(machine: Machine, { addr }: grace_periods): string {
  return nameOf(machine, addr, addr === rcu.addr ? HoldMode.rcu : HoldMode.srcu);
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
function nameOf(machine: Machine, lock: number, mode: HoldMode, flags = 0): string {
  return holdingText({ lock, mode, flags }, machine)
    .replace(/ \(read\)$/, "")
    .replace(/^&/, "")
    .replace(COUNT, "");
}
