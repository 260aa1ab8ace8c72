/**
 * include/linux/mm_types.h: the address space, its VMAs, and pages. Each field says what guards it.
 */
import { rw_semaphore } from "../machine/rwsem.ts";
import { list_head } from "../machine/list.ts";
import {
  atomic,
  embed,
  flag,
  int,
  pointer,
  spinlock,
  Struct,
  words,
  type Lives,
  type OtherName,
} from "../machine/struct.ts";
import { hmm } from "./hmm_types.ts";
import { mmu_notifier_head, mmu_notifier_subscriptions } from "./mmu_notifier_types.ts";
import { dax_memory, pgd_table } from "./pgtable.ts";

export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_GROWSDOWN = 0x100;
export const VM_PFNMAP = 0x400;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_DONTCOPY = 0x20000;
export const VM_MIXEDMAP = 0x10000000;
/** Transparent huge pages are wanted; nobody else gets any. */
export const VM_HUGEPAGE = 0x20000000;

/** include/linux/rbtree.h. Differs: no colour and no parent; the tree is as deep as the order of insertion makes it. */
export class rb_node extends Struct {
  rb_right = pointer(() => rb_node);
  rb_left = pointer(() => rb_node);
}
export class rb_root extends Struct {
  rb_node = pointer(() => rb_node);
}

/**
 * By which the VMAs are found that may map an anonymous page. Differs: a family of VMAs has one; there are no chains.
 */
export class anon_vma extends Struct {
  /** Guards `vmas`; held for reading by those who look for mappings of a page. */
  rwsem = embed(rw_semaphore);
  /** VMAs that share it: after fork(), those of several processes. rwsem. */
  vmas = embed(list_head);
  /** 1 for the VMAs and 1 for each that holds it otherwise; 0 as long as nobody ever has. Atomic. */
  refcount = atomic();
}

/** How many pages a file can have, if it is no DAX device. */
export const CACHED_PAGES_MAX = 512;
/** A file, its address_space and, if it is one, the DAX device behind it. Differs: files begin with zeros. */
export class address_space extends Struct {
  static readonly short: string = "mapping";
  static readonly heading: string = "mm";
  static readonly shows: readonly string[] = [];
  /** Guards `i_mmap`. */
  i_mmap_rwsem = embed(rw_semaphore);
  /** VMAs that map the file. i_mmap_rwsem. */
  i_mmap = embed(list_head);
  /** Guards `pages`. */
  i_pages = spinlock();
  /** The page cache, by index; for a DAX device nothing. i_pages; read without it. */
  pages = words(CACHED_PAGES_MAX);
  /** In bytes. Constant but for truncation, which the page lock and i_mmap_rwsem serialise. */
  i_size = int();
  /** What a DAX device maps instead of cached pages: set once, read without a lock. */
  memory = pointer(() => dax_memory);
  /** Whether it is one. Constant. */
  dax = flag();
  /** It has no name: the last VMA that maps it is the end of it. Constant. */
  anonymous = flag();
  /** VMAs that map it; counted where it is anonymous. Atomic. */
  f_count = atomic();
}

/** Differs: no policy and no vm_ops: files are either cached or DAX. */
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
  /** The file; NULL for anonymous memory. Constant. */
  vm_file = pointer(() => address_space);
  /** Place of vm_start in the file, or in the anon_vma's count of pages. vm_mm->mmap_sem. */
  vm_pgoff = int();
  /** Set once, under page_table_lock, when the first anonymous page is to come. */
  anon_vma = pointer(() => anon_vma);
  /** On anon_vma->vmas. anon_vma->rwsem. */
  anon_vma_node = embed(list_head);
  /** On vm_file->i_mmap. i_mmap_rwsem. */
  shared = embed(list_head);
}

/** Differs: no vmacache, no cpumask; the process has one, shared by all CPUs. */
export class mm_struct extends Struct {
  static readonly short: string = "mm";
  static readonly heading: string = "mm";
  static readonly shows: readonly string[] = ["mm_users", "mm_count", "hmm", "mmu_notifier", "notifier_subscriptions"];
  static readonly lives: Lives = {
    hmm: { since: "v5.2", until: "v5.3" },
    mmu_notifier: { until: "v2.6.27" },
    notifier_subscriptions: { since: "v2.6.27" },
  };
  static readonly otherNames: readonly OtherName[] = [
    { member: "notifier_subscriptions", name: "mmu_notifier_mm", until: "v5.6" },
    { member: "mmap_sem", name: "mmap_lock", since: "v5.8" },
  ];
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
  notifier_subscriptions = pointer(() => mmu_notifier_subscriptions);
  /** Writers: page_table_lock. Readers: none in 5.2. */
  hmm = pointer(() => hmm);
  /** How many gathers and the like have changed entries and not yet flushed. Atomic. */
  tlb_flush_pending = atomic();
  /** Pages mapped, and bytes of page tables. Only the last mmdrop() looks at them: counting is no step of its own. */
  rss_stat = int();
  pgtables_bytes = int();
  /** Bits. Atomic bit operations. */
  flags = int();
  /** Odd while fork() write-protects; 5.11, and with a patch before. Writers: mmap_sem. Readers: none. */
  write_protect_seq = int();
  /** Of the drafts of 2008. */
  mmu_notifier = embed(mmu_notifier_head);
}

/** Bit of mm_struct.flags: the OOM reaper has been here, what faults would bring back is lost. */
export const MMF_UNSTABLE = 0x1;
export const MMF_OOM_SKIP = 0x2;
/** The OOM killer has chosen the process; set before the reaper comes. */
export const MMF_OOM_VICTIM = 0x4;
