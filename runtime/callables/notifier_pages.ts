/** What notifiers are told, or asked, of single entries, as scripts call it. */
import { address, object, range, returnsBoolean, returnsNothing, type Callable } from "../callable.ts";
import { mm_struct } from "../mm/mm_types.ts";
import {
  mmu_notifier_clear_flush_young,
  mmu_notifier_clear_young,
  mmu_notifier_invalidate_page,
  mmu_notifier_test_young,
} from "../mm/mmu_notifier_page.ts";

const mm = object("mm", () => mm_struct);
const source = "include/linux/mmu_notifier.h";

export const notifierPageCallables: readonly Callable[] = [
  {
    name: "mmu_notifier_invalidate_page",
    params: [mm, address("address")],
    result: returnsNothing,
    summary: "tells every notifier that an entry is gone",
    source,
    since: "v2.6.27",
    until: "v4.19",
    run: mmu_notifier_invalidate_page,
  },
  {
    name: "mmu_notifier_clear_flush_young",
    params: [mm, range()],
    result: returnsBoolean,
    summary: "whether a device has used a range lately; it forgets that, and flushes",
    source,
    since: "v2.6.27",
    run: mmu_notifier_clear_flush_young,
  },
  {
    name: "mmu_notifier_clear_young",
    params: [mm, range()],
    result: returnsBoolean,
    summary: "the same without a flush",
    source,
    since: "v4.19",
    run: mmu_notifier_clear_young,
  },
  {
    name: "mmu_notifier_test_young",
    params: [mm, address("address")],
    result: returnsBoolean,
    summary: "whether a device has used a page lately",
    source,
    since: "v3.6",
    run: mmu_notifier_test_young,
  },
];
