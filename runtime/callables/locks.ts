/** Locks, counters, RCU, lists and waiting, as scripts call them. */
import {
  lock,
  number,
  object,
  optional,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
  type Callable,
  type Param,
  type ResultKind,
} from "../callable.ts";
import {
  atomic_dec,
  atomic_dec_and_test,
  atomic_inc,
  atomic_inc_not_zero,
  atomic_read,
  atomic_set,
  kref,
  kref_get,
  kref_get_unless_zero,
  kref_init,
} from "../machine/atomic.ts";
import {
  INIT_LIST_HEAD,
  list_add,
  list_add_tail,
  list_del,
  list_del_init,
  list_empty,
  list_head,
} from "../machine/list.ts";
import { mutex_lock, mutex_trylock, mutex_unlock } from "../machine/mutex.ts";
import {
  rcu_barrier,
  rcu_read_lock,
  rcu_read_unlock,
  srcu_barrier,
  srcu_read_lock,
  srcu_read_unlock,
  srcu_struct,
  synchronize_rcu,
  synchronize_srcu,
} from "../machine/rcu.ts";
import {
  down_read,
  down_read_trylock,
  down_write,
  down_write_trylock,
  downgrade_write,
  up_read,
  up_write,
} from "../machine/rwsem.ts";
import { spin_lock, spin_trylock, spin_unlock } from "../machine/spinlock.ts";
import {
  complete,
  complete_all,
  completion,
  reinit_completion,
  wait_for_completion,
  wait_queue_head,
  wake_up_all,
} from "../machine/wait.ts";
import { flush_work, schedule_work, work_struct } from "../machine/workqueue.ts";
import { srcu } from "../mm/mmu_notifier.ts";

type Row = readonly [name: string, run: Callable["run"], params: readonly Param[], result: ResultKind, summary: string];

const table = (source: string, rows: readonly Row[]): readonly Callable[] =>
  rows.map(([name, run, params, result, summary]) => ({ name, params, result, summary, source, run }));

const sem = [lock("sem", "rwsem")];
const rwsem = table("kernel/locking/rwsem.c", [
  ["down_read", down_read, sem, returnsNothing, "takes a rw_semaphore for reading; queues behind a waiting writer"],
  ["up_read", up_read, sem, returnsNothing, "gives up a rw_semaphore held for reading"],
  ["down_write", down_write, sem, returnsNothing, "takes a rw_semaphore for writing"],
  ["up_write", up_write, sem, returnsNothing, "gives up a rw_semaphore held for writing"],
  ["downgrade_write", downgrade_write, sem, returnsNothing, "goes on as a reader"],
  ["down_read_trylock", down_read_trylock, sem, returnsBoolean, "takes it for reading, if that needs no waiting"],
  ["down_write_trylock", down_write_trylock, sem, returnsBoolean, "takes it for writing, if that needs no waiting"],
]);

const spin = [lock("lock", "spinlock")];
const spinlocks = table("include/linux/spinlock.h", [
  ["spin_lock", spin_lock, spin, returnsNothing, "takes a spinlock"],
  ["spin_unlock", spin_unlock, spin, returnsNothing, "gives up a spinlock"],
  ["spin_trylock", spin_trylock, spin, returnsBoolean, "takes a spinlock, if it is free"],
]);

const mutex = [lock("lock", "mutex")];
const mutexes = table("kernel/locking/mutex.c", [
  ["mutex_lock", mutex_lock, mutex, returnsNothing, "takes a mutex"],
  ["mutex_unlock", mutex_unlock, mutex, returnsNothing, "gives up a mutex"],
  ["mutex_trylock", mutex_trylock, mutex, returnsBoolean, "takes a mutex, if it is free"],
]);

