/** include/linux/pagewalk.h: what a walk calls back, and what it knows. */
import { functionPointer } from "../machine/function.ts";
import { flag, int, pointer, Struct } from "../machine/struct.ts";
import { mm_struct, vm_area_struct } from "./mm_types.ts";
import { pgd_table, type PgdEntry, type PmdEntry, type PteEntry, type PudEntry } from "./pgtable.ts";

/** What becomes of an entry after its callback; walk->action. */
export const ACTION_SUBTREE = 0;
export const ACTION_CONTINUE = 1;
export const ACTION_AGAIN = 2;

/**
 * Callbacks; each may be missing. They evaluate to 0 (go on), a positive number (stop) or an error. Constant. Differs:
 * no hugetlb_entry. `pud` is the snapshot that callbacks get with the patch of seed 003; without it they get 0.
 */
export class mm_walk_ops extends Struct {
  static readonly short: string = "ops";
  pgd_entry = functionPointer<[pgd: PgdEntry, addr: number, next: number, walk: mm_walk], number>();
  p4d_entry = functionPointer<[p4d: PgdEntry, addr: number, next: number, walk: mm_walk], number>();
  pud_entry = functionPointer<[pud: number, pudp: PudEntry, addr: number, next: number, walk: mm_walk], number>();
  pmd_entry = functionPointer<[pmd: PmdEntry, addr: number, next: number, walk: mm_walk], number>();
  pte_entry = functionPointer<[pte: PteEntry, addr: number, next: number, walk: mm_walk], number>();
  pte_hole = functionPointer<[addr: number, next: number, depth: number, walk: mm_walk], number>();
  /** 0: walk this VMA; 1: leave it out. */
  test_walk = functionPointer<[addr: number, next: number, walk: mm_walk], number>();
  pre_vma = functionPointer<[start: number, end: number, walk: mm_walk], number>();
  post_vma = functionPointer<[walk: mm_walk], void>();
}

/** On the stack of whoever walks: all of it is that CPU's own. */
export class mm_walk extends Struct {
  static readonly short: string = "walk";
  ops = pointer(() => mm_walk_ops);
  mm = pointer(() => mm_struct);
  /** Where a walk without VMAs begins. */
  pgd = pointer(() => pgd_table);
  /** NULL in a hole. */
  vma = pointer(() => vm_area_struct);
  action = int();
  no_vma = flag();
  /** Address of what belongs to the caller. */
  private = int();
  /** Whether a leaf is possible: the VMA wants huge pages, or there is no VMA. Of ours. */
  huge = flag();
}
