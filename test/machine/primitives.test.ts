/** What drivers call beyond the bare primitives: other forms of them, and what makes an object ready for use. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { store } from "../../runtime/machine/access.ts";
import {
  atomic_add,
  atomic_add_return,
  atomic_add_unless,
  atomic_cmpxchg,
  atomic_dec_return,
  atomic_inc_return,
  atomic_read,
  atomic_sub,
  atomic_sub_and_test,
  atomic_sub_return,
  atomic_xchg,
  kref,
  kref_init,
  kref_read,
  refcount_dec,
} from "../../runtime/machine/atomic.ts";
import { kernelFunction, type KernelFunction } from "../../runtime/machine/function.ts";
import {
  hlist_add_head,
  hlist_empty,
  hlist_head,
  hlist_node,
  hlist_unhashed,
  INIT_HLIST_HEAD,
  INIT_HLIST_NODE,
  INIT_LIST_HEAD,
  list_add_tail,
  list_empty,
  list_head,
  list_move,
  list_move_tail,
  list_next,
} from "../../runtime/machine/list.ts";
import { lockdep_assert_held_read } from "../../runtime/machine/lockdep.ts";
import {
  mutex_init,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_lock_killable,
  mutex_unlock,
} from "../../runtime/machine/mutex.ts";
import {
  down_read_killable,
  down_write,
  down_write_killable,
  init_rwsem,
  rw_semaphore,
  up_read,
  up_write,
} from "../../runtime/machine/rwsem.ts";
import {
  spin_lock,
  spin_lock_bh,
  spin_lock_init,
  spin_lock_irq,
  spin_lock_irqsave,
  spin_unlock,
  spin_unlock_bh,
  spin_unlock_irq,
  spin_unlock_irqrestore,
} from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { atomic, container_of, embed, int, mutex, refcount, spinlock, Struct } from "../../runtime/machine/struct.ts";
import {
  complete_all,
  completion,
  init_completion,
  init_waitqueue_head,
  wait_queue_head,
  wake_up,
} from "../../runtime/machine/wait.ts";
import {
  cancel_work_sync,
  queue_work,
  schedule_work,
  system_wq,
  work_struct,
} from "../../runtime/machine/workqueue.ts";
import { brute } from "../support/brute.ts";
import { Rig, WORK_ACTOR } from "../support/rig.ts";

class thing extends Struct {
  users = atomic();
  refs = refcount();
  kref = embed(kref);
  lock = spinlock();
  other = mutex();
  sem = embed(rw_semaphore);
  list = embed(list_head);
  second = embed(list_head);
  a = embed(list_head);
  b = embed(list_head);
  bucket = embed(hlist_head);
  node = embed(hlist_node);
  done = embed(completion);
  wq = embed(wait_queue_head);
  work = embed(work_struct);
  word = int();
}
interface Scene {
  readonly rig: Rig;
  readonly t: thing;
}
function scene(): Scene {
  const rig = new Rig();
  return { rig, t: rig.object(thing, "t") };
}
const body = <R>(name: string, run: (t: thing) => Kernel<R>): KernelFunction<[thing], R> => kernelFunction(name, run);

const arithmetic = body("arithmetic", function* (t): Kernel<string> {
  yield* atomic_add(5, t.users);
  yield* atomic_sub(2, t.users);
  const results: (number | boolean)[] = [
    yield* atomic_add_return(4, t.users),
    yield* atomic_sub_return(1, t.users),
    yield* atomic_inc_return(t.users),
    yield* atomic_dec_return(t.users),
    yield* atomic_sub_and_test(5, t.users),
    yield* atomic_sub_and_test(1, t.users),
    yield* atomic_add_unless(t.users, 3, 0),
    yield* atomic_add_unless(t.users, 3, 7),
    yield* atomic_xchg(t.users, 10),
    yield* atomic_cmpxchg(t.users, 9, 20),
    yield* atomic_cmpxchg(t.users, 10, 20),
    yield* atomic_read(t.users),
  ];
  return results.join();
});
test("atomic_t adds, exchanges and compares, each in one step", () => {
  const { rig, t } = scene();
  rig.start(0, arithmetic, t).steps(0, 14);
  assert.ok(rig.machine.isFinished(0));
  rig.poke(t.users, 0);
  assert.is(rig.run(arithmetic, t), "7,6,7,6,false,true,false,true,3,10,10,20");
});

const dec = body("dec", function* (t): Kernel<void> {
  yield* refcount_dec(t.refs);
});
test("refcount_dec is for those who know that others hold the object", () => {
  for (const [start, end, messages] of [
    [2, 1, []],
    [1, -0x40000000, ["refcount: refcount_t: decrement hit 0; leaking memory."]],
    [0, -0x40000000, ["refcount: refcount_t: underflow; use-after-free."]],
  ] as const) {
    const { rig, t } = scene();
    rig.poke(t.refs, start);
    rig.run(dec, t);
    assert.is(rig.peek(t.refs), end);
    assert.equal(rig.messages(), messages);
  }
});
const countKref = body("countKref", function* (t): Kernel<number> {
  yield* kref_init(t.kref);
  return yield* kref_read(t.kref);
});
test("kref_read reads the count", () => {
  const { rig, t } = scene();
  assert.is(rig.run(countKref, t), 1);
});

for (const [name, take, give] of [
  ["irq", spin_lock_irq, spin_unlock_irq],
  ["bh", spin_lock_bh, spin_unlock_bh],
  ["irqsave", spin_lock_irqsave, spin_unlock_irqrestore],
] as const) {
  const inside = body(`inside_${name}`, function* (t): Kernel<void> {
    yield* take(t.lock);
    yield* store(t.word, 1);
    yield* give(t.lock);
  });
  test(`spin_lock_${name} is the spinlock itself`, () => {
    const { rig, t } = scene();
    rig.start(0, plain, t).steps(0, 1);
    rig.start(1, inside, t);
    assert.is(rig.next(1), `spin_lock_${name}(&t->lock)`);
    assert.not(rig.canMove(1));
    rig.go(0);
    rig.steps(1, 2);
    assert.is(rig.holds(1, t.lock), "exclusive");
    assert.is(rig.go(1), "done");
    assert.equal(rig.messages(), []);
  });
}
const plain = body("plain", function* (t): Kernel<void> {
  yield* spin_lock(t.lock);
  yield* spin_unlock(t.lock);
});

const unlessKilled = body("unlessKilled", function* (t): Kernel<string> {
  const results = [yield* mutex_lock_interruptible(t.other)];
  yield* mutex_unlock(t.other);
  results.push(yield* mutex_lock_killable(t.other));
  yield* mutex_unlock(t.other);
  results.push(yield* down_read_killable(t.sem));
  yield* lockdep_assert_held_read(t.sem);
  yield* up_read(t.sem);
  results.push(yield* down_write_killable(t.sem));
  yield* lockdep_assert_held_read(t.sem);
  yield* up_write(t.sem);
  return results.join();
});
const holdAll = body("holdAll", function* (t): Kernel<void> {
  yield* mutex_lock(t.other);
  yield* down_write(t.sem);
  yield* spin_lock(t.lock);
  yield* store(t.word, 1);
  yield* spin_unlock(t.lock);
  yield* up_write(t.sem);
  yield* mutex_unlock(t.other);
});
test("no signal ever comes, and a lock held for writing is not held for reading", () => {
  const { rig, t } = scene();
  assert.is(rig.run(unlessKilled, t), "0,0,0,0");
  assert.equal(rig.messages(), ["lockdep: lockdep_assert_held_read() failed"]);
  rig.start(1, holdAll, t).steps(1, 3);
  rig.start(0, unlessKilled, t);
  assert.is(rig.go(0), "blocked");
  assert.is(rig.next(0), "mutex_lock_interruptible(&t->other)");
});

const initLocks = body("initLocks", function* (t): Kernel<void> {
  yield* spin_lock_init(t.lock);
  yield* mutex_init(t.other);
  yield* init_rwsem(t.sem);
});
test("a lock can be made ready, but not while somebody holds it", () => {
  const { rig, t } = scene();
  rig.run(initLocks, t);
  assert.equal(rig.messages(), []);
  rig.start(1, holdAll, t).steps(1, 3);
  rig.run(initLocks, t);
  assert.equal(rig.messages(), Array(3).fill("lockdep: held lock freed!"));
  assert.equal([rig.peek(t.lock), rig.peek(t.other), rig.peek(t.sem.count)], [0, 0, 0]);
});

const moving = body("moving", function* (t): Kernel<string> {
  yield* INIT_LIST_HEAD(t.list);
  yield* INIT_LIST_HEAD(t.second);
  yield* list_add_tail(t.a, t.list);
  yield* list_add_tail(t.b, t.list);
  yield* list_move_tail(t.a, t.list);
  const first = yield* list_next(t.list, t.list);
  yield* list_move(t.a, t.second);
  const moved = yield* list_next(t.second, t.second);
  yield* list_move(t.b, t.second);
  const front = yield* list_next(t.second, t.second);
  return [first === t.b, moved === t.a, front === t.b, yield* list_empty(t.list)].join();
});
const misplaced = body("misplaced", function* (t): Kernel<void> {
  yield* INIT_LIST_HEAD(t.list);
  yield* list_move(t.a, t.list);
});
test("list_move takes an entry from one list to another, and only what is in one", () => {
  const { rig, t } = scene();
  assert.is(rig.run(moving, t), "true,true,true,true");
  const other = scene();
  assert.is(other.rig.start(0, misplaced, other.t).go(0), "fatal");
});

const hashing = body("hashing", function* (t): Kernel<string> {
  yield* store(t.bucket.first, t.node);
  yield* INIT_HLIST_HEAD(t.bucket);
  yield* INIT_HLIST_NODE(t.node);
  const before = [yield* hlist_empty(t.bucket), yield* hlist_unhashed(t.node)];
  yield* hlist_add_head(t.node, t.bucket);
  return [...before, yield* hlist_empty(t.bucket), yield* hlist_unhashed(t.node)].join();
});
test("an hlist and its nodes are made ready", () => {
  const { rig, t } = scene();
  assert.is(rig.run(hashing, t), "true,true,false,false");
});

const initWaiting = body("initWaiting", function* (t): Kernel<void> {
  yield* complete_all(t.done);
  yield* init_completion(t.done);
  yield* init_waitqueue_head(t.wq);
});
const wake = body("wake", function* (t): Kernel<void> {
  yield* wake_up(t.wq);
});
test("completions and wait queues are made ready; wake_up wakes everybody", () => {
  const { rig, t } = scene();
  rig.run(initWaiting, t);
  assert.is(rig.peek(t.done.done), 0);
  rig.poke(t.wq.waiting, 6);
  rig.run(wake, t);
  assert.is(rig.peek(t.wq.waiting), 0);
});

const counting = kernelFunction("counting", function* (item: work_struct): Kernel<void> {
  const t = container_of(item, thing, "work");
  yield* store(t.word, 1);
  yield* store(t.word, 2);
});
const queueIt = body("queueIt", function* (t): Kernel<boolean> {
  return yield* queue_work(t.work);
});
const again = kernelFunction("again", function* (item: work_struct): Kernel<void> {
  yield* schedule_work(item);
});
const cancel = body("cancel", function* (t): Kernel<boolean> {
  return yield* cancel_work_sync(t.work);
});
test("cancel_work_sync takes a work item off the queue, or waits until it has run", () => {
  const { rig, t } = scene();
  rig.poke(t.work.func, counting.id);
  assert.is(rig.run(cancel, t), false);
  assert.is(rig.run(queueIt, t), true);
  assert.is(rig.run(queueIt, t), false, "it is queued already");
  assert.is(rig.run(cancel, t), true);
  assert.is(rig.go(WORK_ACTOR), "blocked");
  assert.is(rig.peek(t.word), 0);
  assert.is(rig.run(queueIt, t), true, "it can be queued again");
  rig.steps(WORK_ACTOR, 2);
  rig.start(0, cancel, t);
  assert.is(rig.go(0), "blocked");
  assert.is(rig.peek(t.word), 1);
  rig.go(WORK_ACTOR);
  assert.is(rig.go(0), "done");
  assert.is(rig.peek(t.word), 2);
});
test("a work item that queues itself again does not outlive cancel_work_sync", () => {
  const { rig, t } = scene();
  rig.poke(t.work.func, again.id);
  rig.run(queueIt, t);
  const graph = brute(rig.start(0, cancel, t).machine, {
    cpus: [0],
    atEnd: () => assert.equal([rig.peek(t.work.pending), rig.peek(system_wq.running)], [0, 0]),
  });
  assert.is(graph.deadlocks, 0);
});

test.run();
