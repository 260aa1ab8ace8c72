/** The body in the mail: no RCU, for by some lock of its own nobody registers or unregisters meanwhile. */
import { load } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { hlist_del, hlist_empty } from "../machine/list.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { disarmEach, tellRelease } from "../mm/mmu_notifier_draft.ts";
import { mmu_notifier_release } from "../mm/mmu_notifier_release.ts";
import type { Patch } from "../patch.ts";

const release_each = disarmEach(function* (node, mm) {
  yield* fact("3b", hlist_del(node));
  yield* tellRelease(node, mm);
}, "ALT-SERIAL");
function* release(mm: mm_struct): Kernel<void> {
  if (!(yield* hlist_empty(mm.mmu_notifier.head))) yield* release_each(mm, yield* load(mm.mmu_notifier.head.first));
}

export const releaseExternalLock: Patch = {
  name: "release-external-lock",
  subject: "Re: [patch 1/6] mmu_notifier: Core code: serialized by other code design",
  source: "linux-kernel, 2008-01-30",
  eras: ["mmu-notifier-v3"],
  needs: [],
  replacements: [replaces(mmu_notifier_release, release, "ALT-SERIAL")],
};
