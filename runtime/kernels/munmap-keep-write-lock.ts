/** CVE-2021-20200: munmap() does not let readers in while a stack above the hole could grow into it. */
import { replaces } from "../machine/function.ts";
import { __do_munmap, doMunmapKeepWriteLock } from "../mm/mmap.ts";
import { ERAS, type Patch } from "../patch.ts";

export const munmapKeepWriteLock: Patch = {
  name: "munmap-keep-write-lock",
  subject: "mm/mmap.c: close race between munmap() and expand_upwards()/downwards()",
  source: "246c320a8cfe, 5.8",
  eras: ERAS,
  needs: [],
  replacements: [replaces(__do_munmap, doMunmapKeepWriteLock)],
};
