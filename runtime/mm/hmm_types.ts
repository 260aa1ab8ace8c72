/** include/linux/hmm.h as of 5.2. */
import { kref } from "../machine/atomic.ts";
import { functionPointer } from "../machine/function.ts";
import { list_head } from "../machine/list.ts";
import { rw_semaphore } from "../machine/rwsem.ts";
import { embed, flag, int, mutex, pointer, Struct, words, type Lives } from "../machine/struct.ts";
import { wait_queue_head } from "../machine/wait.ts";
import { mmu_interval_notifier, mmu_notifier, type mmu_notifier_event } from "./mmu_notifier_types.ts";
import { mm_struct, vm_area_struct } from "./mm_types.ts";

/** How many pages an hmm_range has room for by itself. */
export const HMM_RANGE_PAGES_MAX = 16;

const MIRRORS = { since: "v5.2", until: "v5.3" };

export class hmm extends Struct {
  static readonly heading: string = "notifiers";
  static readonly shows: readonly string[] = ["kref", "dead", "notifiers", "ranges", "mirrors", "wq"];
  /** Written only by hmm_mm_destroy(). */
  mm = pointer(() => mm_struct);
  /** One per mirror, per registered range and per running callback. */
  kref = embed(kref);
  /** Guards ranges, notifiers and what is written to `valid` of a range. */
  lock = mutex();
  /** lock. */
  ranges = embed(list_head);
  /** mirrors_sem. */
  mirrors = embed(list_head);
  mmu_notifier = embed(mmu_notifier);
  mirrors_sem = embed(rw_semaphore);
  /** Its own lock. */
  wq = embed(wait_queue_head);
  /** Invalidations between start and end. lock. */
  notifiers = int();
  /** Nothing guards it: plain unlocked reads and writes. */
  dead = flag();
}

/** What changes: struct hmm_update. Differs: a value, as nobody writes to it. */
export type hmm_update = readonly [start: number, end: number, event: mmu_notifier_event, blockable: boolean];

/** Constant. */
export class hmm_mirror_ops extends Struct {
  static readonly short: string = "ops";
  release = functionPointer<[hmm_mirror], void>();
  sync_cpu_device_pagetables = functionPointer<[hmm_mirror, hmm_update], number>();
}

/** Embedded in a driver's object. */
export class hmm_mirror extends Struct {
  static readonly short: string = "mirror";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly string[] = ["hmm"];
  /** Set at registration without a lock, cleared under hmm->mirrors_sem; read without. */
  hmm = pointer(() => hmm);
  /** Constant once registered. */
  ops = pointer(() => hmm_mirror_ops);
  /** hmm->mirrors_sem. */
  list = embed(list_head);
}

/**
 * A range that a driver faults or snapshots. It belongs to one thread, on whose stack it usually lies; the others reach
 * it through hmm->ranges only, and of its fields read or write `list`, `start`, `end` and `valid`.
 *
 * Differs: the driver's encoding of entries (flags, values, pfn_shift) is always that of hmm_walk.ts; a driver that
 * sets no `pfns` gets room for 16 pages here.
 */
export class hmm_range extends Struct {
  static readonly short: string = "range";
  static readonly heading: string = "notifiers";
  static readonly shows: readonly string[] = ["start", "end", "valid", "hmm", "notifier", "notifier_seq"];
  static readonly lives: Lives = {
    ...{ hmm: MIRRORS, vma: MIRRORS, list: MIRRORS, page_shift: MIRRORS, valid: MIRRORS, daddrs: MIRRORS },
    ...{ notifier: { since: "v5.6" }, notifier_seq: { since: "v5.6" } },
  };
  /** The owning thread. */
  hmm = pointer(() => hmm);
  /** The owning thread. */
  vma = pointer(() => vm_area_struct);
  /** hmm->lock. */
  list = embed(list_head);
  /** Constant while registered. */
  start = int();
  /** Constant while registered. */
  end = int();
  /** Address of the first entry. The owning thread; the entries are the driver's business. */
  pfns = int();
  /** The owning thread. */
  default_flags = int();
  /** The owning thread. */
  pfn_flags_mask = int();
  /** The owning thread. */
  page_shift = int();
  /** Writers: hmm->lock. Readers: none. */
  valid = flag();
  /** Which notifier watches the range, and what its mmu_interval_read_begin() said. The owning thread. */
  notifier = pointer(() => mmu_interval_notifier);
  notifier_seq = int();
  /** Entries of a range whose driver brings none. */
  entries = words(HMM_RANGE_PAGES_MAX);
  /** Bus addresses, likewise. */
  daddrs = words(HMM_RANGE_PAGES_MAX);
}

/** What hmm_range_fault() and hmm_range_snapshot() hand to their callbacks; on their stack. */
export class hmm_vma_walk extends Struct {
  range = pointer(() => hmm_range);
  /** Address of the first entry that the walk fills. */
  pfns = int();
  /** Where the walk has got to when it stops. */
  last = int();
  /** Of 5.2. */
  fault = flag();
  /** HMM_FAULT_ALLOW_RETRY and HMM_FAULT_SNAPSHOT. Of 5.6. */
  flags = int();
}
