/**
 * What 5.7 and 5.9 brought: pins are counted apart from references, and fork() copies what is pinned at once, so that
 * the parent keeps the page that the I/O goes to.
 */
import { loadPrivate } from "../machine/access.ts";
import { atomic_add, atomic_inc_not_zero, atomic_read, atomic_sub_and_test } from "../machine/atomic.ts";
import { freeBy } from "../machine/alloc.ts";
import { replaces } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { copy_present_pte, is_cow_mapping, share_pte } from "../mm/copy_page_range.ts";
import { FOLL_PIN, try_grab_page, unpin_user_page } from "../mm/gup.ts";
import { VM_WRITE, type vm_area_struct } from "../mm/mm_types.ts";
import { compound_head } from "../mm/page_alloc.ts";
import { copy_user_highpage } from "../mm/page_copy.ts";
import { PageAnon } from "../mm/page_flags.ts";
import { mk_pte, pte_devmap, pte_page, pte_special, type page, type PteEntry } from "../mm/pgtable.ts";
import { set_pte_at } from "../mm/pgtable_steps.ts";
import { page_add_new_anon_rmap } from "../mm/rmap.ts";
import { erasOf, type Patch } from "../patch.ts";

const GUP_PIN_COUNTING_BIAS = 1024;

function* grab(p: page, flags: number): Kernel<boolean> {
  const head = compound_head(p);
  if (!(yield* atomic_inc_not_zero(head._refcount))) return false;
  if ((flags & FOLL_PIN) !== 0) yield* atomic_add(GUP_PIN_COUNTING_BIAS - 1, head._refcount);
  return true;
}
function* unpin(p: page): Kernel<void> {
  const head = compound_head(p);
  if (yield* atomic_sub_and_test(GUP_PIN_COUNTING_BIAS, head._refcount)) yield* freeBy("free_unref_page", head);
}
function* copyPresent(
  dst: vm_area_struct,
  src: vm_area_struct,
  dstEntry: PteEntry,
  entry: PteEntry,
  old: number,
  addr: number,
  prealloc: page,
): Kernel<"copied" | "page used" | "page wanted"> {
  const p = pte_page(old);
  const vmFlags = yield* loadPrivate(src.vm_flags);
  const counted = is_cow_mapping(vmFlags) && !pte_special(old) && !pte_devmap(old);
  const anon = counted && (yield* PageAnon(p));
  const pinned = anon && (yield* fact(6, atomic_read(compound_head(p)._refcount))) >= GUP_PIN_COUNTING_BIAS;
  if (!pinned) {
    yield* share_pte(dst, src, dstEntry, entry, old);
    return "copied";
  }
  if (prealloc.isNull) return "page wanted";
  yield* copy_user_highpage(prealloc, p);
  yield* page_add_new_anon_rmap(prealloc, dst, addr);
  yield* fact(6, set_pte_at(dstEntry, mk_pte(prealloc, (vmFlags & VM_WRITE) !== 0, true)));
  return "page used";
}

export const forkCopiesPinned: Patch = {
  name: "fork-copies-pinned",
  subject: "mm: Do early cow for pinned pages during fork() for ptes",
  source: "70e806e4e645, 5.9; on top of 3faa52c03f44, 5.7",
  eras: erasOf({ since: "v5.6", until: "v5.10" }),
  builtIn: { since: "v5.10" },
  needs: [],
  replacements: [
    replaces(try_grab_page, grab),
    replaces(unpin_user_page, unpin),
    replaces(copy_present_pte, copyPresent),
  ],
};
