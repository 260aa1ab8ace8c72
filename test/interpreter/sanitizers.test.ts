/** Programs with what nobody sees go wrong in them, and the same put right: lockdep, sleepers, RCU, data races. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CheckResult } from "../../interpreter/check.ts";
import { tokenOf } from "../../interpreter/schedule.ts";
import { bound, checked, reportsOf } from "../support/bound.ts";
import { captured as hmm } from "./support/captured.ts";

const test = suite("sanitizers");

const program = (text: string): string => `kernel v5.2\n${text}`;
const result = (text: string): CheckResult => checked(bound(program(text)));
const reports = (text: string): string[] => reportsOf(result(text));
/** What `hmm run` says to the schedule of the first report that is no deadlock. */
function replayed(text: string): string {
  const script = bound(program(text));
  const report = checked(script).reports.find(({ finding }) => finding.kind !== "deadlock");
  if (report === undefined) throw new Error("nothing was found");
  const token = tokenOf(script, report.schedule, report.before);
  const run = hmm(["run", "-e", program(text), "--schedule", token]);
  assert.is(run.err, "");
  return run.out;
}

// ---- lockdep

const LOCKS = `
mutex a
mutex b
mutex c
fn ab() {
  mutex_lock a
  mutex_lock b
  mutex_unlock b
  mutex_unlock a
}
fn ba() {
  mutex_lock b
  mutex_lock a
  mutex_unlock a
  mutex_unlock b
}
`;
test("a circle of two locks without a race at all", () => {
  const text = `${LOCKS}cpu0: ab()\ncpu0: ba()\n`;
  assert.equal(reports(text), ["lockdep in ab", "lockdep in ba"]);
  assert.match(replayed(text), /^-> #1 \(b\), with \(a\) held: cpu0 in ab$/m);
});
test("the same order everywhere is no circle, nor is a lock that is given up in between", () => {
  assert.equal(reports(`${LOCKS}race {\n  cpu0: ab()\n  cpu1: ab()\n}\n`), []);
  const between = "fn one() {\n  mutex_lock b\n  mutex_unlock b\n  mutex_lock a\n  mutex_unlock a\n}\n";
  assert.equal(reports(`${LOCKS}${between}race {\n  cpu0: ab()\n  cpu1: one()\n}\n`), []);
  const tries = "fn tries() {\n  mutex_lock b\n  if (mutex_trylock(a)) mutex_unlock a\n  mutex_unlock b\n}\n";
  assert.equal(reports(`${LOCKS}${tries}race {\n  cpu0: ab()\n  cpu1: tries()\n}\n`), []);
});
test("orders from runs that exclude each other, and a schedule that has both", () => {
  const text = `${LOCKS}var first
race {
  cpu0: {
    if (cmpxchg(first, 0, 1) == 0) ab()
  }
  cpu1: {
    if (cmpxchg(first, 0, 2) == 0) ba()
  }
}
`;
  assert.equal(reports(text), ["lockdep in ab", "lockdep in ba"]);
  const [report] = result(text).reports;
  assert.is(report?.before?.length, 1);
  const out = replayed(text);
  assert.match(out, /^WARNING: possible circular locking dependency detected in (ab|ba)$/m);
  assert.match(out, /^ +lock\((a|b)\);$/m);
});
test("a circle of three, through a lock of the kernel", () => {
  const text = `${LOCKS}
fn bm() {
  mutex_lock b
  down_write mm.mmap_sem
  up_write mm.mmap_sem
  mutex_unlock b
}
fn ma() {
  down_read mm.mmap_sem
  mutex_lock a
  mutex_unlock a
  up_read mm.mmap_sem
}
race {
  cpu0: ab()
  cpu1: bm()
  cpu2: ma()
}
expect lockdep
`;
  const out = hmm(["check", "-e", program(text)]).out;
  assert.match(out, /^WARNING: possible circular locking dependency detected/m);
  assert.match(out, /^Chain exists of:$/m);
  assert.match(out, /&mm->mmap_sem/);
  assert.match(replayed(text), /^\*\*\* DEADLOCK \*\*\*$/m);
});
test("a driver that allocates under the lock that its invalidate takes", () => {
  const driver = (gfp: string): string => `
mutex gpu_lock
fn reclaim() {
  fs_reclaim_acquire GFP_KERNEL
  mutex_lock gpu_lock
  mutex_unlock gpu_lock
  fs_reclaim_release GFP_KERNEL
}
fn fill() {
  mutex_lock gpu_lock
  p = kzalloc(sizeof(struct kref), ${gfp})
  kfree p
  mutex_unlock gpu_lock
}
race {
  cpu0: reclaim()
  cpu1: fill()
}
`;
  assert.equal(reports(driver("GFP_KERNEL")), ["lockdep in fill", "lockdep in reclaim"]);
  assert.equal(reports(driver("GFP_NOWAIT")), []);
});
test("on 5.6 registering a notifier primes the map, and a callback that allocates is told", () => {
  const text = (gfp: string): string => `kernel v5.6
mutex gpu_lock
mmu_notifier_ops gpu_ops {
  invalidate_range_start(mn, range) {
    mutex_lock gpu_lock
    mutex_unlock gpu_lock
    return 0
  }
}
mmu_notifier n
fn fill() {
  mutex_lock gpu_lock
  p = kzalloc(sizeof(struct kref), ${gfp})
  kfree p
  mutex_unlock gpu_lock
}
n.ops = gpu_ops
cpu0: mmap 0x1000..0x3000
cpu0: mmu_notifier_register n mm
cpu0: munmap 0x1000..0x2000
cpu0: fill()
cpu0: mmu_notifier_unregister n mm
`;
  assert.match(hmm(["run", "-e", text("GFP_KERNEL")]).out, /mmu_notifier_invalidate_range_start/);
  assert.not.match(hmm(["run", "-e", text("GFP_ATOMIC")]).out, /WARNING/);
});
test("two locks of one class want nested variants", () => {
  const text = (lock: string): string => `
struct gpu {
  mutex lock
}
gpu g
gpu h
fn both() {
  mutex_lock g.lock
  ${lock}
  mutex_unlock h.lock
  mutex_unlock g.lock
}
race {
  cpu0: both()
  cpu1: both()
}
`;
  assert.equal(reports(text("mutex_lock h.lock")), ["lockdep in both"]);
  assert.equal(reports(text("mutex_lock_nested h.lock 1")), []);
});

// ---- who must not sleep

test("sleeping under a spinlock is told in the function that does it, and the path goes on", () => {
  const text = (take: string, give: string): string => `
spinlock s
mutex m
fn bad() {
  ${take}
  mutex_lock m
  mutex_unlock m
  ${give}
}
race {
  cpu0: bad()
  cpu1: bad()
}
expect sometimes true
`;
  assert.equal(reports(text("spin_lock_irqsave(s, flags)", "spin_unlock_irqrestore(s, flags)")), [
    "sleep-in-atomic in bad",
  ]);
  const out = replayed(text("spin_lock_irqsave(s, flags)", "spin_unlock_irqrestore(s, flags)"));
  assert.match(out, /^BUG: sleeping function called from invalid context at kernel\/locking\/mutex.c in bad$/m);
  assert.match(out, /^in_atomic\(\): 1, irqs_disabled\(\): 1, non_block: 0$/m);
  assert.equal(reports(text("preempt_disable()", "preempt_enable()")), ["sleep-in-atomic in bad"]);
  assert.equal(reports(text("might_sleep()", "cond_resched()")), []);
});
test("what is left off at the end is told", () => {
  assert.equal(reports("cpu0: preempt_disable()\n"), ["sleep-in-atomic"]);
  assert.equal(reports("cpu0: {\n  preempt_disable()\n  preempt_enable()\n}\n"), []);
});
test("a callback of RCU must not sleep; a work item may", () => {
  const text = (queue: string): string => `
struct item {
  rcu_head rcu
  work_struct work
}
mutex m
item i
fn locks(arg) {
  mutex_lock m
  mutex_unlock m
}
cpu0: {
  ${queue}
}
`;
  assert.equal(reports(text("call_rcu i.rcu locks")), ["sleep-in-atomic in locks"]);
  assert.equal(reports(text("INIT_WORK i.work locks\n  schedule_work i.work")), []);
});
test("an invalidation that must not block puts its callbacks where nobody sleeps", () => {
  const text = (start: string, kernel = "v5.6"): string => `kernel ${kernel}
mutex gpu_lock
mmu_notifier_ops gpu_ops {
  invalidate_range_start(mn, range) {
    mutex_lock gpu_lock
    mutex_unlock gpu_lock
    return 0
  }
}
mmu_notifier n
n.ops = gpu_ops
cpu0: mmap 0x1000..0x3000
cpu0: mmu_notifier_register n mm
cpu0: ${start} mm 0x1000..0x2000
cpu0: mmu_notifier_invalidate_range_end mm 0x1000..0x2000
cpu0: mmu_notifier_unregister n mm
`;
  const blocked = hmm(["run", "-e", text("mmu_notifier_invalidate_range_start_nonblock")]).out;
  assert.match(blocked, /non_block: 1/);
  const older = hmm(["run", "-e", text("mmu_notifier_invalidate_range_start_nonblock", "v5.2")]).out;
  assert.not.match(older, /non_block: 1/, "kernels look since 5.4");
  assert.not.match(hmm(["run", "-e", text("mmu_notifier_invalidate_range_start")]).out, /non_block/);
});

// ---- RCU

const ITEMS = `
struct item {
  list_head list
  u64 value
}
struct item *shared
list_head items
srcu_struct domain
mutex m
`;
const rcuCase = (body: string): string => `${ITEMS}fn f() {\n  ${body.split("\n").join("\n  ")}\n}\ncpu0: f()\n`;
for (const [what, bad, good] of [
  [
    "a reader's pointer wants a reader",
    "p = rcu_dereference(shared)",
    "rcu_read_lock()\np = rcu_dereference(shared)\nrcu_read_unlock()",
  ],
  [
    "a protected pointer wants what protects it",
    "p = rcu_dereference_protected(shared, lockdep_is_held(m))",
    "mutex_lock m\np = rcu_dereference_protected(shared, lockdep_is_held(m))\nmutex_unlock m",
  ],
  [
    "a domain's pointer wants a reader of that domain",
    "rcu_read_lock()\np = srcu_dereference(shared, &domain)\nrcu_read_unlock()",
    "i = srcu_read_lock(domain)\np = srcu_dereference(shared, &domain)\nsrcu_read_unlock domain i",
  ],
  [
    "a list of readers is not walked by others",
    "struct item *pos\nlist_for_each_entry_rcu(pos, items, list) {\n  pos.value = 1\n}",
    "struct item *pos\nrcu_read_lock()\nlist_for_each_entry_rcu(pos, items, list) {\n  pos.value = 1\n}\n" +
      "rcu_read_unlock()",
  ],
  [
    "unless they say what allows it",
    "struct item *pos\nlist_for_each_entry_rcu(pos, items, list, lockdep_is_held(m)) {\n  pos.value = 1\n}",
    "struct item *pos\nmutex_lock m\nlist_for_each_entry_rcu(pos, items, list, lockdep_is_held(m)) {\n" +
      "  pos.value = 1\n}\nmutex_unlock m",
  ],
] as const)
  test(what, () => {
    assert.equal(reports(rcuCase(bad)), ["rcu in f"]);
    assert.equal(reports(rcuCase(good)), []);
  });
test("who waits for readers must not be one, and waits for ever", () => {
  const kinds = (body: string): string[] => result(rcuCase(body)).reports.map(({ finding }) => finding.kind);
  assert.equal(kinds("i = srcu_read_lock(domain)\nsynchronize_srcu domain\nsrcu_read_unlock domain i"), [
    "deadlock",
    "rcu",
  ]);
  assert.match(
    hmm(["run", "-e", program(rcuCase("rcu_read_lock()\nmsleep 1\nrcu_read_unlock()"))]).out,
    /^WARNING: suspicious RCU usage in f\nIllegal context switch in RCU read-side critical section$/m,
  );
});

// ---- KCSAN

const RACE = (sanitizer: string, read: string, write: string): string => `
${sanitizer}
int word
fn reads() {
  return ${read}
}
fn writes() {
  ${write}
}
race {
  cpu0: got = reads()
  cpu1: writes()
}
`;
test("a plain access and a write at once are a race, if anybody asks", () => {
  const race = ["data-race in reads", "data-race in writes"];
  for (const [read, write, expected] of [
    ["word", "word = 1", race],
    ["word", "WRITE_ONCE word 1", race],
    ["READ_ONCE(word)", "word = 1", race],
    ["READ_ONCE(word)", "WRITE_ONCE word 1", []],
    ["word", "x = word", []],
  ] as const) {
    assert.equal(reports(RACE("sanitizer kcsan", read, write)), expected, `${read}, ${write}`);
    assert.equal(reports(RACE("", read, write)), [], `${read}, ${write}, without KCSAN`);
  }
  const text = RACE("sanitizer kcsan", "word", "WRITE_ONCE word 5");
  const out = replayed(text);
  assert.match(out, /^BUG: KCSAN: data-race in reads \/ writes$/m);
  assert.match(out, /^write \(marked\) to word of 8 bytes by cpu1: WRITE_ONCE\(word, 5\)\n {2}writes$/m);
  assert.match(out, /^read to word of 8 bytes by cpu0: word\n {2}reads$/m);
  assert.match(out, /^value changed: 0x0000000000000000 -> 0x0000000000000005$/m);
});
test("to expect one, or none, is to ask", () => {
  assert.equal(reports(`${RACE("", "word", "word = 1")}expect data-race in writes\n`).length, 2);
  assert.is(hmm(["check", "-e", program(`${RACE("", "word", "word = 1")}expect no data-race\n`)]).code, 1);
  assert.is(hmm(["check", "-e", program(`${RACE("", "READ_ONCE(word)", "word = 1")}expect data-race\n`)]).code, 0);
});
test("locks, atomics and user memory race with nobody", () => {
  const text = `
sanitizer kcsan
spinlock s
int word
atomic_t n
cpu0: mmap 0x1000..0x2000
fn f() {
  spin_lock s
  word += 1
  spin_unlock s
  atomic_inc n
  store 0x1000 7
}
race {
  cpu0: f()
  cpu1: f()
}
`;
  assert.equal(
    reports(text).filter((report) => /in f$/.test(report)),
    [],
  );
});

test.run();
