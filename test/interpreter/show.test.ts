/** What `show` prints of page tables, TLBs, notifiers and who waits for readers. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hmm } from "../support/cli.ts";

const test = suite("show");

function shown(script: string): string[] {
  const { code, out, err } = hmm(["run", "-e", script]);
  assert.is(code, 0, err);
  return out.split("\n").filter((line) => line.startsWith("  "));
}

test("a CPU's translations, page by page, until they are flushed", () => {
  const mapped = "kernel v5.6; cpu0: mmap 0x1000..0x3000; cpu0: store 0x1000 1; cpu0: load 0x2000";
  const [first, second, ...more] = shown(`${mapped}; show tlb`);
  assert.match(first ?? "", /^ {2}cpu0: mm 0x1000 -> page \d+ rw$/);
  assert.match(second ?? "", /^ {2}cpu0: mm 0x2000 -> page \d+ ro$/);
  assert.equal(more, []);
  assert.equal(shown(`${mapped}; cpu0: munmap 0x1000..0x3000; show tlb`), ["  none"]);
});

test("a translation that the page tables do not know any more is stale", () => {
  const lines = shown(
    "kernel v5.6; cpu0: mmap 0x1000..0x2000; cpu0: store 0x1000 1; " +
      "cpu1: munmap 0x1000..0x2000 until tlb_finish_mmu; show tlb; cpu1: continue; show tlb",
  );
  assert.is(lines.length, 2);
  assert.match(lines[0] ?? "", /-> page \d+ rw \(stale: nothing is mapped there\)$/);
  assert.is(lines[1], "  none");
});

test("huge leaves say so", () => {
  const lines = shown(
    "kernel v5.6; cpu0: mmap 0x200000..0x400000 huge; cpu0: store 0x200000 1; show pagetables; show tlb",
  );
  assert.match(lines[0] ?? "", /^ {2}0x200000 -> huge page \d+ rw huge$/);
  assert.match(lines[1] ?? "", /^ {2}cpu0: mm 0x200000 -> huge page \d+ rw$/);
});

const INTERVALS = `kernel v5.6
  struct gpu {
    mmu_interval_notifier sub
  }
  struct gpu *low
  struct gpu *high
  mmu_interval_notifier_ops ops {
    invalidate(sub, range, cur_seq) {
      mmu_interval_set_seq sub cur_seq
      return true
    }
  }
  cpu0: low = kzalloc gpu
  cpu0: high = kzalloc gpu
  cpu0: mmu_interval_notifier_insert low.sub mm 0x1000..0x4000 ops
  cpu0: mmu_interval_notifier_insert high.sub mm 0x3000..0x9000 ops
`;

test("interval notifiers: the tree, what is deferred, who waits, and the callback that runs", () => {
  const lines = shown(
    `${INTERVALS}
    cpu1: mmu_notifier_invalidate_range_start mm 0x1000..0x2000 until mmu_interval_set_seq
    show notifiers
    cpu1: continue
    cpu2: mmu_interval_notifier_remove high.sub
    cpu3: mmu_interval_read_begin low.sub
    show notifiers
    cpu1: mmu_notifier_invalidate_range_end mm 0x1000..0x2000
    show notifiers`,
  );
  const [tree, counted] = ["(odd: tree stands still)", "active_invalidate_ranges 1  list: empty"];
  assert.equal(lines, [
    "  cpu1 in invalidate  of gpu->sub  for [0x1000, 0x2000)  MMU_NOTIFY_CLEAR  cur_seq 3",
    `  subscriptions  invalidate_seq 3  ${tree}  ${counted}`,
    "    itree: gpu->sub  [0x1000, 0x3fff]  invalidate_seq 1",
    "    itree: gpu#2->sub  [0x3000, 0x8fff]  invalidate_seq 1",
    `  subscriptions  invalidate_seq 3  ${tree}  ${counted}  wq: cpu2, cpu3`,
    "    itree: gpu->sub  [0x1000, 0x3fff]  invalidate_seq 3  (readers wait)",
    "    itree: gpu#2->sub  [0x3000, 0x8fff]  invalidate_seq 1",
    "    deferred_list: gpu#2->sub  waits to leave  [0x3000, 0x8fff]",
    "  subscriptions  invalidate_seq 4  (even: tree may change)  active_invalidate_ranges 0  list: empty",
    "    itree: gpu->sub  [0x1000, 0x3fff]  invalidate_seq 3",
  ]);
});

test("an interval notifier that was freed in its tree", () => {
  const lines = shown(`${INTERVALS}\ncpu0: kfree high\nshow notifiers`);
  assert.match(lines[1] ?? "", /^ {4}itree: gpu->sub {2}\[0x1000, 0x3fff\]/);
  assert.is(lines[2], "    itree: gpu#2->sub (freed)");
});

test("a callback of the list that may not sleep, and the notifiers of 5.2", () => {
  const [callback] = shown(`kernel v5.6
    mmu_notifier mn
    mmu_notifier_ops ops {
      invalidate_range_start(mn, range) {
        mm.mm_users
        return 0
      }
    }
    cpu0: mmu_notifier_register mn mm ops
    cpu1: mmu_notifier_invalidate_range_start_nonblock mm 0x1000..0x3000 until "mm->mm_users"
    show notifiers`);
  assert.is(callback, "  cpu1 in invalidate_range_start  of mn  for [0x1000, 0x3000)  MMU_NOTIFY_CLEAR  may not sleep");
  const lines = shown("kernel v5.2; mmu_notifier mn; cpu0: mmu_notifier_register mn mm; show notifiers");
  assert.equal(lines, ["  mn  ops no_ops", "  mmu_notifier_mm  list: mn"]);
});

test("who waits for readers, for which, and what is queued until they are gone", () => {
  const lines = shown(`kernel v5.6
    mmu_notifier mn
    mmu_notifier_ops ops {
      free_notifier(mn) {}
    }
    cpu0: mmu_notifier_register mn mm ops
    cpu1: srcu_read_lock
    cpu0: mmu_notifier_put mn
    cpu2: srcu_read_lock
    cpu3: mmu_notifier_synchronize
    cpu2: rcu_read_lock
    cpu4: synchronize_rcu
    show locks
    cpu1: srcu_read_unlock
    show locks
    cpu2: rcu_read_unlock
    cpu2: srcu_read_unlock
    show locks`);
  const rcu = "  rcu_read_lock(): cpu2 #2  waiting: cpu4 (for cpu2)";
  assert.equal(lines, [
    "  srcu_read_lock(&srcu): cpu1, cpu2 #1  waiting: cpu3 (for cpu1, cpu2), mmu_notifier_free_rcu() (for cpu1)",
    rcu,
    "  srcu_read_lock(&srcu): cpu2 #1  waiting: cpu3 (for cpu2)",
    rcu,
    "  none",
  ]);
});

test.run();
