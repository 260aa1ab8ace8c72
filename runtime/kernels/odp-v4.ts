/**
 * "Use HMM for ODP v4", Jerome Glisse, April and May 2019: on-demand paging on top of hmm_mirror. Never merged.
 *
 * It replaces the ODP of 5.2, which used get_user_pages_remote() and is not modelled: with this patch ODP exists,
 * without it it does not, so there are no bodies to replace.
 */
import type { Patch } from "../patch.ts";

export const odpV4: Patch = {
  name: "odp-v4",
  subject: "[PATCH v4 0/1] Use HMM for ODP v4",
  source: "linux-rdma, 2019-05-22",
  eras: ["v5.2"],
  needs: [],
  replacements: [],
};
