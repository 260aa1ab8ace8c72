/**
 * include/linux/mm_types.h: the address space, its VMAs, and pages. Each field says what guards it.
 */
import { rw_semaphore } from "../machine/rwsem.ts";
import { atomic, embed, int, pointer, spinlock, Struct, words } from "../machine/struct.ts";
import { hmm } from "./hmm_types.ts";
import { mmu_notifier_mm, mmu_notifier_subscriptions } from "./mmu_notifier_types.ts";
import { pgd_table } from "./pgtable.ts";

const UP_TO_5_5 = { until: "v5.6" };

export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_PFNMAP = 0x400;
export const VM_IO = 0x4000;
export const VM_MIXEDMAP = 0x10000000;

/** include/linux/rbtree.h. Differs: no colour and no parent; the tree is as deep as the order of insertion makes it. */
export class rb_node extends Struct {
  rb_right = pointer(() => rb_node);
  rb_left = pointer(() => rb_node);
}
export class rb_root extends Struct {
  rb_node = pointer(() => rb_node);
}

/** Differs: anonymous and private only: no file, no vm_ops, no anon_vma, no policy. */
export class vm_area_struct extends Struct {
  static readonly short: string = "vma";
  /** vm_mm->mmap_sem; exit_mmap() needs no lock, for nobody else may look. */
  vm_start = int();
  /** First address after it. vm_mm->mmap_sem. */
  vm_end = int();
  /** The list of all VMAs, by address. vm_mm->mmap_sem. */
  vm_next = pointer(() => vm_area_struct);
  /** vm_mm->mmap_sem. */
  vm_prev = pointer(() => vm_area_struct);
  /** Node of vm_mm->mm_rb. vm_mm->mmap_sem. */
  vm_rb = embed(rb_node);
  /** Constant: reading it is no scheduling point. */
  vm_mm = pointer(() => mm_struct);
  /** vm_mm->mmap_sem. */
  vm_flags = int();
}

/** Differs: no vmacache, no counters, no cpumask; the process has one, shared by all CPUs. */
export class mm_struct extends Struct {
  static readonly short: string = "mm";
  static readonly heading: string = "mm";
  static readonly shows: readonly string[] = [
    "mm_users",
    "mm_count",
    "hmm",
    "mmu_notifier_mm",
    "notifier_subscriptions",
  ];
  static readonly lives = { hmm: UP_TO_5_5, mmu_notifier_mm: UP_TO_5_5, notifier_subscriptions: { since: "v5.6" } };
  /** Head of the list of VMAs. mmap_sem; exit_mmap() needs no lock. */
  mmap = pointer(() => vm_area_struct);
  /** Search tree of VMAs, by address. mmap_sem; exit_mmap() leaves it as it is. */
  mm_rb = embed(rb_root);
  /** Constant until the last mmdrop(): reading it is no scheduling point. */
  pgd = pointer(() => pgd_table);
  /** Users of the address space; together they own one mm_count. Atomic. */
  mm_users = atomic();
  /** References to this struct. Atomic. */
  mm_count = atomic();
  /** Guards the PGD and PUD tables and, up to 5.3, `hmm`. */
  page_table_lock = spinlock();
  /** Guards the VMAs. Held for reading by faults and walks. */
  mmap_sem = embed(rw_semaphore);
  /** Set once, under mmap_sem and mm_take_all_locks(); read without a lock. */
  mmu_notifier_mm = pointer(() => mmu_notifier_mm);
  /** The same under its newer name. */
  notifier_subscriptions = pointer(() => mmu_notifier_subscriptions);
  /** Writers: page_table_lock. Readers: none in 5.2. */
  hmm = pointer(() => hmm);
}

const WORDS_PER_PAGE = 512;
/** struct page and what the page holds, in one object. */
export class page extends Struct {
  static readonly common = true;
  /** Atomic bit operations. */
  flags = int();
  /** Atomic; the page is freed when it becomes zero. */
  _refcount = atomic();
  /** The contents. Whoever has the page mapped. */
  data = words(WORDS_PER_PAGE);
}
/** Bit of page.flags. Differs: the only one. */
export const PG_dirty = 1;
