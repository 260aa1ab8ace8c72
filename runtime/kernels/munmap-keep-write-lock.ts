/** CVE-2021-20200: munmap() does not let readers in while a stack above the hole could grow into it. */
import { replaces } from "../machine/function.ts";
import { __do_munmap, doMunmapKeepWriteLock } from "../mm/mmap.ts";
import { erasOf, type Patch } from "../patch.ts";

export const munmapKeepWriteLock: Patch = {
  name: "munmap-keep-write-lock",
  subject: "mm/mmap.c: close race between munmap() and expand_upwards()/downwards()",
  source: "246c320a8cfe, 5.8",
  eras: erasOf({ since: "v5.1", until: "v5.8" }),
  builtIn: { since: "v5.8" },
  needs: [],
  replacements: [replaces(__do_munmap, doMunmapKeepWriteLock)],
};
