/** include/linux/mmu_notifier.h, in all its versions. */
import { functionPointer } from "../machine/function.ts";
import { hlist_head, hlist_node } from "../machine/list.ts";
import { rcu_head } from "../machine/rcu.ts";
import { explained, listed, type Shown } from "../machine/shown.ts";
import { embed, flag, int, pointer, spinlock, Struct, type Lives, type OtherName } from "../machine/struct.ts";
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
  | "MMU_NOTIFY_RELEASE"
  /** Since 5.9. */
  | "MMU_NOTIFY_MIGRATE";

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

const DRAFTS = { until: "v2.6.27" };
/**
 * Callbacks of a notifier; each may be missing. Constant. What they are given has changed: before 5.0 the ends of a
 * range come one by one (mmu_notifier_hlist.ts). Differs: age_page() of the drafts is missing.
 */
export class mmu_notifier_ops extends Struct {
  static readonly short: string = "ops";
  static readonly lives: Lives = {
    ...{ invalidate_range_start: { since: "v2.6.27" } },
    ...{ invalidate_page: { since: "v2.6.27", until: "v4.19" }, change_pte: { since: "v3.6" } },
    ...{ clear_flush_young: { since: "v2.6.27" }, clear_young: { since: "v4.19" }, test_young: { since: "v3.6" } },
    ...{ alloc_notifier: { since: "v5.4" }, free_notifier: { since: "v5.4" } },
    ...{ invalidate_all: DRAFTS, invalidate_range_begin: DRAFTS },
  };
  release = functionPointer<[mmu_notifier, mm_struct], void>();
  invalidate_range_start = functionPointer<[mmu_notifier, mmu_notifier_range], number>();
  invalidate_range_end = functionPointer<[mmu_notifier, mmu_notifier_range], void>();
  invalidate_range = functionPointer<[mmu_notifier, mm_struct, number, number], void>();
  alloc_notifier = functionPointer<[mm_struct], mmu_notifier>();
  free_notifier = functionPointer<[mmu_notifier], void>();
  invalidate_page = functionPointer<[mmu_notifier, mm_struct, number], void>();
  change_pte = functionPointer<[mmu_notifier, mm_struct, number, number], void>();
  clear_flush_young = functionPointer<[mmu_notifier, mm_struct, number, number], boolean>();
  clear_young = functionPointer<[mmu_notifier, mm_struct, number, number], boolean>();
  test_young = functionPointer<[mmu_notifier, mm_struct, number], boolean>();
  /** Of V4. */
  invalidate_all = functionPointer<[mmu_notifier, mm_struct], void>();
  invalidate_range_begin = functionPointer<[mmu_notifier, mm_struct, number, number], void>();
}

export class mmu_notifier extends Struct {
  static readonly short: string = "mn";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly string[] = ["ops", "mm", "users"];
  static readonly lives: Lives = { mm: { since: "v5.4" }, users: { since: "v5.4" }, rcu: { since: "v5.4" } };
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

/** What the drafts of 2008 embed in the mm. */
export class mmu_notifier_head extends Struct {
  static readonly short: string = "mmu_notifier";
  static readonly shows: readonly string[] = ["head"];
  /** Writers: mmap_sem, but for mmu_notifier_release(). Readers: RCU. Newest registration first. */
  head = embed(hlist_head);
  /** Not of V3 itself: the alternatives that move to a lock of their own. */
  lock = spinlock();
}

/** Callbacks of an interval notifier. Constant. */
export class mmu_interval_notifier_ops extends Struct {
  static readonly short: string = "ops";
  static readonly lives: Lives = { release: { patch: "interval-updates-safe" } };
  invalidate = functionPointer<[mmu_interval_notifier, mmu_notifier_range, number], boolean>();
  /** May be missing: mmu_interval_notifier_remove() waits then. */
  release = functionPointer<[mmu_interval_notifier], void>();
}

/** A driver's interest in one range of an address space. It lies in an object of the driver's. */
export class mmu_interval_notifier extends Struct {
  static readonly short: string = "interval_sub";
  static readonly otherNames: readonly OtherName[] = [{ name: "mni", until: "v5.6" }];
  static readonly heading: string = "notifiers";
  static readonly shows: readonly (string | Shown)[] = [explained("interval_tree", rangeOf), "invalidate_seq"];
  static readonly lives: Lives = {
    deferred_start: { patch: "interval-updates-safe" },
    deferred_last: { patch: "interval-updates-safe" },
  };
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
  /** What an update has asked for. subscriptions->lock. */
  deferred_start = int();
  /** 0: nothing. */
  deferred_last = int();
}

const INTERVALS = { since: "v5.5" };
/** What an mm knows about its notifiers; lives until the last mmdrop(). Until 5.5 it is struct mmu_notifier_mm. */
export class mmu_notifier_subscriptions extends Struct {
  static readonly short: string = "subscriptions";
  static readonly otherNames: readonly OtherName[] = [{ name: "mmu_notifier_mm", until: "v5.6", ofType: true }];
  static readonly lives: Lives = {
    ...{ has_itree: INTERVALS, invalidate_seq: INTERVALS, active_invalidate_ranges: INTERVALS },
    ...{ itree: INTERVALS, wq: INTERVALS, deferred_list: INTERVALS },
  };
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
