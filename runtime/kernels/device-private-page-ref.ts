/**
 * The fix of 6.1: the page of a device is looked up again under the PTE lock, and has a reference while it is brought
 * back.
 */
import { replaces } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import type { Kernel } from "../machine/step.ts";
import { do_device_private, migrate_to_ram } from "../mm/migrate_vma.ts";
import type { vm_area_struct } from "../mm/mm_types.ts";
import { get_page, put_page } from "../mm/page_alloc.ts";
import { PAGE_SIZE, pte_lockptr, pte_page } from "../mm/pgtable.ts";
import { pte_offset, value } from "../mm/pgtable_steps.ts";
import { erasOf, type Patch } from "../patch.ts";

function* fault(vma: vm_area_struct, table: number, addr: number, orig: number): Kernel<number> {
  const p = pte_page(orig);
  yield* spin_lock(pte_lockptr(table));
  const same = (yield* value(yield* pte_offset(table, addr))) === orig;
  if (same) yield* get_page(p);
  yield* spin_unlock(pte_lockptr(table));
  if (!same) return 0;
  const ret = yield* migrate_to_ram(vma, addr - (addr % PAGE_SIZE), p, 1);
  yield* put_page(p);
  return ret;
}

export const devicePrivatePageRef: Patch = {
  name: "device-private-page-ref",
  subject: "mm/memory.c: fix race when faulting a device private page",
  source: "16ce101db85d, 6.1",
  eras: erasOf({ since: "v5.6", until: "v6.1" }),
  builtIn: { since: "v6.1" },
  needs: [],
  replacements: [replaces(do_device_private, fault)],
};
