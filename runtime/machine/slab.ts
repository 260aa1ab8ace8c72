/** Where new objects go, and what becomes of those that are freed. */
import { diagnose } from "./diagnosis.ts";
import type { Machine } from "./machine.ts";
import { freedHeader, headerType, liveHeader, type Memory } from "./memory.ts";
import { HELD_LOCK_FREED } from "./report.ts";
import { headerAddress, slotSize, WORD } from "./struct.ts";
import { arenaOf, COMMON_ARENA, typeByNumber } from "./types.ts";

interface Owner {
  readonly memory: Memory;
  /** Whether a call that is under way knows an address in the slot at `base`, or somebody holds a lock in there. */
  isRemembered(base: number): boolean;
}

/**
 * The lowest slot of the actor's arena (or the common one) that was never used, or whose object is freed and can be
 * reached by nobody any more: then handing it out again hides no use after free, and programs that allocate in a loop
 * stay finite.
 */
export function takeSlot(owner: Owner, actor: number, type: number): number {
  const { memory } = owner;
  const cls = typeByNumber(type);
  const arena = cls.arena ?? (cls.common === true ? COMMON_ARENA : arenaOf(actor));
  const size = slotSize(arena);
  for (let n = 0; ; n++) {
    const base = arena + n * size;
    const header = memory.peek(base);
    if (header > 0 || (header < 0 && (isStored(memory, base) || owner.isRemembered(base)))) continue;
    memory.set(memory.wordAt(base), liveHeader(type));
    return base + WORD;
  }
}
/** Whether any word holds an address in the slot at `base`. */
function isStored({ words, size }: Memory, base: number): boolean {
  const end = base + slotSize(base);
  for (let i = 0; i < size; i++) {
    const value = words[i] as number;
    if (value >= base && value < end) return true;
  }
  return false;
}

/** `slab`: it is kfree() that frees, which takes only what kmalloc() gave. */
export function freeObject(machine: Machine, local: number, addr: number, slab: boolean): number {
  const { memory } = machine;
  const base = headerAddress(addr);
  const header = memory.peek(base);
  if (header < 0) machine.fail("double-free", "Double free", addr);
  if (header === 0) {
    const { kind, message } = diagnose(memory, addr, "Free");
    machine.fail(kind, message, addr);
  }
  if (slab && base < arenaOf(0)) machine.fail("double-free", "Invalid free: the object was never allocated", addr);
  if (addr !== base + WORD) machine.fail("double-free", "Invalid free: not the start of an object", addr);
  for (let actor = 0; actor < machine.locals.length; actor++)
    if (machine.locksOf(actor).some((h) => headerAddress(h.lock) === base))
      machine.warn("lockdep", HELD_LOCK_FREED, addr);
  for (const word of memory.wordsOfObject(addr)) memory.set(word, 0);
  memory.set(memory.wordAt(base), freedHeader(headerType(header), machine.automaton.innermost(local)));
  return 0;
}
