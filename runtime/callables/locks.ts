/** Locks, RCU and waiting, as scripts call them. */
import {
  type Callable,
  ignored,
  lock,
  number,
  object,
  optional,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
} from "../callable.ts";
import { lockdep_assert_held, lockdep_assert_held_read, lockdep_assert_held_write } from "../machine/lockdep.ts";
import {
  mutex_init,
  mutex_lock,
  mutex_lock_interruptible,
  mutex_lock_killable,
  mutex_lock_nested,
  mutex_trylock,
  mutex_unlock,
} from "../machine/mutex.ts";
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
  down_read_killable,
  down_read_nested,
  down_read_trylock,
  down_write,
  down_write_killable,
  down_write_nested,
  down_write_trylock,
  downgrade_write,
  init_rwsem,
  up_read,
  up_write,
} from "../machine/rwsem.ts";
import {
  spin_lock,
  spin_lock_bh,
  spin_lock_init,
  spin_lock_irq,
  spin_lock_irqsave,
  spin_lock_nested,
  spin_trylock,
  spin_unlock,
  spin_unlock_bh,
  spin_unlock_irq,
  spin_unlock_irqrestore,
} from "../machine/spinlock.ts";
import type { Kernel } from "../machine/step.ts";
import {
  complete,
  complete_all,
  completion,
  init_completion,
  init_waitqueue_head,
  reinit_completion,
  wait_for_completion,
  wait_queue_head,
  wake_up,
  wake_up_all,
} from "../machine/wait.ts";
import {
  cancel_work_sync,
  flush_work,
  queue_work,
  schedule_work,
  work_pending,
  work_struct,
} from "../machine/workqueue.ts";
import { srcu } from "../mm/mmu_notifier_hlist.ts";
import { table, type Row } from "./table.ts";

const sem = [lock("sem", "rwsem")];
const subclass = number("subclass");
const NESTED = "lockdep takes it for a lock of another class";
const KILLABLE = "-EINTR if a fatal signal ends the wait";
const rwsem = table("kernel/locking/rwsem.c", [
  ["init_rwsem", init_rwsem, sem, returnsNothing, "makes a rw_semaphore that nobody holds"],
  ["down_read", down_read, sem, returnsNothing, "takes a rw_semaphore for reading; queues behind a waiting writer"],
  ["up_read", up_read, sem, returnsNothing, "gives up a rw_semaphore held for reading"],
  ["down_write", down_write, sem, returnsNothing, "takes a rw_semaphore for writing"],
  ["up_write", up_write, sem, returnsNothing, "gives up a rw_semaphore held for writing"],
  ["downgrade_write", downgrade_write, sem, returnsNothing, "goes on as a reader"],
  ["down_read_trylock", down_read_trylock, sem, returnsBoolean, "takes it for reading, if that needs no waiting"],
  ["down_write_trylock", down_write_trylock, sem, returnsBoolean, "takes it for writing, if that needs no waiting"],
  ["down_read_nested", down_read_nested, [...sem, subclass], returnsNothing, `takes it for reading; ${NESTED}`],
  ["down_write_nested", down_write_nested, [...sem, subclass], returnsNothing, `takes it for writing; ${NESTED}`],
  ["down_read_killable", down_read_killable, sem, returnsNumber, `takes it for reading; ${KILLABLE}`],
  ["down_write_killable", down_write_killable, sem, returnsNumber, `takes it for writing; ${KILLABLE}`],
]);

const spin = [lock("lock", "spinlock")];
const spinFlags = [...spin, optional(ignored("flags"), 0)];
const AS_WITHOUT = "there are no interrupts here";
const takes = (name: string, run: Callable["run"]): Row => [
  name,
  run,
  spin,
  returnsNothing,
  `takes a spinlock; ${AS_WITHOUT}`,
];
const gives = (name: string, run: Callable["run"]): Row => [
  name,
  run,
  spin,
  returnsNothing,
  `gives up a spinlock; ${AS_WITHOUT}`,
];
const spinlocks = table("include/linux/spinlock.h", [
  ["spin_lock_init", spin_lock_init, spin, returnsNothing, "makes a spinlock that nobody holds"],
  ["spin_lock", spin_lock, spin, returnsNothing, "takes a spinlock"],
  ["spin_unlock", spin_unlock, spin, returnsNothing, "gives up a spinlock"],
  ["spin_lock_nested", spin_lock_nested, [...spin, subclass], returnsNothing, `takes a spinlock; ${NESTED}`],
  ["spin_trylock", spin_trylock, spin, returnsBoolean, "takes a spinlock, if it is free"],
  takes("spin_lock_irq", spin_lock_irq),
  gives("spin_unlock_irq", spin_unlock_irq),
  takes("spin_lock_bh", spin_lock_bh),
  gives("spin_unlock_bh", spin_unlock_bh),
  ["spin_lock_irqsave", spin_lock_irqsave, spinFlags, returnsNothing, `takes a spinlock; ${AS_WITHOUT}`],
  ["spin_unlock_irqrestore", spin_unlock_irqrestore, spinFlags, returnsNothing, `gives up a spinlock; ${AS_WITHOUT}`],
]);