const v: readonly Param[] = [{ name: "v", of: { kind: "atomic" } }];
const atomics = table("include/linux/atomic.h", [
  ["atomic_read", atomic_read, v, returnsNumber, "the value of a counter"],
  ["atomic_set", atomic_set, [...v, number("i")], returnsNothing, "sets a counter"],
  ["atomic_inc", atomic_inc, v, returnsNothing, "adds one"],
  ["atomic_dec", atomic_dec, v, returnsNothing, "takes one away"],
  ["atomic_dec_and_test", atomic_dec_and_test, v, returnsBoolean, "takes one away; whether none is left"],
  ["atomic_inc_not_zero", atomic_inc_not_zero, v, returnsBoolean, "adds one, unless there is none"],
]);

const k = [object("kref", () => kref)];
const krefs = table("include/linux/kref.h", [
  ["kref_init", kref_init, k, returnsNothing, "begins with one reference"],
  ["kref_get", kref_get, k, returnsNothing, "one more reference; the caller must have one"],
  ["kref_get_unless_zero", kref_get_unless_zero, k, returnsBoolean, "a reference, unless the last one is gone"],
]);

const ssp = [
  optional(
    object("ssp", () => srcu_struct),
    srcu,
  ),
];
const rcus = [
  ...table("include/linux/rcupdate.h", [
    ["rcu_read_lock", rcu_read_lock, [], returnsNothing, "enters an RCU read section"],
    ["rcu_read_unlock", rcu_read_unlock, [], returnsNothing, "leaves an RCU read section"],
    ["synchronize_rcu", synchronize_rcu, [], returnsNothing, "waits for every read section under way"],
    ["rcu_barrier", rcu_barrier, [], returnsNothing, "waits until all queued callbacks have run"],
  ]),
  ...table("kernel/rcu/srcutree.c", [
    ["srcu_read_lock", srcu_read_lock, ssp, returnsNumber, "enters a read section of a domain (the notifiers')"],
    ["srcu_read_unlock", srcu_read_unlock, ssp, returnsNothing, "leaves a read section of a domain (the notifiers')"],
    ["synchronize_srcu", synchronize_srcu, ssp, returnsNothing, "waits for every read section of a domain under way"],
    ["srcu_barrier", srcu_barrier, ssp, returnsNothing, "waits until all queued callbacks of a domain have run"],
  ]),
];

const list = object("list", () => list_head);
const node = object("new", () => list_head);
const head = object("head", () => list_head);
const entry = object("entry", () => list_head);
const lists = table("include/linux/list.h", [
  ["INIT_LIST_HEAD", INIT_LIST_HEAD, [list], returnsNothing, "makes an empty list"],
  ["list_add", list_add, [node, head], returnsNothing, "adds in front"],
  ["list_add_tail", list_add_tail, [node, head], returnsNothing, "adds at the end"],
  ["list_del", list_del, [entry], returnsNothing, "takes an entry out and poisons it"],
  ["list_del_init", list_del_init, [entry], returnsNothing, "takes an entry out and leaves it an empty list"],
  ["list_empty", list_empty, [head], returnsBoolean, "whether a list has no entry"],
]);

const x = [object("x", () => completion)];
const work = [object("work", () => work_struct)];
const waiting = [
  ...table("kernel/sched/completion.c", [
    ["complete", complete, x, returnsNothing, "lets one wait pass"],
    ["complete_all", complete_all, x, returnsNothing, "lets every wait pass from now on"],
    ["wait_for_completion", wait_for_completion, x, returnsNothing, "waits until it is complete"],
    ["reinit_completion", reinit_completion, x, returnsNothing, "makes it incomplete again"],
  ]),
  ...table("kernel/sched/wait.c", [
    ["wake_up_all", wake_up_all, [object("wq", () => wait_queue_head)], returnsNothing, "wakes whoever waits"],
  ]),
  ...table("kernel/workqueue.c", [
    ["schedule_work", schedule_work, work, returnsBoolean, "queues a work item; false if it is queued already"],
    ["flush_work", flush_work, work, returnsNothing, "waits until a work item has run"],
  ]),
];

export const lockCallables: readonly Callable[] = [
  ...rwsem,
  ...spinlocks,
  ...mutexes,
  ...atomics,
  ...krefs,
  ...rcus,
  ...lists,
  ...waiting,
];
