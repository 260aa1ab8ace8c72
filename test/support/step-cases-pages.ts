/** Scripts for test/mm/steps.test.ts: what copies, moves and takes away pages. */
import type { StepCase } from "./step-cases.ts";

const step = (name: string, setup: readonly string[], ...run: readonly string[]): StepCase => ({
  name,
  kernel: "v5.6",
  setup,
  run,
});

const MMAP = "cpu0: mmap 0x1000..0x4000";
const PAGE = "cpu0: store 0x1000 1";
const HUGE = ["cpu0: mmap 0x200000..0x400000 huge", "cpu0: store 0x200000 1"];
const forks: readonly StepCase[] = [
  step("fork", [MMAP, PAGE, "cpu0: load 0x2000"], "cpu0: child = fork"),
  step(
    "fork-nothing-to-copy",
    [MMAP, "cpu0: mmap 0x8000..0x9000 shared", "cpu0: store 0x8000 1"],
    "cpu0: child = fork",
  ),
  step("fork-huge", HUGE, "cpu0: child = fork"),
  step("fork-then-store", [MMAP, PAGE, "cpu0: child = fork"], "cpu0: store 0x1000 2", "cpu0: store 0x1000 3"),
];

const reclaim: readonly StepCase[] = [
  step("reclaim_pages", [MMAP, PAGE], "cpu0: reclaim_pages 0x1000..0x2000"),
  step("reclaim_pages-shared", [MMAP, PAGE, "cpu0: child = fork"], "cpu0: reclaim_pages 0x1000..0x2000"),
  step("reclaim_pages-file", ["cpu0: mmap 0x1000..0x2000 shared", PAGE], "cpu0: reclaim_pages 0x1000..0x2000"),
  step("load-swapped-out", [MMAP, PAGE, "cpu0: reclaim_pages 0x1000..0x2000"], "cpu0: load 0x1000"),
];

const MIGRATE = "cpu0: migrate_pages 0x1000..0x2000";
const migrations: readonly StepCase[] = [
  step("migrate_pages", [MMAP, PAGE], MIGRATE),
  step("migrate_pages-shared", [MMAP, PAGE, "cpu0: child = fork"], MIGRATE),
  step("migrate_pages-file", ["cpu0: mmap 0x1000..0x2000 shared", PAGE], MIGRATE),
  step("migrate_to_device", [MMAP, PAGE], "cpu0: migrate_to_device 0x1000..0x2000"),
  step("load-from-device", [MMAP, PAGE, "cpu0: migrate_to_device 0x1000..0x2000"], "cpu0: load 0x1000"),
  {
    ...step("load-from-device-ref", [MMAP, PAGE, "cpu0: migrate_to_device 0x1000..0x2000"], "cpu0: load 0x1000"),
    kernel: "v5.6 + device-private-page-ref",
  },
  step("load-migrating", [MMAP, PAGE, `${MIGRATE} until migrate_page`, "cpu1: load 0x1000"], "cpu0: continue"),
];

const PIN = "cpu0: pin_user_pages_fast 0x1000 write";
const SEQ = "v5.6 + fork-copies-pinned + gup-fast-write-protect-seq";
const references: readonly StepCase[] = [
  step("pin_user_pages_fast", [MMAP, PAGE], PIN),
  step("pin_user_pages_fast-absent", [MMAP], PIN),
  step("pin_user_pages_fast-huge", HUGE, "cpu0: pin_user_pages_fast 0x201000 write"),
  { ...step("pin_user_pages_fast-write-protect-seq", [MMAP, PAGE], PIN), kernel: SEQ },
  { ...step("fork-write-protect-seq", [MMAP, PAGE, PIN], "cpu0: child = fork"), kernel: SEQ },
];

const FILE = ["cpu0: mmap 0x200000..0x400000 shared file f", "cpu0: store 0x201000 1"];
const SMALL = [
  "cpu0: mmap 0x200000..0x400000",
  "cpu0: store 0x201000 1",
  "cpu0: madvise 0x200000..0x400000 MADV_HUGEPAGE",
];
const collapses: readonly StepCase[] = [
  step("khugepaged_scan_pmd", SMALL, "cpu0: khugepaged_scan_pmd 0x200000"),
  step(
    "khugepaged_scan_pmd-pinned",
    [...SMALL, "cpu0: get_user_pages_fast 0x201000 write"],
    "cpu0: khugepaged_scan_pmd 0x200000",
  ),
  step("madvise-pageout", [MMAP, PAGE], "cpu0: madvise 0x1000..0x2000 MADV_PAGEOUT"),
];
const files: readonly StepCase[] = [
  step("khugepaged_scan_file", FILE, "cpu0: khugepaged_scan_file 0x200000"),
  {
    ...step("khugepaged_scan_file-retract-notifies", FILE, "cpu0: khugepaged_scan_file 0x200000"),
    kernel: "v5.6 + retract-notifies",
  },
  step("iommu_read", [...FILE, "iommu mmu", "cpu0: iommu_bind mmu mm"], "cpu0: iommu_read mmu 0x201000"),
];

export const stepCasesOfPages: readonly StepCase[] = [
  ...forks,
  ...reclaim,
  ...migrations,
  ...references,
  ...files,
  ...collapses,
];
