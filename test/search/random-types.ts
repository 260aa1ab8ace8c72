/** What random programs share. */
import { list_head } from "../../runtime/machine/list.ts";
import { rcu_head } from "../../runtime/machine/rcu.ts";
import { rw_semaphore } from "../../runtime/machine/rwsem.ts";
import { embed, int, mutex, pointer, refcount, spinlock, Struct, words } from "../../runtime/machine/struct.ts";
import { completion, wait_queue_head } from "../../runtime/machine/wait.ts";
import { work_struct } from "../../runtime/machine/workqueue.ts";

/** What is allocated, counted and freed. */
export class thing extends Struct {
  val = int();
  ref = refcount();
  lock = spinlock();
  rcu = embed(rcu_head);
}
export class shared_words extends Struct {
  static readonly short: string = "s";
  x = int();
  y = int();
  ptr = pointer(() => thing);
  a = spinlock();
  b = mutex();
  sem = embed(rw_semaphore);
  wq = embed(wait_queue_head);
  done = embed(completion);
  list = embed(list_head);
  node = embed(list_head);
  work = embed(work_struct);
}
/** What CPUs keep their results in. */
export class outcome_words extends Struct {
  values = words(6);
}
