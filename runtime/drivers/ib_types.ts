/** include/rdma/ib_umem_odp.h and ib_verbs.h, as of the proposal "Use HMM for ODP v4" on 5.2-rc1. */
import { functionPointer } from "../machine/function.ts";
import { list_head } from "../machine/list.ts";
import { rw_semaphore } from "../machine/rwsem.ts";
import { embed, flag, int, mutex, pointer, Struct, words } from "../machine/struct.ts";
import { hmm_mirror } from "../mm/hmm_types.ts";
import { mm_struct } from "../mm/mm_types.ts";

/** How many pages a umem can have. */
export const UMEM_PAGES_MAX = 16;

/** What a process opens a device as. */
export class ib_ucontext extends Struct {
  static readonly short: string = "context";
  static readonly heading: string = "devices";
  static readonly shows: readonly string[] = ["per_mm_list"];
  /** per_mm_list_lock. */
  per_mm_list = embed(list_head);
  per_mm_list_lock = mutex();
  /** NULL if the driver has no on-demand paging. Constant. */
  invalidate_range = functionPointer<[ib_umem_odp, number, number], void>();
}

/** One per context and address space; it is the hmm_mirror. */
export class ib_ucontext_per_mm extends Struct {
  static readonly short: string = "per_mm";
  static readonly heading: string = "devices";
  static readonly shows: readonly string[] = ["mm", "active", "odp_mrs_count", "umem_tree"];
  /** Constant. */
  context = pointer(() => ib_ucontext);
  /** Constant here. No reference of its own: every umem holds an mm_count. */
  mm = pointer(() => mm_struct);
  /** umem_rwsem. Differs: a list, not an interval tree. */
  umem_tree = embed(list_head);
  umem_rwsem = embed(rw_semaphore);
  mirror = embed(hmm_mirror);
  /** context->per_mm_list_lock. */
  ucontext_list = embed(list_head);
  /** umem_rwsem. */
  active = flag();
  /** context->per_mm_list_lock. */
  odp_mrs_count = int();
}

/** User memory a device may reach. Constant once made. */
export class ib_umem extends Struct {
  static readonly short: string = "umem";
  address = int();
  length = int();
  writable = flag();
  /** Holds an mm_count. */
  owning_mm = pointer(() => mm_struct);
  context = pointer(() => ib_ucontext);
}

/** User memory that is mapped on demand. Differs: it includes the one mlx5_ib_mr that is made of it. */
export class ib_umem_odp extends Struct {
  static readonly short: string = "umem_odp";
  static readonly heading: string = "devices";
  static readonly shows: readonly string[] = ["npages", "dying", "per_mm", "xlt"];
  umem = embed(ib_umem);
  /** Written under context->per_mm_list_lock, read without. */
  per_mm = pointer(() => ib_ucontext_per_mm);
  /** per_mm->umem_rwsem. */
  interval_tree = embed(list_head);
  umem_mutex = mutex();
  /** HMM's entries, one per page. umem_mutex; the driver's invalidate_range reads them without. */
  pfns = words(UMEM_PAGES_MAX);
  /** Bus addresses, one per page. umem_mutex. */
  dma_list = words(UMEM_PAGES_MAX);
  /** Pages mapped. umem_mutex, but mapping adds to it without. */
  npages = int();
  /** Set by release, without a lock. */
  dying = flag();
  /** The translations of the device, one per page; 0: it faults. umem_mutex, but for invalidation. */
  xlt = words(UMEM_PAGES_MAX);
}
