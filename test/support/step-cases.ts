/** Scripts for test/mm/steps.test.ts: one function on one path each, run alone. */
import { stepCasesOfPages } from "./step-cases-pages.ts";
import { stepCasesMmOps } from "./step-cases-mm-ops.ts";
import { stepCases5_6 } from "./step-cases-v5_6.ts";

export interface StepCase {
  /** Name of the golden: the function, and the path where it has several. */
  readonly name: string;
  readonly kernel: string;
  /** Statements that are not shown. */
  readonly setup: readonly string[];
  /** Statements whose steps are the golden. */
  readonly run: readonly string[];
}

const V52 = "v5.2";
const ODP = "v5.2 + odp-v4";
const DRIVER_MMGET = "v5.2 + odp-v4 + odp-mmget-not-zero";
const RANGE_MMGET = "v5.2 + odp-v4 + hmm-range-mmget";

const step = (name: string, kernel: string, setup: readonly string[], ...run: readonly string[]): StepCase => ({
  name,
  kernel,
  setup,
  run,
});

const MMAP = "cpu0: mmap 0x1000..0x4000";
const PAGE = "cpu0: store 0x1000 1";
const locked = (call: string): readonly string[] => [
  "cpu0: down_write mm->mmap_sem",
  `cpu0: ${call}`,
  "cpu0: up_write mm->mmap_sem",
];

const memory: readonly StepCase[] = [
  step("mmap-first", V52, [], MMAP),
  step("mmap-between", V52, ["cpu0: mmap 0x1000..0x2000", "cpu0: mmap 0x5000..0x6000"], "cpu0: mmap 0x3000..0x4000"),
  step("mmap-fixed-over-another", V52, [MMAP], "cpu0: mmap 0x1000..0x4000 r fixed"),
  step("mmap-exists", V52, [MMAP], "cpu0: mmap 0x3000..0x5000"),
  step("munmap-middle", V52, [MMAP, PAGE, "cpu0: store 0x2000 1"], "cpu0: munmap 0x2000..0x3000"),
  step("munmap-whole", V52, [MMAP, PAGE, "cpu0: mmap 0x8000..0x9000"], "cpu0: munmap 0x1000..0x4000"),
  step("munmap-nothing", V52, [MMAP], "cpu0: munmap 0x8000..0x9000"),
  step("find_vma", V52, ["cpu0: mmap 0x1000..0x2000", "cpu0: mmap 0x5000..0x6000"], "cpu0: find_vma mm 0x3000"),
  step("load-absent", V52, [MMAP], "cpu0: load 0x1000"),
  step("load-no-vma", V52, [MMAP], "cpu0: load 0x9000"),
  step("store-absent", V52, [MMAP], PAGE),
  step("store-present", V52, [MMAP, PAGE], "cpu0: store 0x1008 2"),
  step("store-zero-page", V52, [MMAP, "cpu0: load 0x1000"], PAGE),
];

const lifetime: readonly StepCase[] = [
  step("mmput-not-last", V52, ["cpu0: mmget mm"], "cpu0: mmput mm"),
  step("mmput-last", V52, [MMAP, PAGE], "cpu0: mmput mm"),
  step(
    "mmput-last-mirror",
    V52,
    ["hmm_mirror m", MMAP, PAGE, "cpu0: load 0x2000", ...locked("hmm_mirror_register m mm")],
    "cpu0: mmput mm",
  ),
  step("mmget_not_zero-alive", V52, [], "cpu0: mmget_not_zero mm"),
  step("mmget_not_zero-dead", V52, ["cpu0: mmgrab mm", "cpu0: mmput mm"], "cpu0: mmget_not_zero mm"),
  step("mmgrab-mmdrop", V52, [], "cpu0: mmgrab mm", "cpu0: mmdrop mm"),
  step("mm_alloc", V52, [], "cpu0: other = mm_alloc"),
];

const NOTIFIER = "mmu_notifier n";
const REGISTER = "cpu0: mmu_notifier_register n mm";
const notifiers: readonly StepCase[] = [
  step("mmu_notifier_register-first", V52, [NOTIFIER], REGISTER),
  step("mmu_notifier_register-mapped", V52, [NOTIFIER, MMAP, PAGE, "cpu0: mmap 0x8000..0x9000 file data"], REGISTER),
  step(
    "mmu_notifier_register-second",
    V52,
    [NOTIFIER, "mmu_notifier n2", REGISTER],
    "cpu0: mmu_notifier_register n2 mm",
  ),
  step("mmu_notifier_unregister", V52, [NOTIFIER, REGISTER], "cpu0: mmu_notifier_unregister n mm"),
  step(
    "mmu_notifier_unregister-after-release",
    V52,
    [NOTIFIER, "cpu0: mmgrab mm", REGISTER, "cpu0: mmput mm"],
    "cpu0: mmu_notifier_unregister n mm",
  ),
  step(
    "mmu_notifier_unregister_no_release",
    V52,
    [NOTIFIER, REGISTER],
    "cpu0: mmu_notifier_unregister_no_release n mm",
  ),
  step(
    "mmu_notifier_invalidate_range",
    V52,
    [NOTIFIER, REGISTER],
    "cpu0: mmu_notifier_invalidate_range_start mm 0x1000..0x2000",
    "cpu0: mmu_notifier_invalidate_range_end mm 0x1000..0x2000",
  ),
];

