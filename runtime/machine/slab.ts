/** Where new objects go. */
import { liveHeader, type Memory } from "./memory.ts";
import { slotSize, WORD } from "./struct.ts";
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
