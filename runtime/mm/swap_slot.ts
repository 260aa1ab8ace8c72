/** mm/swapfile.c: what has been paged out. Differs: a slot is an object that holds the page's contents and counts PTEs. */
import { freeBy } from "../machine/alloc.ts";
import { atomic_dec_and_test } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { atomic, Struct, words } from "../machine/struct.ts";

const WORDS_PER_PAGE = 512;
export class swap_slot extends Struct {
  static readonly short: string = "slot";
  static readonly common = true;
  /** Entries that refer to it, and the swap cache's own. Atomic. */
  swap_map = atomic();
  /** Contents of the page. */
  data = words(WORDS_PER_PAGE);
}
export const swap_free = kernelFunction(
  "swap_free",
  function* (slot: swap_slot): Kernel<void> {
    if (yield* atomic_dec_and_test(slot.swap_map)) yield* freeBy("free_swap_slot", slot);
  },
  { source: "mm/swapfile.c", params: ["entry"], summary: "One entry less refers to a swap slot.", atom: true },
);
