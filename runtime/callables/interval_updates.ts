/** What "make interval notifier updates safe" lets a driver call, from within invalidate() too. */
import { number, object, optional, range, returnsNumber, type Callable } from "../callable.ts";
import type { Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { mm_struct } from "../mm/mm_types.ts";
import { mmu_interval_notifier_insert_safe, mmu_interval_notifier_update, source } from "../mm/mmu_interval_update.ts";
import { mmu_interval_notifier, mmu_interval_notifier_ops } from "../mm/mmu_notifier_types.ts";
import { withOps } from "./interval_notifiers.ts";

const patch = "interval-updates-safe";
const since = "v5.5";
const sub = object("sub", () => mmu_interval_notifier);

export const intervalUpdateCallables: readonly Callable[] = [
  {
    name: "mmu_interval_notifier_insert_safe",
    params: [
      sub,
      object("mm", () => mm_struct),
      range("range", "length"),
      optional(
        object("ops", () => mmu_interval_notifier_ops),
        NULL(mmu_interval_notifier_ops),
      ),
    ],
    result: returnsNumber,
    summary: "registers an interval notifier, from `invalidate` too; -EINVAL if its mm has had none yet",
    source,
    since,
    patch,
    registers: "sub",
    run: withOps(mmu_interval_notifier_insert_safe),
  },
  {
    name: "mmu_interval_notifier_update",
    params: [sub, number("start"), number("length")],
    result: returnsNumber,
    summary: "the same with any numbers: -EOVERFLOW if that is no range",
    source,
    since,
    patch,
    run: mmu_interval_notifier_update,
  },
  {
    name: "mmu_interval_notifier_update",
    params: [sub, range("range", "length")],
    result: returnsNumber,
    summary: "moves an interval notifier; waits for invalidations unless its ops have a `release`",
    source,
    since,
    patch,
    run: (sub: mmu_interval_notifier, start: number, end: number): Kernel<number> =>
      mmu_interval_notifier_update(sub, start, end - start),
  },
];
