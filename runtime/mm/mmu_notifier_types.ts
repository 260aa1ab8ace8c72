/** include/linux/mmu_notifier.h as of 5.2. */
import { functionPointer } from "../machine/function.ts";
import { embed, pointer, spinlock, Struct } from "../machine/struct.ts";
import { hlist_head, hlist_node } from "../machine/list.ts";
import type { mm_struct } from "./mm_types.ts";

export type mmu_notifier_event = "MMU_NOTIFY_UNMAP" | "MMU_NOTIFY_CLEAR";

/**
 * struct mmu_notifier_range, which lives on the stack of whoever invalidates. Differs: a value, not an object: nobody
 * writes to it once it is set up.
 */
export type mmu_notifier_range = readonly [
  mm: mm_struct,
  start: number,
  end: number,
  event: mmu_notifier_event,
  blockable: boolean,
];
export function mmu_notifier_range_init(
  event: mmu_notifier_event,
  mm: mm_struct,
  start: number,
  end: number,
): mmu_notifier_range {
  return [mm, start, end, event, true];
}

/** Callbacks of a notifier; each may be missing. Constant. Differs: the ageing ones and change_pte are missing. */
export class mmu_notifier_ops extends Struct {
  static readonly short: string = "ops";
  release = functionPointer<[mmu_notifier, mm_struct], void>();
  invalidate_range_start = functionPointer<[mmu_notifier, mmu_notifier_range], number>();
  invalidate_range_end = functionPointer<[mmu_notifier, mmu_notifier_range], void>();
  invalidate_range = functionPointer<[mmu_notifier, mm_struct, number, number], void>();
}

export class mmu_notifier extends Struct {
  static readonly short: string = "mn";
  /** Writers: mmu_notifier_mm->lock. Readers: SRCU. */
  hlist = embed(hlist_node);
  /** Set before registration, constant afterwards. */
  ops = pointer(() => mmu_notifier_ops);
}

/** What an mm knows about its notifiers; lives until the last mmdrop(). */
export class mmu_notifier_mm extends Struct {
  static readonly short: string = "mmu_notifier_mm";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly string[] = ["list"];
  /** Writers: lock. Readers: SRCU. Newest registration first. */
  list = embed(hlist_head);
  lock = spinlock();
}
