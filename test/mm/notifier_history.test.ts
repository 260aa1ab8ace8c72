/** Which kernels have which races of mm/mmu_notifier.c: those that they are known for, and no others. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ERAS, erasOf, type Era, type Life } from "../../runtime/machine/era.ts";
import {
  comes,
  comesTooLate,
  exits,
  faults,
  isReaped,
  isReleased,
  leaves,
  registers,
  search,
  unregisters,
  type Scene,
} from "./notifier_scenes.ts";
import type { World } from "./world.ts";

interface Race {
  readonly what: string;
  readonly scene: (world: World) => Scene;
  /** Kernels in which it can be tried, and those of them that have the race. */
  readonly tried: Life;
  readonly have: readonly Era[];
  /** What tells it, and what the others say. */
  readonly found: string;
  readonly says?: string;
}
const RACES: readonly Race[] = [
  {
    what: "who has unregistered may free at once, in every kernel (R06)",
    scene: unregisters,
    tried: { since: "v2.6.27" },
    have: [],
    found: "use-after-free in __mmu_notifier_invalidate_range_end",
  },
  {
    what: "deleted first: what release() lets go of has been freed (R10, R13)",
    scene: (world) => exits(world, "unmap"),
    tried: { since: "v2.6.27" },
    have: ["v2.6.27", "v3.8"],
    found: "use-after-free in kvm_release",
  },
  {
    what: "deleted twice (R11)",
    scene: (world) => exits(world, "unregister"),
    tried: { since: "v2.6.27" },
    have: ["v3.6"],
    found: "null-deref in __hlist_del",
  },
  {
    what: "released twice (R12)",
    scene: isReleased,
    tried: { since: "v2.6.27" },
    have: ERAS.filter((era) => !["mmu-notifier-v3", "v2.6.27", "v3.8"].includes(era)),
    found: "released twice",
  },
  {
    what: "a start that is refused leaves others without an end (R22)",
    scene: isReaped,
    tried: { since: "v4.19" },
    have: erasOf({ since: "v4.19", until: "v5.12" }),
    found: "never told of the end",
  },
  {
    what: "removal returns while the end still works on the notifier (R27)",
    scene: leaves,
    tried: { since: "v5.5" },
    have: erasOf({ since: "v5.5", until: "v5.18" }),
    found: "use-after-free in hlist_del",
  },
  {
    what: "an interval comes to an mm that is gone (R32)",
    scene: comesTooLate,
    tried: { since: "v5.5" },
    have: erasOf({ since: "v5.5", until: "v5.10" }),
    found: "never told of the exit",
    says: "warning in __mmu_interval_notifier_insert",
  },
  {
    what: "no notifier comes between start and end (R09)",
    scene: registers,
    tried: { since: "v2.6.27" },
    have: [],
    found: "stale",
  },
  {
    what: "no interval comes unseen while it is invalidated (R24)",
    scene: (world) => comes(world, 0x8000),
    tried: { since: "v5.5" },
    have: [],
    found: "stale",
  },
  {
    what: "no fault gets past two invalidations (R18)",
    scene: (world) => faults(world, true),
    tried: { since: "v5.5" },
    have: [],
    found: "stale",
  },
];

for (const { what, scene, tried, have, found, says } of RACES)
  test(what, () => {
    for (const era of erasOf(tried)) {
      const told = search(era, scene);
      if (have.includes(era)) assert.ok(told.includes(found), `${era}: ${told.join(", ")}`);
      else assert.equal(told, says === undefined ? [] : [says], era);
    }
  });

test.run();
