/**
 * What mm/mmu_notifier.c and its drivers must not become: each mutant is found by a search of a small scenario, which
 * finds nothing without it. What takes more than a step left out is a body of its own, in the place of the kernel's.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { replaces } from "../../runtime/machine/function.ts";
import { hlist_add_head_rcu } from "../../runtime/machine/list.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import type { Era, Patch } from "../../runtime/patch.ts";
import { gpu_invalidate } from "./gpus.ts";
import { addPlain, asIn, endAlways, kernelBody, patched, setSeqLate, startTwice } from "./mutant_bodies.ts";
import {
  arm,
  arms,
  armUnseen,
  comes,
  comesTooLate,
  exits,
  faults,
  isReaped,
  leaves,
  leavesByItself,
  leavesWithTheMm,
  registers,
  search,
  unregisters,
  type Scene,
} from "./notifier_scenes.ts";
import type { World } from "./world.ts";

interface Mutant {
  readonly name: string;
  readonly era: Era;
  readonly scene: (world: World) => Scene;
  readonly mutations?: readonly Mutation[];
  readonly patch?: Patch;
  /** What the kernel says of the scene by itself, and should. */
  readonly says?: string;
  /** What the search finds of it, among other things. */
  readonly found: string;
}
const MUTANTS: readonly Mutant[] = [
  {
    name: "M-NOSEQ1",
    era: "v5.6",
    scene: (world) => comes(world, 0x8000),
    mutations: [{ in: "__mmu_interval_notifier_insert", drop: "subscriptions->active_invalidate_ranges", result: 0 }],
    found: "stale",
  },
  {
    name: "M-TREEODD",
    era: "v5.6",
    scene: (world) => comes(world, 0x1000),
    mutations: [{ in: "__mmu_interval_notifier_insert", drop: "subscriptions->invalidate_seq", result: 2 }],
    found: "I3", // whoever walks the tree may or may not meet it
  },
  {
    name: "M-TREEODD, of who leaves",
    era: "v5.18",
    scene: leaves,
    mutations: [{ in: "mmu_interval_notifier_remove", drop: "subscriptions->invalidate_seq", result: 2 }],
    found: "use-after-free in mn_itree_inv_next",
  },
  {
    name: "M-EARLYWAKE",
    era: "v5.18",
    scene: leaves,
    mutations: [
      { in: "mn_itree_inv_end", swap: ["spin_unlock", "wake_up_all"] },
      { in: "mmu_interval_seq_released", drop: "spin_lock" },
      { in: "mmu_interval_seq_released", drop: "spin_unlock" },
    ],
    found: "use-after-free in hlist_del",
  },
  {
    name: "M-NOOR",
    era: "v5.6",
    scene: (world) => faults(world, true),
    patch: patched(kernelBody("mn_itree_inv_start_range", startTwice)),
    found: "stale",
  },
  {
    name: "M-ENDALWAYS",
    era: "v5.6",
    scene: (world) => faults(world, true),
    patch: patched(kernelBody("mn_itree_inv_end", endAlways)),
    found: "stale",
  },
  {
    name: "M-RETRYNOLOCK",
    era: "v5.6",
    scene: (world) => faults(world, false),
    mutations: [{ in: "gpu_fault", swap: ["mutex_lock", "mmu_interval_read_retry"] }],
    found: "stale",
  },
  {
    name: "M-SETSEQLATE",
    era: "v5.6",
    scene: (world) => faults(world, false),
    patch: patched(replaces(gpu_invalidate, setSeqLate)),
    found: "stale",
  },
  {
    name: "M-NOSYNC",
    era: "v5.2",
    scene: unregisters,
    mutations: [{ in: "mmu_notifier_unregister", drop: "synchronize_srcu" }],
    found: "use-after-free in __mmu_notifier_invalidate_range_end",
  },
  {
    name: "M-DELRCU",
    era: "v3.10",
    scene: (world) => exits(world, "unregister"),
    patch: patched(...asIn("v3.6", "mmu_notifier_unregister", true)),
    found: "null-deref in __hlist_del",
  },
  {
    name: "M-DELFIRST",
    era: "v3.10",
    scene: (world) => exits(world, "unmap"),
    patch: patched(...asIn("v3.8", "__mmu_notifier_release")),
    found: "use-after-free in kvm_release",
  },
  {
    name: "M-SRCUEARLY",
    era: "v4.19",
    scene: leavesByItself,
    patch: patched(...asIn("v3.10", "__mmu_notifier_release")),
    found: "use-after-free in hlist_del_init_rcu",
  },
  {
    name: "M-NOUNWIND",
    era: "v5.12",
    scene: isReaped,
    patch: patched(...asIn("v5.10", "mn_hlist_invalidate_range_start")),
    found: "never told of the end",
  },
  {
    name: "M-NOGRAB",
    era: "v5.6",
    scene: leavesWithTheMm,
    mutations: [{ in: "__mmu_interval_notifier_insert", drop: "mmgrab" }],
    found: "use-after-free in mmu_interval_notifier_remove",
  },
  {
    name: "M-CHECKCOUNT",
    era: "v5.10",
    scene: comesTooLate,
    says: "warning in __mmu_interval_notifier_insert",
    patch: patched(...asIn("v5.8", "__mmu_interval_notifier_insert")),
    found: "never told of the exit",
  },
  {
    name: "M-PLAINADD",
    era: "v5.3",
    scene: arms,
    patch: patched(replaces(arm, armUnseen), replaces(hlist_add_head_rcu, addPlain)),
    found: "null-deref in __mmu_notifier_invalidate_range",
  },
  {
    name: "M-NOALLLOCKS",
    era: "v5.2",
    scene: registers,
    mutations: [
      { in: "do_mmu_notifier_register", drop: "mm_take_all_locks", result: 0 },
      { in: "do_mmu_notifier_register", drop: "mm_drop_all_locks" },
    ],
    found: "stale",
  },
];

for (const mutant of MUTANTS)
  test(`${mutant.name} is found, and nothing without it`, () => {
    assert.equal(search(mutant.era, mutant.scene), mutant.says === undefined ? [] : [mutant.says]);
    const found = search(mutant.era, mutant.scene, mutant.patch, mutant.mutations);
    assert.ok(found.includes(mutant.found), found.join(", "));
  });

/** Those that other tests have found before. */
const ELSEWHERE: readonly (readonly [name: string, file: string, test: string])[] = [
  ["M-HASITREE", "mm_all_locks.test.ts", "without the locks of the rmap one does"],
];
const ALL = [
  ...["M-NOSEQ1", "M-TREEODD", "M-EARLYWAKE", "M-NOOR", "M-ENDALWAYS", "M-HASITREE", "M-RETRYNOLOCK", "M-SETSEQLATE"],
  ...[
    "M-NOSYNC",
    "M-DELRCU",
    "M-DELFIRST",
    "M-SRCUEARLY",
    "M-NOUNWIND",
    "M-NOGRAB",
    "M-CHECKCOUNT",
    "M-PLAINADD",
    "M-NOALLLOCKS",
  ],
];
test("every mutant is found somewhere", () => {
  const found = new Set([...MUTANTS, ...ELSEWHERE.map(([name]) => ({ name }))].map(({ name }) => name.split(",")[0]));
  assert.equal(
    ALL.filter((name) => !found.has(name)),
    [],
  );
  for (const [, file, title] of ELSEWHERE) assert.ok(readFileSync(`test/mm/${file}`, "utf8").includes(title), file);
});

test.run();
