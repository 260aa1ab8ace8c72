/** Functions, objects and callbacks of a script's own. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AsWritten } from "../../interpreter/pickers.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { record } from "../../interpreter/trace.ts";
import { judge } from "../../interpreter/verdict.ts";
import { bound, checked, reportsOf } from "../support/bound.ts";

const script = (...lines: readonly string[]): string => `kernel v5.2\n${lines.join("\n")}\n`;

/** What the names hold at the end of the one run that a script without races has. */
function results(...lines: readonly string[]): Record<string, string> {
  const program = bound(script(...lines));
  const director = simulate(program);
  record(director, new AsWritten(), { maxSteps: 10_000 });
  const { machine } = director;
  return Object.fromEntries(program.outcomeWords.map((w) => [w.name, w.show(machine, machine.peek(w.addr))]));
}
const kinds = (...lines: readonly string[]): string[] => reportsOf(checked(bound(script(...lines))));
const exitOf = (...lines: readonly string[]): number => judge(checked(bound(script(...lines)))).exitCode;

const functions = suite("functions");

functions("C's statements do what they do in C", () => {
  const { a, b, c, d, e, f } = results(
    "static int sum(int n)",
    "{",
    "\tint i, s = 0;",
    "\tfor (i = 0; i < n; i++) {",
    "\t\tif (i == 3)",
    "\t\t\tcontinue;",
    "\t\tif (i > 7)",
    "\t\t\tbreak;",
    "\t\ts += i;",
    "\t}",
    "\treturn s;",
    "}",
    "fn collatz(n) {",
    "  steps = 0",
    "  while n != 1 {",
    "    n = n % 2 == 0 ? n / 2 : 3 * n + 1",
    "    steps++",
    "  }",
    "  return steps",
    "}",
    "fn back(n) {",
    "  x = 0",
    "again:",
    "  x |= 1 << n",
    "  if n > 0 {",
    "    n--",
    "    goto again",
    "  }",
    "  return x",
    "}",
    "fn which(x) {",
    "  switch (x) {",
    "  case 1:",
    "  case 2:",
    "    return 10",
    "  case 3:",
    "    x = 30",
    "    break",
    "  default:",
    "    x = -EINVAL",
    "  }",
    "  return x",
    "}",
    "fn factorial(n) {",
    "  if (n <= 1) return 1",
    "  return n * factorial(n - 1)",
    "}",
    "fn last(range) {",
    "  x = 0",
    "  for addr in range {",
    "    x = addr",
    "  }",
    "  return x",
    "}",
    "cpu0: a = sum 20",
    "cpu0: b = collatz 27",
    "cpu0: c = which 2",
    "cpu0: d = which 7",
    "cpu0: e = factorial 10",
    "cpu0: f = last 0x1000..0x5000",
  );
  assert.equal([a, b, c, d, e, f], ["25", "111", "10", "-EINVAL", "0x375f00", "0x4000"]);
});

functions("a loop that comes back to the same statement with the same locals is the same state", () => {
  const result = checked(
    bound(
      script(
        "var go = 0",
        "fn wait_for() {",
        "again:",
        "  x = READ_ONCE(go)",
        "  if x == 0 {",
        "    goto again",
        "  }",
        "}",
        "race {",
        "  cpu0: wait_for",
        "  cpu1: WRITE_ONCE(go, 1)",
        "}",
      ),
    ),
  );
  assert.is(result.explored.states, 3);
  assert.equal(result.reports, []);
});

functions("locals that nobody wants any more are no part of a state", () => {
  const states = (forget: string): number =>
    checked(
      bound(
        script(
          "var x = 0",
          "var done = 0",
          "fn look() {",
          "  seen = x",
          `  ${forget}`,
          "  done = 1",
          "}",
          "race {",
          "  cpu0: look",
          "  cpu1: x = 1",
          "}",
        ),
      ),
    ).explored.states;
  assert.ok(states("y = 0") < states("done = seen"));
});

functions("who spins for ever goes round, with or without shared memory, inside a race and outside", () => {
  assert.equal(kinds("var go = 0", "fn spin() {", "  while (!go);", "}", "race {", "  cpu0: spin", "}"), ["livelock"]);
  assert.equal(kinds("fn spin() {", "  while true { cpu_relax() }", "}", "cpu0: spin"), ["livelock"]);
  assert.equal(kinds("cpu0: {", "  while true { load 0x1000 }", "}"), ["livelock"]);
});

functions("recursion ends at the bottom of the stack", () => {
  const [report] = checked(bound(script("fn f(n) {", "  return f(n + 1)", "}", "cpu0: f 0"))).reports;
  assert.is(report?.finding.kind, "bug");
  assert.match(report?.finding.message ?? "", /kernel stack overflow: more than 100 calls/);
});

