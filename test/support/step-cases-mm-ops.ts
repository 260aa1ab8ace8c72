/** Scripts for test/mm/steps.test.ts: mprotect, mremap, madvise, the OOM reaper and fatal signals, as of 5.6. */
import type { StepCase } from "./step-cases.ts";

const step = (name: string, setup: readonly string[], ...run: readonly string[]): StepCase => ({
  name: `v5.6-${name}`,
  kernel: "v5.6",
  setup,
  run,
});

const PAGES = ["mmu_notifier mn", "cpu0: mmap 0x1000..0x4000", "cpu0: store 0x1000 1", "cpu0: store 0x2000 1"];
const WATCHED = [...PAGES, "cpu0: mmu_notifier_register mn mm"];
const HUGE = ["cpu0: mmap 0x400000..0x600000 huge", "cpu0: store 0x400000 1"];

export const stepCasesMmOps: readonly StepCase[] = [
  step("mprotect-middle", WATCHED, "cpu0: mprotect 0x2000..0x3000 r"),
  step("mprotect-nothing-mapped", ["cpu0: mmap 0x1000..0x4000"], "cpu0: mprotect 0x1000..0x4000 none"),
  step("mprotect-huge", HUGE, "cpu0: mprotect 0x400000..0x600000 r"),
  step("mprotect-huge-part", HUGE, "cpu0: mprotect 0x400000..0x401000 r"),
  step("change_prot_numa", PAGES, "cpu0: change_prot_numa 0x1000..0x2000"),
  step("change_prot_numa-huge", HUGE, "cpu0: change_prot_numa 0x400000..0x600000"),
  step("load-after-numa-hint", [...HUGE, "cpu0: change_prot_numa 0x400000..0x600000"], "cpu0: load 0x400000"),
  step("mremap-pages", WATCHED, "cpu0: mremap 0x1000..0x4000 0x10000"),
  step(
    "mremap-table",
    ["cpu0: mmap 0x400000..0x600000", "cpu0: store 0x400000 1"],
    "cpu0: mremap 0x400000..0x600000 0x800000",
  ),
  step("mremap-huge", HUGE, "cpu0: mremap 0x400000..0x600000 0x800000"),
  step("madvise-dontneed", WATCHED, "cpu0: madvise 0x1000..0x2000 MADV_DONTNEED"),
  step("madvise-dontneed-huge-part", HUGE, "cpu0: madvise 0x400000..0x401000 MADV_DONTNEED"),
  step("madvise-free", PAGES, "cpu0: madvise 0x1000..0x2000 MADV_FREE"),
  step("madvise-hugepage", ["cpu0: mmap 0x400000..0x600000"], "cpu0: madvise 0x400000..0x600000 MADV_HUGEPAGE"),
  step("madvise-hole", ["cpu0: mmap 0x2000..0x3000"], "cpu0: madvise 0x1000..0x3000 MADV_DONTNEED"),
  step("truncate", ["cpu0: mmap 0x1000..0x3000 shared file f", "cpu0: store 0x1000 1"], "cpu0: truncate f 0"),
  step("oom_reap_task_mm", WATCHED, "cpu0: oom_reap_task_mm mm"),
  step("mmput-victim", ["cpu0: mmap 0x1000..0x2000", "cpu0: mark_oom_victim mm"], "cpu0: mmput mm"),
  step("kill", ["cpu0: down_write mm->mmap_sem", "cpu0: kill cpu1"], "cpu1: munmap 0x1000..0x2000"),
];
