/** Roles of random programs that wait for others, go round, or leave work to others. */
import { add, cmpxchg, load, READ_ONCE, WRITE_ONCE } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { mutex_trylock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { container_of, type Int } from "../../runtime/machine/struct.ts";
import {
  complete,
  complete_all,
  wait_event,
  wait_event_timeout,
  wait_for_completion,
  wake_up_all,
} from "../../runtime/machine/wait.ts";
import { flush_work, schedule_work, type work_struct } from "../../runtime/machine/workqueue.ts";
import type { RoleMaker } from "./random-roles.ts";
import { shared_words } from "./random-types.ts";

// Work and conditions are called through words and by name: they have to be in the table of all functions.
export const do_work = kernelFunction("do_work", function* (work: work_struct): Kernel<void> {
  const shared = container_of(work, shared_words, "work");
  yield* spin_lock(shared.a);
  yield* add(shared.x, 1);
  yield* spin_unlock(shared.a);
});
const is_set = kernelFunction("is_set", function* (word: Value): Kernel<boolean> {
  return (yield* READ_ONCE(word as Int)) !== 0;
});

export const waiting: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const hasTimeout = random.chance(30);
    return {
      name: "waiter",
      text: `wait_event x timeout=${hasTimeout}`,
      *body() {
        if (hasTimeout) return Number(yield* wait_event_timeout(shared.wq, is_set, shared.x));
        yield* wait_event(shared.wq, is_set, shared.x);
        return yield* load(shared.y);
      },
    };
  },
  ({ shared, random }) => {
    const [late, wakes] = [random.chance(60), random.chance(80)];
    return {
      name: "waker",
      text: `x = 1, wake_up late=${late} wakes=${wakes}`,
      *body() {
        if (!late) yield* WRITE_ONCE(shared.x, 1);
        if (wakes) yield* wake_up_all(shared.wq);
        if (late) yield* WRITE_ONCE(shared.x, 1);
      },
    };
  },
];
export const completing: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const all = random.chance(30);
    return {
      name: "completer",
      text: `complete all=${all}`,
      *body() {
        yield* add(shared.y, 1);
        yield* all ? complete_all(shared.done) : complete(shared.done);
      },
    };
  },
  ({ shared }) => ({
    name: "completed",
    text: "wait_for_completion",
    *body() {
      yield* wait_for_completion(shared.done);
      return yield* load(shared.y);
    },
  }),
];

export const retrying: readonly RoleMaker[] = [
  ({ shared, functions, random }) => {
    const wanted = random.chance(80) ? 2 : 1;
    const spin = functions.add("spin", function* (word: Int): Kernel<Value> {
      if ((yield* READ_ONCE(word)) >= wanted) return wanted;
      return yield* spin.restart(word);
    });
    return { name: "spinner", text: `until x >= ${wanted}`, body: () => spin(shared.x) };
  },
  ({ shared, functions, random }) => {
    const by = 1 + random.below(2);
    const retry = functions.add("bump", function* (word: Int): Kernel<Value> {
      const old = yield* READ_ONCE(word);
      if ((yield* cmpxchg(word, old, old + by)) === old) return old;
      return yield* retry.restart(word);
    });
    return { name: "bumper", text: `x += ${by} by cmpxchg`, body: () => retry(shared.x) };
  },
  ({ shared, functions, random }) => {
    const yields = random.chance(50);
    const retry = functions.add("try_both", function* (): Kernel<Value> {
      yield* spin_lock(shared.a);
      if (yield* mutex_trylock(shared.b)) {
        yield* add(shared.x, 1);
        yield* mutex_unlock(shared.b);
        return yield* spin_unlock(shared.a);
      }
      if (yields) yield* spin_unlock(shared.a);
      return yields ? yield* retry.restart() : yield* spin_unlock(shared.a);
    });
    return { name: "backing_off", text: `a, trylock b yields=${yields}`, body: () => retry() };
  },
  ({ shared, random }) => {
    const value = random.below(3);
    return {
      name: "setter",
      text: `x = ${value}`,
      *body() {
        yield* WRITE_ONCE(shared.x, value);
      },
    };
  },
];

export const working: readonly RoleMaker[] = [
  ({ shared }) => ({
    name: "scheduler",
    text: "schedule_work",
    *body() {
      return Number(yield* schedule_work(shared.work));
    },
  }),
  ({ shared, random }) => {
    const locked = random.chance(40);
    return {
      name: "flusher",
      text: `flush_work locked=${locked}`,
      *body() {
        if (locked) yield* spin_lock(shared.a); // the work needs it too
        yield* flush_work(shared.work);
        if (locked) yield* spin_unlock(shared.a);
        return yield* load(shared.x);
      },
    };
  },
];