functions("an object local to a call is gone when the call is over", () => {
  const lines = (before: string): string[] => [
    "struct box { completion done; unsigned long value; }",
    "struct box *there;",
    "fn wait_in_box() {",
    "  struct box box = { .value = 7 }",
    "  there = &box",
    `  ${before}`,
    "}",
    "race {",
    "  cpu0: wait_in_box",
    "  cpu1: {",
    "    wait there != NULL",
    "    b = there",
    "    b.value = 8",
    "    complete b.done",
    "  }",
    "}",
  ];
  assert.equal(kinds(...lines("wait_for_completion box.done")), []);
  assert.equal(kinds(...lines("cpu_relax()")), ["use-after-free"]);
});

functions("each call has objects of its own, and one in a loop is the same in each turn", () => {
  const { a, b } = results(
    "fn inner(n) {",
    "  u64 words[2] = { n, n + 1 }",
    "  if n > 0 {",
    "    inner(n - 1)",
    "  }",
    "  return words[0] * 10 + words[1]",
    "}",
    "fn loop() {",
    "  total = 0",
    "  for (i = 0; i < 3; i++) {",
    "    u64 w[1];",
    "    w[0] = i",
    "    total += w[0]",
    "  }",
    "  return total",
    "}",
    "cpu0: a = inner 4",
    "cpu0: b = loop",
  );
  assert.equal([a, b], ["45", "3"]);
});

functions("what is allocated and forgotten leaks; what is embedded leads back to its object", () => {
  const lines = (end: string): string[] => [
    "struct gpu { kref kref; list_head list; unsigned long id; }",
    "list_head gpus",
    "fn gpu_release(kref) {",
    "  gpu = container_of(kref, struct gpu, kref)",
    "  list_del gpu.list",
    "  kfree gpu",
    "}",
    "fn gpu_add(id) {",
    "  gpu = kzalloc(sizeof(struct gpu), GFP_KERNEL)",
    "  kref_init gpu.kref",
    "  gpu.id = id",
    "  list_add_tail gpu.list gpus",
    "  return gpu",
    "}",
    "fn ids() {",
    "  struct gpu *gpu",
    "  all = 0",
    "  list_for_each_entry(gpu, &gpus, list) {",
    "    all = all * 10 + gpu.id",
    "  }",
    "  return all",
    "}",
    "cpu0: a = gpu_add 1",
    "cpu0: b = gpu_add 2",
    "cpu0: all = ids",
    `cpu0: ${end}`,
    "cpu0: kref_put(&b.kref, gpu_release)",
    "cpu0: rest = ids",
  ];
  assert.equal(kinds(...lines("kref_put(&a.kref, gpu_release)")), []);
  const { all, rest } = results(...lines("kref_put(&a.kref, gpu_release)"));
  assert.equal([all, rest], ["12", "0"]);
  assert.equal(kinds(...lines("list_del a.list"), "cpu0: a = NULL"), ["leak"]);
});

functions("RCU: freed after the readers, and not before", () => {
  const lines = (free: string): string[] => [
    "struct ctx { unsigned long value; rcu_head rcu; }",
    "struct ctx *current_ctx;",
    "fn read_value() {",
    "  rcu_read_lock()",
    "  ctx = rcu_dereference(current_ctx)",
    "  v = 0",
    "  if ctx != NULL {",
    "    v = ctx.value",
    "  }",
    "  rcu_read_unlock()",
    "  return v",
    "}",
    "fn replace() {",
    "  old = current_ctx",
    "  rcu_assign_pointer(current_ctx, NULL)",
    `  ${free}`,
    "}",
    "cpu0: current_ctx = kzalloc(sizeof(struct ctx), GFP_KERNEL)",
    "race {",
    "  cpu0: replace",
    "  cpu1: read_value",
    "}",
  ];
  assert.equal(kinds(...lines("kfree_rcu(old, rcu)")), []);
  assert.equal(kinds(...lines("synchronize_rcu(); kfree(old)")), []);
  assert.equal(kinds(...lines("kfree(old)")), ["use-after-free in read_value"]);
});

functions("work runs later, on an actor of its own, and is waited for", () => {
  const lines = (wait: string): string[] => [
    "struct job { work_struct work; unsigned long done; }",
    "fn job_run(work) {",
    "  job = container_of(work, struct job, work)",
    "  job.done = 1",
    "}",
    "fn start_and_free() {",
    "  job = kzalloc(sizeof(struct job), GFP_KERNEL)",
    "  INIT_WORK(&job.work, job_run)",
    "  schedule_work job.work",
    `  ${wait}`,
    "  kfree job",
    "}",
    "race {",
    "  cpu0: start_and_free",
    "}",
  ];
  assert.equal(kinds(...lines("flush_work job.work")), []);
  assert.ok(kinds(...lines("cpu_relax()")).some((kind) => kind.startsWith("use-after-free")));
});

