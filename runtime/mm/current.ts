/** The task that runs on a CPU: one for each, with the address space that it runs in. */
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { ACTORS_MAX } from "../machine/rcu.ts";
import { at, flag, NULL, pointer, SLOT, Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { loadPrivate, storePrivate } from "../machine/access.ts";
import type { ImageWriter } from "../image.ts";
import { mmdrop, mmget, mmgrab } from "./fork.ts";
import { mm_struct } from "./mm_types.ts";

/** Differs: of a task there is what it runs in. Nobody else looks at it. */
export class task_struct extends Struct {
  static readonly short: string = "current";
  mm = pointer(() => mm_struct);
  /** It has no process: what it touches of one, others must keep alive. */
  kthread = flag();
}
const tasks = Array.from({ length: ACTORS_MAX }, () => staticObject(task_struct, "current"));
const first = tasks[0] as task_struct;

const which = primitive("current", (m) => first.addr + m.actor * SLOT);

/** include/asm-generic/current.h. No step of its own. */
export function get_current(): Kernel<task_struct> {
  return step({
    op: Op.silentPrimitive,
    primitive: which,
    decode: (addr) => at(task_struct, addr),
    text: () => "current",
  });
}
/** current->mm, which no other CPU changes. No step of its own. */
export function* current_mm(): Kernel<mm_struct> {
  return yield* loadPrivate((yield* get_current()).mm);
}
/** At the start all CPUs are threads of one process. */
export function tasksImage(write: ImageWriter, mm: mm_struct): void {
  for (const task of tasks) write(task.mm, mm);
}

/** What a CPU does when it goes on with a thread of another process. */
export function* switch_mm(mm: mm_struct): Kernel<void> {
  yield* storePrivate((yield* get_current()).mm, mm);
}
/** mm/mmu_context.c, use_mm() before 5.8. Differs: the lazy reference goes at once, not with the next switch. */
export function* kthread_use_mm(mm: mm_struct): Kernel<void> {
  yield* mmgrab(mm);
  const task = yield* get_current();
  yield* storePrivate(task.kthread, true);
  yield* storePrivate(task.mm, mm);
}
export function* kthread_unuse_mm(mm: mm_struct): Kernel<void> {
  yield* storePrivate((yield* get_current()).mm, null);
  yield* mmdrop(mm);
}

/** kernel/fork.c. Differs: without task_lock(), for no other task's mm can be asked for. */
export function* get_task_mm(task: task_struct): Kernel<mm_struct> {
  const mm = yield* loadPrivate(task.mm);
  if (mm.isNull || (yield* loadPrivate(task.kthread))) return NULL(mm_struct);
  yield* mmget(mm);
  return mm;
}