const mutex = [lock("lock", "mutex")];
const mutexes = table("kernel/locking/mutex.c", [
  ["mutex_init", mutex_init, mutex, returnsNothing, "makes a mutex that nobody holds"],
  ["mutex_lock", mutex_lock, mutex, returnsNothing, "takes a mutex"],
  ["mutex_unlock", mutex_unlock, mutex, returnsNothing, "gives up a mutex"],
  ["mutex_lock_nested", mutex_lock_nested, [...mutex, subclass], returnsNothing, `takes a mutex; ${NESTED}`],
  ["mutex_trylock", mutex_trylock, mutex, returnsBoolean, "takes a mutex, if it is free"],
  ["mutex_lock_interruptible", mutex_lock_interruptible, mutex, returnsNumber, `takes a mutex; ${KILLABLE}`],
  ["mutex_lock_killable", mutex_lock_killable, mutex, returnsNumber, `takes a mutex; ${KILLABLE}`],
]);

const assertions = table("kernel/locking/lockdep.c", [
  ["lockdep_assert_held", lockdep_assert_held, [lock("lock", "any")], returnsNothing, "warns if this CPU has it not"],
  [
    "lockdep_assert_held_write",
    lockdep_assert_held_write,
    [lock("lock", "any")],
    returnsNothing,
    "warns if this CPU has it not, or for reading only",
  ],
  ["lockdep_assert_held_read", lockdep_assert_held_read, sem, returnsNothing, "warns if it is not held for reading"],
]);

function* noError(): Kernel<number> {
  return 0;
}
function* nothing(): Kernel<void> {}

/** What srcu_read_lock() gave; here there is one. */
const index = optional(ignored("idx"), 0);
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
    ["init_srcu_struct", noError, ssp, returnsNumber, "makes a domain; here it needs no memory, so always 0"],
    ["cleanup_srcu_struct", nothing, ssp, returnsNothing, "the end of a domain"],
    ["srcu_read_lock", srcu_read_lock, ssp, returnsNumber, "enters a read section of a domain (the notifiers')"],
    [
      "srcu_read_unlock",
      srcu_read_unlock,
      [...ssp, index],
      returnsNothing,
      "leaves a read section of a domain (the notifiers')",
    ],
    ["synchronize_srcu", synchronize_srcu, ssp, returnsNothing, "waits for every read section of a domain under way"],
    ["srcu_barrier", srcu_barrier, ssp, returnsNothing, "waits until all queued callbacks of a domain have run"],
  ]),
];

const x = [object("x", () => completion)];
const wq = [object("wq", () => wait_queue_head)];
const work = [object("work", () => work_struct)];
const waiting = [
  ...table("kernel/sched/completion.c", [
    ["init_completion", init_completion, x, returnsNothing, "makes a completion that nothing has completed"],
    ["complete", complete, x, returnsNothing, "lets one wait pass"],
    ["complete_all", complete_all, x, returnsNothing, "lets every wait pass from now on"],
    ["wait_for_completion", wait_for_completion, x, returnsNothing, "waits until it is complete"],
    ["reinit_completion", reinit_completion, x, returnsNothing, "makes it incomplete again"],
  ]),
  ...table("kernel/sched/wait.c", [
    ["init_waitqueue_head", init_waitqueue_head, wq, returnsNothing, "makes a queue in which nobody waits"],
    ["wake_up", wake_up, wq, returnsNothing, "wakes whoever waits, for nobody waits exclusively"],
    ["wake_up_all", wake_up_all, wq, returnsNothing, "wakes whoever waits"],
  ]),
  ...table("kernel/workqueue.c", [
    ["schedule_work", schedule_work, work, returnsBoolean, "queues a work item; false if it is queued already"],
    [
      "queue_work",
      (_wq: number, item: work_struct): Kernel<boolean> => queue_work(item),
      [ignored("wq"), ...work],
      returnsBoolean,
      "the same: there is one queue, whichever is named",
    ],
    ["work_pending", work_pending, work, returnsBoolean, "whether a work item is queued and has not begun"],
    ["flush_work", flush_work, work, returnsNothing, "waits until a work item has run"],
    ["cancel_work_sync", cancel_work_sync, work, returnsBoolean, "takes it off the queue and waits until it has run"],
  ]),
];

export const lockCallables: readonly Callable[] = [
  ...rwsem,
  ...spinlocks,
  ...mutexes,
  ...assertions,
  ...rcus,
  ...waiting,
];