const MIRROR = ["hmm_mirror m", MMAP, ...locked("hmm_mirror_register m mm")];
const RANGE = ["hmm_range r", ...MIRROR, "cpu0: hmm_range_register r mm 0x1000..0x3000"];
const LOCK = "cpu0: down_read mm->mmap_sem";
const UNLOCK = "cpu0: up_read mm->mmap_sem";
const mirrors: readonly StepCase[] = [
  step(
    "hmm_mirror_register-first",
    V52,
    ["hmm_mirror m", "cpu0: down_write mm->mmap_sem"],
    "cpu0: hmm_mirror_register m mm",
    "cpu0: up_write mm->mmap_sem",
  ),
  step(
    "hmm_mirror_register-second",
    V52,
    [...MIRROR, "hmm_mirror m2", "cpu0: down_write mm->mmap_sem"],
    "cpu0: hmm_mirror_register m2 mm",
    "cpu0: up_write mm->mmap_sem",
  ),
  step("hmm_mirror_unregister-last", V52, MIRROR, "cpu0: hmm_mirror_unregister m"),
  step(
    "hmm_mirror_unregister-not-last",
    V52,
    [...MIRROR, "hmm_mirror m2", ...locked("hmm_mirror_register m2 mm")],
    "cpu0: hmm_mirror_unregister m",
  ),
  step("hmm_mirror_unregister-after-exit", V52, [...MIRROR, "cpu0: mmput mm"], "cpu0: hmm_mirror_unregister m"),
  step("hmm_mirror_mm_is_alive", V52, MIRROR, "cpu0: hmm_mirror_mm_is_alive m"),
  step(
    "hmm_invalidate",
    V52,
    RANGE,
    "cpu0: mmu_notifier_invalidate_range_start mm 0x1000..0x2000",
    "cpu0: mmu_notifier_invalidate_range_end mm 0x1000..0x2000",
  ),
  step(
    "hmm_invalidate-nonblock",
    V52,
    RANGE,
    "cpu0: mmu_notifier_invalidate_range_start_nonblock mm 0x1000..0x2000",
    "cpu0: mmu_notifier_invalidate_range_end mm 0x1000..0x2000",
  ),
];

const ranges: readonly StepCase[] = [
  ...[V52, RANGE_MMGET].flatMap((kernel) => {
    const suffix = kernel === V52 ? "" : "-range-mmget";
    return [
      step(
        `hmm_range_register${suffix}`,
        kernel,
        ["hmm_range r", ...MIRROR],
        "cpu0: hmm_range_register r mm 0x1000..0x3000",
      ),
      step(
        `hmm_range_register-after-exit${suffix}`,
        kernel,
        ["hmm_range r", ...MIRROR, "cpu0: mmput mm"],
        "cpu0: hmm_range_register r mm 0x1000..0x3000",
      ),
      step(`hmm_range_unregister${suffix}`, kernel, RANGE, "cpu0: hmm_range_unregister r"),
    ];
  }),
  step(
    "hmm_range_unregister-last-user-range-mmget",
    RANGE_MMGET,
    [...RANGE, "cpu0: mmput mm"],
    "cpu0: hmm_range_unregister r",
  ),
  step("hmm_range_fault-absent", V52, [...RANGE, LOCK], "cpu0: hmm_range_fault r write", UNLOCK),
  step(
    "hmm_range_fault-present",
    V52,
    [...RANGE, PAGE, "cpu0: store 0x2000 1", LOCK],
    "cpu0: hmm_range_fault r write",
    UNLOCK,
  ),
  step(
    "hmm_range_fault-zero-page",
    V52,
    [...RANGE, "cpu0: load 0x1000", LOCK],
    "cpu0: hmm_range_fault r write",
    UNLOCK,
  ),
  step(
    "hmm_range_fault-read-only-request",
    V52,
    [...RANGE, "cpu0: load 0x1000", LOCK],
    "cpu0: hmm_range_fault r read",
    UNLOCK,
  ),
  step(
    "hmm_range_fault-invalid",
    V52,
    [...RANGE, "cpu0: mmu_notifier_invalidate_range_start mm 0x1000..0x2000", LOCK],
    "cpu0: hmm_range_fault r write",
  ),
  step(
    "hmm_range_fault-no-vma",
    V52,
    [...RANGE, "cpu0: munmap 0x1000..0x4000", LOCK],
    "cpu0: hmm_range_fault r write",
    UNLOCK,
  ),
  step("hmm_range_fault-dead", V52, [...RANGE, "cpu0: mmput mm", LOCK], "cpu0: hmm_range_fault r write", UNLOCK),
  step("hmm_range_snapshot", V52, [...RANGE, PAGE, LOCK], "cpu0: hmm_range_snapshot r", UNLOCK),
  step("hmm_range_snapshot-hole", V52, [...RANGE, LOCK], "cpu0: hmm_range_snapshot r", UNLOCK),
  step("hmm_range_valid", V52, RANGE, "cpu0: hmm_range_valid r"),
  step("hmm_range_wait_until_valid-valid", V52, RANGE, "cpu0: hmm_range_wait_until_valid r"),
  step("hmm_range_wait_until_valid-dead", V52, [...RANGE, "cpu0: mmput mm"], "cpu0: hmm_range_wait_until_valid r"),
  step(
    "hmm_range_dma_map",
    V52,
    [...RANGE, PAGE, "cpu0: store 0x2000 1", LOCK, "cpu0: hmm_range_fault r write"],
    "cpu0: hmm_range_dma_map r",
    UNLOCK,
  ),
  step(
    "hmm_range_dma_unmap",
    V52,
    [...RANGE, PAGE, "cpu0: store 0x2000 1", LOCK, "cpu0: hmm_range_fault r write", "cpu0: hmm_range_dma_map r"],
    "cpu0: hmm_range_dma_unmap r",
    UNLOCK,
  ),
];

