/** Scripts for test/mm/steps.test.ts: what 5.6 has of its own. */
import type { StepCase } from "./step-cases.ts";

const step = (name: string, setup: readonly string[], ...run: readonly string[]): StepCase => ({
  name: `v5.6-${name}`,
  kernel: "v5.6",
  setup,
  run,
});

const START = "cpu0: mmu_notifier_invalidate_range_start mm 0x1000..0x2000";
const END = "cpu0: mmu_notifier_invalidate_range_end mm 0x1000..0x2000";
const INTERVAL = "mmu_interval_notifier sub";
const INSERT = "cpu0: mmu_interval_notifier_insert sub mm 0x1000..0x3000";
const INSERTED = [INTERVAL, INSERT];
const SECOND = "mmu_interval_notifier sub2";
const INSERT_SECOND = "cpu0: mmu_interval_notifier_insert sub2 mm 0x1000..0x3000";
const ELSEWHERE = "cpu0: mmu_notifier_invalidate_range_start mm 0x8000..0x9000";
const NOTIFIER = "mmu_notifier n";
const REGISTER = "cpu0: mmu_notifier_register n mm";

const intervals: readonly StepCase[] = [
  step("mmu_interval_notifier_insert-first", [INTERVAL], INSERT),
  step("mmu_interval_notifier_insert-second", [...INSERTED, SECOND], INSERT_SECOND),
  step("mmu_interval_notifier_insert-deferred", [...INSERTED, SECOND, START], INSERT_SECOND),
  step("mmu_interval_notifier_insert-partly-excluded", [...INSERTED, SECOND, ELSEWHERE], INSERT_SECOND),
  step(
    "mmu_interval_notifier_insert_locked",
    [INTERVAL, "cpu0: down_write mm->mmap_sem"],
    "cpu0: mmu_interval_notifier_insert_locked sub mm 0x1000..0x3000",
    "cpu0: up_write mm->mmap_sem",
  ),
  step("mmu_interval_notifier_remove", INSERTED, "cpu0: mmu_interval_notifier_remove sub"),
  step(
    "mmu_interval_notifier_remove-deferred-insert",
    [...INSERTED, SECOND, START, INSERT_SECOND],
    "cpu0: mmu_interval_notifier_remove sub2",
  ),
  step("mmu_interval_notifier_remove-waits", [...INSERTED, START], "cpu1: mmu_interval_notifier_remove sub", END),
  step("mmu_interval_read_begin", INSERTED, "cpu0: mmu_interval_read_begin sub"),
  step("mmu_interval_read_begin-waits", [...INSERTED, START], "cpu1: mmu_interval_read_begin sub", END),
  step(
    "mmu_interval_read_retry",
    [...INSERTED, "cpu0: seq = mmu_interval_read_begin sub", START, END],
    "cpu0: mmu_interval_read_retry sub seq",
    "cpu0: mmu_interval_check_retry sub seq",
  ),
];

const invalidations: readonly StepCase[] = [
  step("mmu_notifier_invalidate_range-interval", INSERTED, START, END),
  step("mmu_notifier_invalidate_range-no-overlap", INSERTED, ELSEWHERE, ELSEWHERE.replace("start", "end")),
  step("mmu_notifier_invalidate_range-list", [NOTIFIER, REGISTER], START, END),
  step("mmu_notifier_invalidate_range-deferred", [...INSERTED, SECOND, START, INSERT_SECOND], END),
  step("mmu_notifier_invalidate_range_start_nonblock", INSERTED, START.replace("start", "start_nonblock")),
  step("mmu_notifier_release", [...INSERTED, NOTIFIER, REGISTER], "cpu0: mmu_notifier_release mm"),
];

const MMAP = "cpu0: mmap 0x1000..0x4000";
const PAGE = "cpu0: store 0x1000 1";
const LOCK = "cpu0: down_read mm->mmap_sem";
const UNLOCK = "cpu0: up_read mm->mmap_sem";
const RANGE = [
  ...[INTERVAL, "hmm_range r", MMAP, INSERT],
  "cpu0: { r.notifier = &sub; r.start = 0x1000; r.end = 0x3000; r.default_flags = 3 }",
];
const BEGIN = "cpu0: r.notifier_seq = mmu_interval_read_begin(sub)";
const FAULT = "cpu0: hmm_range_fault r";
const faults: readonly StepCase[] = [
  step("hmm_range_fault-absent", [...RANGE, BEGIN, LOCK], FAULT, UNLOCK),
  step("hmm_range_fault-present", [...RANGE, PAGE, "cpu0: store 0x2000 1", BEGIN, LOCK], FAULT, UNLOCK),
  step("hmm_range_fault-zero-page", [...RANGE, "cpu0: load 0x1000", BEGIN, LOCK], `${FAULT} read`, UNLOCK),
  step("hmm_range_fault-snapshot", [...RANGE, PAGE, BEGIN, LOCK], `${FAULT} snapshot`, UNLOCK),
  step("hmm_range_fault-invalidated", [...RANGE, BEGIN, START, END, LOCK], FAULT, UNLOCK),
  step("hmm_range_fault-no-vma", [...RANGE, "cpu0: munmap 0x1000..0x4000", BEGIN, LOCK], FAULT, UNLOCK),
  step("hmm_range_fault-interval", [INTERVAL, MMAP, PAGE, INSERT], "cpu0: hmm_range_fault sub 0x1000..0x2000"),
];

const OPS = [
  "mmu_notifier_ops ops {",
  "  alloc_notifier(mm) {",
  "    n = kzalloc(sizeof(struct mmu_notifier), GFP_KERNEL)",
  "    return n",
  "  }",
  "  free_notifier(mn) {",
  "    kfree mn",
  "  }",
  "}",
];
const GET = "cpu0: n = mmu_notifier_get ops mm";
const PUT = "cpu0: mmu_notifier_put n";
const shared: readonly StepCase[] = [
  step("mmu_notifier_register-first", [NOTIFIER], REGISTER),
  step("mmu_notifier_unregister", [NOTIFIER, REGISTER], "cpu0: mmu_notifier_unregister n mm"),
  step("mmu_notifier_get-first", OPS, GET),
  step("mmu_notifier_get-second", [...OPS, GET], "cpu0: mmu_notifier_get ops mm"),
  step("mmu_notifier_put-not-last", [...OPS, GET, "cpu0: mmu_notifier_get ops mm"], PUT),
  step("mmu_notifier_put-last", [...OPS, GET], PUT),
  step("mmu_notifier_synchronize", [], "cpu0: mmu_notifier_synchronize"),
];

export const stepCases5_6: readonly StepCase[] = [...intervals, ...invalidations, ...shared, ...faults];
