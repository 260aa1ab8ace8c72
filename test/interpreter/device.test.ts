/** Devices and the primitives of drivers, as scripts use them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hmm } from "../support/cli.ts";
import { bound, checked, reportsOf } from "../support/bound.ts";

const test = suite("device");

const MAPPED = `kernel v5.2
device gpu
cpu0: mmap 0x1000..0x3000
cpu0: store 0x1008 7
cpu0: hmm_range_fault ...
cpu0: n = device_map gpu 0x1000..0x3000
`;

test("a device maps what the CPU has faulted, and reads and writes through it", () => {
  const script = `${MAPPED}cpu0: x = device_read gpu 0x1008
cpu0: device_write gpu 0x2000 9
cpu0: y = load 0x2000
show device gpu
cpu0: device_unmap gpu 0x1000..
show device
cpu0: z = device_read gpu 0x1008
cpu1: other = device_map gpu 0x1000..0x3000
expect n == 2
expect x == 7
expect y == 9
expect z == -EFAULT
expect other == -EINVAL`;
  const { out, code } = hmm(["run", "-e", script]);
  assert.is(code, 0, out);
  assert.match(out, /^ {2}gpu: 0x1000 -> page \d+ rw\n {2}gpu: 0x2000 -> page \d+ rw\n/m);
  assert.match(out, /^device:\n {2}gpu: 0x2000 -> page \d+ rw\ncpu0/m);
});

test("a page that the device kept is told with what became of it", () => {
  const script = `${MAPPED}cpu0: munmap 0x1000..0x3000
show device
cpu1: device_write gpu 0x2000
expect bug stale-translation in device_write`;
  const { out, code } = hmm(["run", "-e", script]);
  assert.is(code, 0, out);
  assert.match(out, /gpu: 0x2000 -> page \d+ rw, stale: its page was freed/);
  assert.match(out, /^BUG: stale-translation in device_write: device gpu writes 0x2000 after its page was freed$/m);
  assert.match(out, /^Freed by cpu0, which holds &mm->mmap_sem \(read\):$/m);
});

test("a range of the script's own can be mapped and unmapped as it is", () => {
  const script = `kernel v5.2
device gpu
hmm_mirror m
hmm_range r
cpu0: {
  mmap 0x1000..0x3000
  down_write mm.mmap_sem
  hmm_mirror_register m mm
  up_write mm.mmap_sem
  hmm_range_register r mm 0x1000..0x3000
  down_read mm.mmap_sem
  hmm_range_fault r write
  up_read mm.mmap_sem
  n = device_map gpu r
  x = device_read gpu 0x1000
  device_unmap gpu r
  y = device_read gpu 0x1000
  hmm_range_unregister r
}
expect n == 2
expect x == 0
expect y == -EFAULT`;
  const { out, code } = hmm(["check", "-e", script]);
  assert.is(code, 0, out);
});

test("a race of a device with munmap, without a callback that lets go", () => {
  const script = `${MAPPED}race {
  cpu0: munmap 0x1000..0x3000
  cpu1: x = device_read gpu 0x1008
}
expect bug stale-translation
expect sometimes x == 7`;
  assert.equal(reportsOf(checked(bound(script))), ["stale-translation in device_read"]);
});

/** Nothing but what it declares tells two scripts apart. */
const states = (script: string): number => checked(bound(script)).explored.states;
test("scripts that map no addresses pay nothing for those that do", () => {
  const race = `kernel v5.2
cpu0: mmap 0x1000..0x3000
race {
  cpu0: ret = hmm_range_fault ...
  cpu1: store 0x1000 1
}`;
  assert.is(states(`device gpu\n${race}`), states(race));
});

test("what drivers call can be called", () => {
  const script = `kernel v5.2
hmm_range r
hlist_head bucket
hlist_node node
list_head list
list_head entry
completion done
wait_queue_head wq
kref k
cpu0: {
  spin_lock_irqsave(&mm->page_table_lock, flags)
  lockdep_assert_held(&mm->page_table_lock)
  spin_unlock_irqrestore(&mm->page_table_lock, flags)
  spin_lock_irq &mm->page_table_lock
  spin_unlock_irq &mm->page_table_lock
  a = down_write_killable mm.mmap_sem
  lockdep_assert_held_write mm.mmap_sem
  up_write mm.mmap_sem
  refcount_set k.refcount 2
  refcount_dec k.refcount
  b = refcount_dec_and_test(&k.refcount)
  c = atomic64_add_return(2, &mm->mm_count)
  atomic_long_sub 2 mm.mm_count
  hlist_add_head_rcu node bucket
  hlist_del_init_rcu node
  d = hlist_empty bucket
  INIT_LIST_HEAD list
  list_add_rcu entry list
  list_del_rcu entry
  e = list_empty list
  init_completion done
  init_waitqueue_head wq
  wake_up wq
}
expect a == 0
expect b
expect c == 3
expect d
expect e`;
  const { out, code } = hmm(["check", "-e", script]);
  assert.is(code, 0, out);
});

test("a refcount_t is no atomic_t", () => {
  const kref = "kref k\n";
  for (const [call, message] of [
    ["atomic_inc k.refcount", "`atomic_inc` expects an atomic counter for `v`, `k.refcount` is a reference count"],
    [
      "refcount_inc mm.mm_users",
      "`refcount_inc` expects a reference count for `r`, `mm.mm_users` is an atomic counter",
    ],
    ["k.refcount = 1", "`k.refcount` is a counter: it cannot be assigned to"],
    ["lockdep_assert_held mm", "`lockdep_assert_held` expects a lock for `lock`, `mm` is a struct mm_struct"],
  ] as const) {
    const { err, code } = hmm(["check", "-e", `${kref}cpu0: ${call}`]);
    assert.is(code, 2);
    assert.ok(err.includes(message), err);
  }
  assert.ok(hmm(["check", "-e", `${kref}cpu0: k.refcount += 1`]).err.includes("`refcount_inc(&k.refcount)`"));
});

test("an assertion about a lock that is not held is a lockdep report", () => {
  const { out, code } = hmm(["run", "-e", "cpu0: lockdep_assert_held mm.mmap_sem\nexpect bug lockdep"]);
  assert.is(code, 0, out);
  assert.match(out, /lockdep_assert_held\(\) failed/);
});

test.run();
