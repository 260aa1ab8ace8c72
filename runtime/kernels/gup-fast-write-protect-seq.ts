/**
 * The fix of 5.11: who pins without locks sees whether a fork() is write-protecting meanwhile, and goes the slow way.
 */
import { load, loadPrivate, READ_ONCE, store } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { copy_page_range, copy_tables, is_cow_mapping } from "../mm/copy_page_range.ts";
import { FOLL_PIN, internal_get_user_pages_fast, unpin_user_page, without_interrupts } from "../mm/gup.ts";
import { VM_MIXEDMAP, VM_PFNMAP, type mm_struct, type vm_area_struct } from "../mm/mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "../mm/mmu_notifier.ts";
import { mmu_notifier_range_init } from "../mm/mmu_notifier_types.ts";
import { page } from "../mm/pgtable.ts";
import { erasOf, type Patch } from "../patch.ts";

function* copyPageRange(dst: vm_area_struct, src: vm_area_struct): Kernel<boolean> {
  const vmFlags = yield* loadPrivate(src.vm_flags);
  const refillable = (vmFlags & (VM_PFNMAP | VM_MIXEDMAP)) === 0;
  if (refillable && (yield* fact(4, load(src.anon_vma))).isNull) return true;
  if (!is_cow_mapping(vmFlags)) return yield* copy_tables(dst, src);
  const mm = yield* loadPrivate(src.vm_mm);
  const start = yield* loadPrivate(src.vm_start);
  const range = mmu_notifier_range_init("MMU_NOTIFY_PROTECTION_PAGE", mm, start, yield* loadPrivate(src.vm_end));
  yield* fact(5, mmu_notifier_invalidate_range_start(range));
  const seq = yield* loadPrivate(mm.write_protect_seq); // its writers are we: we hold mmap_sem
  yield* fact(5, store(mm.write_protect_seq, seq + 1));
  const copied = yield* copy_tables(dst, src);
  yield* fact(7, store(mm.write_protect_seq, seq + 2));
  yield* fact(7, mmu_notifier_invalidate_range_end(range));
  return copied;
}
function* getFast(mm: mm_struct, addr: number, flags: number): Kernel<page> {
  if ((flags & FOLL_PIN) === 0) return yield* without_interrupts(mm, addr, flags);
  const seq = yield* READ_ONCE(mm.write_protect_seq);
  if (seq % 2 === 1) return NULL(page);
  const p = yield* without_interrupts(mm, addr, flags);
  if (p.isNull || (yield* READ_ONCE(mm.write_protect_seq)) === seq) return p;
  yield* unpin_user_page(p);
  return NULL(page);
}

export const gupFastWriteProtectSeq: Patch = {
  name: "gup-fast-write-protect-seq",
  subject: "mm/gup: prevent gup_fast from racing with COW during fork",
  source: "57efa1fe5957, 5.11",
  eras: erasOf({ since: "v5.6", until: "v5.12" }),
  builtIn: { since: "v5.12" },
  needs: ["fork-copies-pinned"],
  replacements: [replaces(copy_page_range, copyPageRange), replaces(internal_get_user_pages_fast, getFast)],
};
