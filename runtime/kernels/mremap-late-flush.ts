/** CVE-2018-18281 put back: mremap() flushes when everything has been moved and the locks of the tables are gone. */
import { replaces } from "../machine/function.ts";
import { move_page_tables, move_ptes, movePageTablesFlushLate, movePtesFlushLate } from "../mm/mremap.ts";
import { erasOf, type Patch } from "../patch.ts";

export const mremapLateFlush: Patch = {
  name: "mremap-late-flush",
  subject: "the state before eb66ae030829, mremap: properly flush TLB before releasing the page",
  source: "CVE-2018-18281, 4.19 and before",
  eras: erasOf({ since: "v4.19" }),
  builtIn: { until: "v4.19" },
  needs: [],
  replacements: [replaces(move_page_tables, movePageTablesFlushLate), replaces(move_ptes, movePtesFlushLate)],
};
