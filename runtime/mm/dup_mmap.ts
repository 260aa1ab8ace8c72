/** The part of kernel/fork.c that makes a child's address space from its parent's. */
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_write, down_write_nested, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { copy_page_range } from "./copy_page_range.ts";
import { get_file } from "./file.ts";
import { mm_alloc, mmput } from "./fork.ts";
import { mm_struct, vm_area_struct, VM_DONTCOPY, VM_LOCKED } from "./mm_types.ts";
import { allocate } from "./page_alloc.ts";
import { anon_vma_clone, vma_link_file } from "./rmap.ts";
import { flush_tlb_mm } from "./tlb.ts";

/** fork(2), as far as memory is concerned; NULL if that is short. */
export const dup_mm = kernelFunction(
  "dup_mm",
  function* (oldmm: mm_struct): Kernel<mm_struct> {
    const mm = yield* mm_alloc();
    if (mm.isNull) return mm;
    if (yield* dup_mmap(mm, oldmm)) return mm;
    yield* mmput(mm);
    return NULL(mm_struct);
  },
  {
    source: "kernel/fork.c",
    facts: "fork",
    params: ["oldmm"],
    summary: "An address space that looks like another, and shares pages with it until either writes.",
  },
);

/** False if memory is short. */
export const dup_mmap = kernelFunction(
  "dup_mmap",
  function* (mm: mm_struct, oldmm: mm_struct): Kernel<boolean> {
    yield* fact(1, down_write(oldmm.mmap_sem));
    yield* fact(2, down_write_nested(mm.mmap_sem, 1));
    const first = yield* load(oldmm.mmap);
    const copied = first.isNull ? true : yield* dup_vmas(mm, first, NULL(vm_area_struct));
    yield* fact(9, up_write(mm.mmap_sem));
    yield* fact(10, flush_tlb_mm(oldmm));
    yield* fact(11, up_write(oldmm.mmap_sem));
    return copied;
  },
  {
    source: "kernel/fork.c",
    facts: "fork",
    params: ["mm", "oldmm"],
    summary: "Copies all mappings, with the parent's mmap_sem held for writing until its TLBs are flushed.",
    differs: "Waiting for mmap_sem cannot be killed. No userfaultfd, policies, accounting or VM_WIPEONFORK.",
  },
);
/** `prev`: the child's last VMA so far. */
const dup_vmas = kernelFunction(
  "dup_mmap",
  function* (mm: mm_struct, old: vm_area_struct, prev: vm_area_struct): Kernel<boolean> {
    // Nobody but us may change VMAs now: reading what they say is no step.
    const skip = ((yield* loadPrivate(old.vm_flags)) & VM_DONTCOPY) !== 0;
    const vma = skip ? prev : yield* dup_vma(mm, old, prev);
    if (vma.isNull && !skip) return false;
    if (!skip && !(yield* fact(3, copy_page_range(vma, old)))) return false;
    const next = yield* load(old.vm_next);
    return next.isNull ? true : yield* dup_vmas.restart(mm, next, vma);
  },
  { source: "kernel/fork.c", facts: "fork", params: ["mm", "mpnt", "prev"], internal: true },
);
/** The child's copy of a VMA, linked; NULL if memory is short. */
const dup_vma = kernelFunction(
  "dup_mmap",
  function* (mm: mm_struct, old: vm_area_struct, prev: vm_area_struct): Kernel<vm_area_struct> {
    const vma = yield* fact(3, allocate(vm_area_struct, "vm_area_dup(mpnt)"));
    if (vma.isNull) return vma;
    const file = yield* loadPrivate(old.vm_file);
    yield* storePrivate(vma.vm_mm, mm);
    yield* storePrivate(vma.vm_start, yield* loadPrivate(old.vm_start));
    yield* storePrivate(vma.vm_end, yield* loadPrivate(old.vm_end));
    yield* storePrivate(vma.vm_flags, (yield* loadPrivate(old.vm_flags)) & ~VM_LOCKED);
    yield* storePrivate(vma.vm_file, file);
    yield* storePrivate(vma.vm_pgoff, yield* loadPrivate(old.vm_pgoff));
    yield* fact(3, anon_vma_clone(vma, old));
    yield* fact(3, get_file(file));
    yield* fact(3, vma_link_file(vma));
    // List and tree of the child: nobody else can reach them yet. It is the last of both.
    yield* storePrivate(vma.vm_prev, prev);
    yield* storePrivate(prev.isNull ? mm.mmap : prev.vm_next, vma);
    yield* storePrivate(prev.isNull ? mm.mm_rb.rb_node : prev.vm_rb.rb_right, vma.vm_rb);
    return vma;
  },
  { source: "kernel/fork.c", facts: "fork", params: ["mm", "mpnt", "prev"], internal: true },
);
