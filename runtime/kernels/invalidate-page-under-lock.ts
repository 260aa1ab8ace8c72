/** What 4.11 made of it on its way to something else: reclaim calls invalidate_page() with the PTE lock held again. */
import { replaces } from "../machine/function.ts";
import { try_to_unmap_one, unmap_pte, unmapping, withPage } from "../mm/try_to_unmap.ts";
import type { Patch } from "../patch.ts";

export const invalidatePageUnderLock: Patch = {
  name: "invalidate-page-under-lock",
  subject: "mm: convert try_to_unmap_one() to use page_vma_mapped_walk()",
  source: "c7ab0d2fdc84, 4.11",
  eras: ["v3.8", "v3.10"],
  needs: [],
  replacements: [replaces(try_to_unmap_one, withPage(true)), replaces(unmap_pte, unmapping(true))],
};
