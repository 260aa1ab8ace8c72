/** include/linux/mmu_notifier.h as of 5.2, and as of 5.6 with interval notifiers. */
import { functionPointer } from "../machine/function.ts";
import { hlist_head, hlist_node } from "../machine/list.ts";
import { rcu_head } from "../machine/rcu.ts";
import { explained, listed, type Shown } from "../machine/shown.ts";
import { embed, flag, int, pointer, spinlock, Struct, type Lives } from "../machine/struct.ts";
import { wait_queue_head } from "../machine/wait.ts";
import { interval_tree_node, rb_root_cached } from "./interval_tree.ts";
import { mm_struct } from "./mm_types.ts";
import { deferredCells, inTreeCells, rangeOf, sequenceText } from "./mmu_notifier_shown.ts";

export type mmu_notifier_event =
  | "MMU_NOTIFY_UNMAP"
  | "MMU_NOTIFY_CLEAR"
  | "MMU_NOTIFY_PROTECTION_VMA"
  | "MMU_NOTIFY_PROTECTION_PAGE"
  | "MMU_NOTIFY_SOFT_DIRTY"
  /** To interval notifiers only. */
  | "MMU_NOTIFY_RELEASE";

/**
 * struct mmu_notifier_range, which lives on the stack of whoever invalidates. Differs: a value, not an object: nobody
 * writes to it once it is set up. Of its flags there is one, MMU_NOTIFIER_RANGE_BLOCKABLE, as a member of its own.
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
  static readonly lives: Lives = { alloc_notifier: { since: "v5.6" }, free_notifier: { since: "v5.6" } };
  release = functionPointer<[mmu_notifier, mm_struct], void>();
  invalidate_range_start = functionPointer<[mmu_notifier, mmu_notifier_range], number>();
  invalidate_range_end = functionPointer<[mmu_notifier, mmu_notifier_range], void>();
  invalidate_range = functionPointer<[mmu_notifier, mm_struct, number, number], void>();
  alloc_notifier = functionPointer<[mm_struct], mmu_notifier>();
  free_notifier = functionPointer<[mmu_notifier], void>();
}

export class mmu_notifier extends Struct {
  static readonly short: string = "mn";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly string[] = ["ops", "mm", "users"];
  static readonly lives: Lives = { mm: { since: "v5.6" }, users: { since: "v5.6" }, rcu: { since: "v5.6" } };
  /** Writers: mmu_notifier_mm->lock. Readers: SRCU. */
  hlist = embed(hlist_node);
  /** Set before registration, constant afterwards. */
  ops = pointer(() => mmu_notifier_ops);
  /** Constant while registered. */
  mm = pointer(() => mm_struct);
  rcu = embed(rcu_head);
  /** One per mmu_notifier_get(). mmu_notifier_subscriptions->lock. */
  users = int();
}

/** What an mm knows about its notifiers up to 5.5; lives until the last mmdrop(). */
export class mmu_notifier_mm extends Struct {
  static readonly short: string = "mmu_notifier_mm";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly string[] = ["list"];
  /** Writers: lock. Readers: SRCU. Newest registration first. */
  list = embed(hlist_head);
  lock = spinlock();
}

/** The one callback of an interval notifier. Constant. */
export class mmu_interval_notifier_ops extends Struct {
  static readonly short: string = "ops";
  invalidate = functionPointer<[mmu_interval_notifier, mmu_notifier_range, number], boolean>();
}

/** A driver's interest in one range of an address space. It lies in an object of the driver's. */
export class mmu_interval_notifier extends Struct {
  static readonly short: string = "interval_sub";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly (string | Shown)[] = [explained("interval_tree", rangeOf), "invalidate_seq"];
  /** subscriptions->lock, and an even invalidate_seq there; walked without a lock while that is odd. */
  interval_tree = embed(interval_tree_node);
  /** Constant while inserted. */
  ops = pointer(() => mmu_interval_notifier_ops);
  /** Constant while inserted; holds an mm_count. */
  mm = pointer(() => mm_struct);
  /** subscriptions->lock. */
  deferred_item = embed(hlist_node);
  /** Odd. The driver's own lock; mmu_interval_read_begin() reads it without. */
  invalidate_seq = int();
}

/** What an mm knows about its notifiers from 5.6 on; lives until the last mmdrop(). */
export class mmu_notifier_subscriptions extends Struct {
  static readonly short: string = "subscriptions";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly (string | Shown)[] = [
    explained("invalidate_seq", sequenceText),
    "active_invalidate_ranges",
    "list",
    listed("itree", mmu_interval_notifier, "interval_tree", inTreeCells),
    listed("deferred_list", mmu_interval_notifier, "deferred_item", deferredCells),
    "wq",
  ];
  /** Writers: lock. Readers: SRCU. Newest registration first. */
  list = embed(hlist_head);
  /** Set once, under mm_take_all_locks(); read without a lock. */
  has_itree = flag();
  lock = spinlock();
  /** Odd while an invalidation runs that an interval notifier is told of. Writers: lock. */
  invalidate_seq = int();
  /** Invalidations between start and end. lock. */
  active_invalidate_ranges = int();
  /** Writers: lock, and an even invalidate_seq. Readers: none, while it is odd. */
  itree = embed(rb_root_cached);
  /** Its own lock. */
  wq = embed(wait_queue_head);
  /** What is to enter or leave the tree when invalidate_seq is even again. lock. */
  deferred_list = embed(hlist_head);
}