const UMEM = ["ib_umem_odp umem", MMAP, "cpu0: ib_umem_odp_get umem 0x1000..0x4000"];
const FAULT = "cpu0: pagefault_mr umem 0x1000..0x2000";
const odp: readonly StepCase[] = [
  step("ib_umem_odp_get-first", ODP, ["ib_umem_odp umem", MMAP], "cpu0: ib_umem_odp_get umem 0x1000..0x4000"),
  step("ib_umem_odp_get-second", ODP, [...UMEM, "ib_umem_odp umem2"], "cpu0: ib_umem_odp_get umem2 0x2000..0x3000 r"),
  step("ib_umem_odp_release-last", ODP, [...UMEM, FAULT], "cpu0: ib_umem_odp_release umem"),
  step(
    "ib_umem_odp_release-not-last",
    ODP,
    [...UMEM, "ib_umem_odp umem2", "cpu0: ib_umem_odp_get umem2 0x2000..0x3000 r"],
    "cpu0: ib_umem_odp_release umem",
  ),
  step("pagefault_mr", ODP, [...UMEM, PAGE], FAULT),
  step("pagefault_mr-mmget-not-zero", DRIVER_MMGET, [...UMEM, PAGE], FAULT),
  step("pagefault_mr-range-mmget", RANGE_MMGET, [...UMEM, PAGE], FAULT),
  step("pagefault_mr-dead", ODP, [...UMEM, "cpu0: mmput mm"], FAULT),
  step("pagefault_mr-dead-mmget-not-zero", DRIVER_MMGET, [...UMEM, "cpu0: mmput mm"], FAULT),
  step("pagefault_mr-dead-range-mmget", RANGE_MMGET, [...UMEM, "cpu0: mmput mm"], FAULT),
  step("pagefault_mr-invalid", ODP, [...UMEM, "cpu0: mmu_notifier_invalidate_range_start mm 0x1000..0x2000"], FAULT),
  step(
    "pagefault_mr-zero-page-deadlock",
    ODP,
    [...UMEM, "cpu0: load 0x2000", FAULT],
    "cpu0: pagefault_mr umem 0x2000..0x3000",
  ),
  step(
    "ib_sync_cpu_device_pagetables",
    ODP,
    [...UMEM, FAULT],
    "cpu0: mmu_notifier_invalidate_range_start mm 0x1000..0x3000",
  ),
  step("ib_umem_notifier_release", ODP, [...UMEM, FAULT], "cpu0: mmu_notifier_release mm"),
  step("mlx5_ib_invalidate_range", ODP, [...UMEM, FAULT], "cpu0: mlx5_ib_invalidate_range umem 0x1000..0x3000"),
];

export const stepCases: readonly StepCase[] = [
  ...memory,
  ...lifetime,
  ...notifiers,
  ...mirrors,
  ...ranges,
  ...odp,
  ...stepCases5_6,
  ...stepCasesMmOps,
  ...stepCasesOfPages,
];
