/** kernel/fork.c: how an address space begins and ends. */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { atomic_dec_and_test, atomic_inc, atomic_inc_not_zero, atomic_read } from "../machine/atomic.ts";
import { BUG_ON, WARN_ON } from "../machine/bug.ts";
import { might_sleep } from "../machine/context.ts";
import { kernelFunction } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { hmm_mm_destroy } from "./hmm.ts";
import { exit_mmap } from "./exit_mmap.ts";
import { mmu_notifier_mm_destroy } from "./mmu_notifier_release.ts";
import { mmu_notifier_subscriptions_destroy } from "./mmu_notifier_release.ts";
import { mm_struct } from "./mm_types.ts";
import { allocate, initCount } from "./page_alloc.ts";
import { pgd_table } from "./pgtable.ts";

export const mm_alloc = kernelFunction(
  "mm_alloc",
  function* (): Kernel<mm_struct> {
    const mm = yield* allocate(mm_struct, "allocate_mm()");
    if (mm.isNull) return mm;
    return yield* mm_init(mm);
  },
  { source: "kernel/fork.c", params: [], summary: "A new, empty address space with one user." },
);

const mm_init = kernelFunction(
  "mm_init",
  function* (mm: mm_struct): Kernel<mm_struct> {
    yield* initCount(mm.mm_users, 1);
    yield* initCount(mm.mm_count, 1);
    const pgd = yield* allocate(pgd_table, "pgd_alloc(mm)");
    if (pgd.isNull) {
      yield* freeBy("free_mm", mm);
      return NULL(mm_struct);
    }
    yield* storePrivate(mm.pgd, pgd);
    return mm;
  },
  {
    source: "kernel/fork.c",
    facts: "mm_init",
    params: ["mm"],
    summary: "Initialises an mm: one user, who owns the one reference.",
    differs: "Nobody can reach the mm yet, so initialising it is no scheduling point.",
  },
);

export const mmget = kernelFunction(
  "mmget",
  function* (mm: mm_struct): Kernel<void> {
    yield* atomic_inc(mm.mm_users);
  },
  {
    source: "include/linux/sched/mm.h",
    params: ["mm"],
    summary: "One more user of the address space; the caller must be one already.",
  },
);
export const mmget_not_zero = kernelFunction(
  "mmget_not_zero",
  function* (mm: mm_struct): Kernel<boolean> {
    return yield* atomic_inc_not_zero(mm.mm_users);
  },
  {
    source: "include/linux/sched/mm.h",
    params: ["mm"],
    summary: "Becomes a user of the address space, unless it has none any more. The caller must hold mm_count.",
  },
);
export const mmgrab = kernelFunction(
  "mmgrab",
  function* (mm: mm_struct): Kernel<void> {
    yield* atomic_inc(mm.mm_count);
  },
  {
    source: "include/linux/sched/mm.h",
    params: ["mm"],
    summary: "One more reference to the mm_struct. It keeps the struct, not the address space.",
  },
);

export const mmput = kernelFunction(
  "mmput",
  function* (mm: mm_struct): Kernel<void> {
    yield* fact(1, might_sleep());
    if (yield* fact(2, atomic_dec_and_test(mm.mm_users))) yield* fact(2, __mmput(mm));
  },
  {
    source: "kernel/fork.c",
    facts: "mmput",
    params: ["mm"],
    summary: "One user of the address space less; the last one takes it down.",
  },
);
const __mmput = kernelFunction(
  "__mmput",
  function* (mm: mm_struct): Kernel<void> {
    yield* BUG_ON((yield* fact(1, atomic_read(mm.mm_users))) !== 0, "atomic_read(&mm->mm_users)");
    yield* fact(6, exit_mmap(mm));
    yield* fact(8, mmdrop(mm));
  },
  {
    source: "kernel/fork.c",
    facts: "__mmput",
    params: ["mm"],
    summary: "Takes the address space down.",
    differs: "No uprobes, aio, KSM, khugepaged or exe file.",
  },
);

export const mmdrop = kernelFunction(
  "mmdrop",
  function* (mm: mm_struct): Kernel<void> {
    if (yield* atomic_dec_and_test(mm.mm_count)) yield* __mmdrop(mm);
  },
  {
    source: "include/linux/sched/mm.h",
    params: ["mm"],
    summary: "One reference to the mm_struct less; the last one frees it.",
  },
);
/** Nobody else can reach the mm any more: looking is no step. */
const check_mm = kernelFunction(
  "check_mm",
  function* (mm: mm_struct): Kernel<void> {
    const rss = yield* loadPrivate(mm.rss_stat);
    yield* WARN_ON(rss !== 0, "BUG: Bad rss-counter state");
    const bytes = yield* loadPrivate(mm.pgtables_bytes);
    yield* WARN_ON(bytes !== 0, "BUG: non-zero pgtables_bytes on freeing mm");
  },
  {
    source: "kernel/fork.c",
    facts: "__mmdrop",
    params: ["mm"],
    summary: "Warns if pages or page tables of a dead address space have not been given back.",
    differs: "Pages are counted together, whatever they are; how many are left is not said.",
  },
);
type Destroy = typeof mmu_notifier_mm_destroy;
/** What the mm owns besides its page tables has changed. */
const destroyWith = (parts: () => readonly Destroy[]) =>
  function* (mm: mm_struct): Kernel<void> {
    const pgd = yield* loadPrivate(mm.pgd);
    yield* fact(3, freeBy("pgd_free", pgd));
    for (const part of parts()) yield* fact(5, part(mm));
    yield* fact(6, check_mm(mm));
    yield* fact(7, freeBy("free_mm", mm));
  };
const __mmdrop = kernelFunction(
  "__mmdrop",
  destroyWith(() => []),
  {
    source: "kernel/fork.c",
    facts: "__mmdrop",
    params: ["mm"],
    summary: "Frees what is left of an address space.",
  },
)
  .since(
    "v2.6.27",
    destroyWith(() => [mmu_notifier_mm_destroy]),
  )
  .since(
    "v5.2",
    destroyWith(() => [hmm_mm_destroy, mmu_notifier_mm_destroy]),
  )
  .since(
    "v5.3",
    destroyWith(() => [mmu_notifier_mm_destroy]),
  )
  .since(
    "v5.6",
    destroyWith(() => [mmu_notifier_subscriptions_destroy]),
  );