functions("wait_event() sleeps until it is woken and its condition holds", () => {
  const lines = (wake: string): string[] => [
    "var ready = 0",
    "waitqueue wq",
    "fn sleeper(n) {",
    "  wait_event(wq, ready == n)",
    "}",
    "race {",
    "  cpu0: sleeper 1",
    "  cpu1: { ready = 1",
    `    ${wake} }`,
    "}",
  ];
  assert.equal(kinds(...lines("wake_up_all wq")), []);
  assert.equal(kinds(...lines("cpu_relax()")), ["deadlock in wait_event"]);
});

functions("callbacks are called as the kernel calls them, in C's spelling and in ours", () => {
  const body = ["cpu0: mmap 0x1000..0x5000", "cpu0: mmu_notifier_register mn mm ops", "cpu0: munmap 0x2000..0x4000"];
  const own = results(
    "var from = 0; var to = 0; var over = 0",
    "mmu_notifier mn",
    "mmu_notifier_ops ops {",
    "  invalidate_range_start(mn, range) {",
    "    from = range.start",
    "    to = range.end",
    "    return 0",
    "  }",
    "  invalidate_range_end(mn, range) { over++ }",
    "}",
    ...body,
  );
  assert.equal([own["from"], own["to"], own["over"]], ["0x2000", "0x4000", "1"]);
  const c = results(
    "static unsigned long from, to;",
    "struct mmu_notifier mn;",
    "static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)",
    "{",
    "\tfrom = range->start;",
    "\tto = range->end;",
    "\treturn 0;",
    "}",
    "static const struct mmu_notifier_ops ops = {",
    "\t.invalidate_range_start = start,",
    "};",
    ...body,
  );
  assert.equal([c["from"], c["to"]], ["0x2000", "0x4000"]);
});

functions("a callback may take start and end as one range", () => {
  const { n } = results(
    "var n = 0",
    "mmu_notifier mn",
    "mmu_notifier_ops ops {",
    "  invalidate_range(mn, mm, range) {",
    "    n = (range.end - range.start) >> PAGE_SHIFT",
    "  }",
    "}",
    "cpu0: mmap 0x1000..0x5000",
    "cpu0: store 0x2000 1",
    "cpu0: mmu_notifier_register mn mm ops",
    "cpu0: munmap 0x2000..0x4000",
  );
  assert.is(n, "2");
});

functions("a CPU stops at a label of a function, and a race goes on from there", () => {
  const exit = exitOf(
    "var n = 0",
    "fn f() {",
    "  n = 1",
    "again:",
    "  n = n + 1",
    "  if (n < 4) goto again",
    "  return n",
    "}",
    "cpu0: ret = f until f.again #2",
    "expect n == 2",
    "race {",
    "  cpu0: continue",
    "  cpu0: more = ret + 1",
    "  cpu1: n = 10",
    "}",
    "expect more == ret + 1",
    "expect sometimes ret == 4",
    "expect sometimes ret == 11",
    "expect sometimes ret == 10",
  );
  assert.is(exit, 0);
});

functions("allocations and other calls fail where a script says so", () => {
  const { a, b, c, d, e } = results(
    "struct box { unsigned long x; }",
    "hmm_mirror m",
    "fn make() {",
    "  p = kzalloc(sizeof(struct box), GFP_KERNEL)",
    "  if p == NULL {",
    "    return -ENOMEM",
    "  }",
    "  kfree p",
    "  return 0",
    "}",
    "cpu0: fail kmalloc #2",
    "cpu0: a = make",
    "cpu0: b = make",
    "cpu0: c = make",
    "cpu0: fail hmm_mirror_register",
    "cpu0: down_write mm.mmap_sem",
    "cpu0: d = hmm_mirror_register m mm",
    "cpu0: e = hmm_mirror_register m mm",
    "cpu0: up_write mm.mmap_sem",
  );
  assert.equal([a, b, c, d, e], ["0", "-ENOMEM", "0", "-ENOMEM", "0"]);
  assert.is(
    exitOf(
      "struct box { unsigned long x; }",
      "cpu0: {",
      "  maybe fail kzalloc",
      "  p = kzalloc(sizeof(struct box), GFP_KERNEL)",
      "  failed = p == NULL",
      "  kfree p",
      "  p = NULL",
      "}",
      "expect sometimes failed",
      "expect sometimes !failed",
    ),
    0,
  );
});

functions("CPUs run in address spaces of their own", () => {
  const { mine, other } = results(
    "cpu0: mmap 0x1000..",
    "cpu0: store 0x1000 5",
    "cpu0: mine = load 0x1000",
    "cpu1: child = mm_alloc()",
    "cpu1: switch_mm child",
    "cpu1: mmap 0x1000..",
    "cpu1: other = load 0x1000",
    "cpu1: users = current->mm->mm_users",
    "cpu1: child = current->mm",
    "cpu1: mmput child",
  );
  assert.equal([mine, other], ["5", "0"]);
});

functions.run();
