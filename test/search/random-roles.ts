/**
 * The pieces that random programs are put together from. A piece is a list of roles for one kind of trouble; whether
 * there is trouble depends on who plays which role, how often, and on the details that a role rolls for itself.
 */
import { add, load, READ_ONCE, store, xchg } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { refcount_dec_and_test, refcount_inc, refcount_inc_not_zero } from "../../runtime/machine/atomic.ts";
import { WARN_ON } from "../../runtime/machine/bug.ts";
import { choose } from "../../runtime/machine/choose.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { list_add, list_add_tail, list_del, list_del_init, list_empty } from "../../runtime/machine/list.ts";
import { lockdep_assert_held } from "../../runtime/machine/lockdep.ts";
import { mutex_lock, mutex_trylock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import {
  call_rcu,
  call_srcu,
  rcu_barrier,
  rcu_read_lock,
  rcu_read_unlock,
  srcu_read_lock,
  srcu_read_unlock,
  synchronize_rcu,
  synchronize_srcu,
  type rcu_head,
} from "../../runtime/machine/rcu.ts";
import {
  down_read,
  down_read_trylock,
  down_write,
  down_write_trylock,
  downgrade_write,
  up_read,
  up_write,
} from "../../runtime/machine/rwsem.ts";
import { spin_lock, spin_trylock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { container_of, NULL } from "../../runtime/machine/struct.ts";
import { srcu } from "../../runtime/mm/mmu_notifier_hlist.ts";
import type { Scene } from "./random-programs.ts";
import { thing } from "./random-types.ts";
import { completing, retrying, waiting, working } from "./random-waits.ts";

export interface Role {
  /** Of the function that plays it. */
  readonly name: string;
  /** What it does, details included. */
  readonly text: string;
  readonly body: () => Kernel<Value>;
}
export type RoleMaker = (scene: Scene) => Role;

// A callback is called through a word: it has to be in the table of all functions.
const free_thing = kernelFunction("free_thing", function* (head: rcu_head): Kernel<void> {
  yield* kfree(container_of(head, thing, "rcu"));
});
// ---- plain words, locks

const counting: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const [locked, atomic] = [random.chance(50), random.chance(30)];
    return {
      name: "count",
      text: `x++ locked=${locked} atomic=${atomic}`,
      *body() {
        if (locked) yield* spin_lock(shared.a);
        if (atomic) yield* add(shared.x, 1);
        else yield* store(shared.x, (yield* load(shared.x)) + 1);
        if (locked) yield* spin_unlock(shared.a);
        return yield* READ_ONCE(shared.y);
      },
    };
  },
  ({ shared, random }) => {
    const value = random.below(3);
    return {
      name: "swap",
      text: `xchg y ${value}`,
      *body() {
        return yield* xchg(shared.y, value);
      },
    };
  },
];

const nesting: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const order = random.below(2);
    const tries = random.chance(30);
    const asserts = random.chance(30);
    return {
      name: order === 0 ? "ab" : "ba",
      text: `${order === 0 ? "a, b" : "b, a"} try=${tries} asserts=${asserts}`,
      *body() {
        if (order === 0) yield* spin_lock(shared.a);
        else yield* mutex_lock(shared.b);
        const got = tries ? yield* order === 0 ? mutex_trylock(shared.b) : spin_trylock(shared.a) : true;
        if (!tries) yield* order === 0 ? mutex_lock(shared.b) : spin_lock(shared.a);
        if (got) yield* add(shared.x, 1);
        if (asserts) yield* lockdep_assert_held(shared.b);
        if (got) yield* order === 0 ? mutex_unlock(shared.b) : spin_unlock(shared.a);
        if (order === 0) yield* spin_unlock(shared.a);
        else yield* mutex_unlock(shared.b);
        return Number(got);
      },
    };
  },
  ({ shared, random }) => {
    const forgets = random.chance(40);
    const warns = random.chance(40);
    return {
      name: "sloppy",
      text: `sloppy forgets=${forgets} warns=${warns}`,
      *body() {
        yield* spin_lock(shared.a);
        if (warns) yield* WARN_ON(true, "sloppy");
        yield* store(shared.y, 1);
        if (!forgets) yield* spin_unlock(shared.a);
        yield* mutex_unlock(shared.b);
      },
    };
  },
];

const semaphore: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const recursive = random.chance(50);
    return {
      name: "read_sem",
      text: `down_read recursive=${recursive}`,
      *body() {
        yield* down_read(shared.sem);
        if (recursive) yield* down_read(shared.sem);
        const value = yield* load(shared.x);
        if (recursive) yield* up_read(shared.sem);
        yield* up_read(shared.sem);
        return value;
      },
    };
  },
  ({ shared, random }) => {
    const downgrades = random.chance(40);
    return {
      name: "write_sem",
      text: `down_write downgrade=${downgrades}`,
      *body() {
        yield* down_write(shared.sem);
        yield* add(shared.x, 1);
        if (!downgrades) return yield* up_write(shared.sem);
        yield* downgrade_write(shared.sem);
        yield* up_read(shared.sem);
      },
    };
  },
  ({ shared, random }) => {
    const writes = random.chance(50);
    return {
      name: "try_sem",
      text: `trylock writes=${writes}`,
      *body() {
        if (!(yield* writes ? down_write_trylock(shared.sem) : down_read_trylock(shared.sem))) return 1;
        yield* writes ? up_write(shared.sem) : up_read(shared.sem);
        return 2;
      },
    };
  },
];

// ---- objects

function* use(p: thing, writes: boolean): Kernel<Value> {
  if (p.isNull) return 7;
  if (writes) return yield* store(p.val, 5);
  return yield* load(p.val);
}
const freeing: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const [writes, checks] = [random.chance(40), random.chance(70)];
    return {
      name: "user",
      text: `use *ptr writes=${writes} checks=${checks}`,
      *body() {
        const p = yield* load(shared.ptr);
        return checks ? yield* use(p, writes) : yield* load(p.val);
      },
    };
  },
  ({ shared, random }) => {
    const atomic = random.chance(50);
    const twice = random.chance(25);
    return {
      name: "free_it",
      text: `kfree(ptr) atomic=${atomic} twice=${twice}`,
      *body() {
        const p = atomic ? yield* xchg(shared.ptr, null) : yield* load(shared.ptr);
        if (!atomic) yield* store(shared.ptr, null);
        yield* kfree(p);
        if (twice) yield* kfree(p);
      },
    };
  },
  ({ shared, random }) => {
    const locks = random.chance(30);
    return {
      name: "bring",
      text: `ptr = kzalloc locks=${locks}`,
      *body() {
        const p = yield* kzalloc(thing);
        if (locks) yield* spin_lock(p.lock);
        yield* store(p.val, 3);
        const old = yield* xchg(shared.ptr, p);
        yield* kfree(old);
        if (locks) yield* spin_unlock(p.lock);
      },
    };
  },
];

const counted: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const [safe, forgets] = [random.chance(50), random.chance(30)];
    return {
      name: "get_put",
      text: `get, use, put safe=${safe} forgets=${forgets}`,
      *body() {
        const p = yield* load(shared.ptr);
        if (p.isNull) return 1;
        if (safe && !(yield* refcount_inc_not_zero(p.ref))) return 2;
        if (!safe) yield* refcount_inc(p.ref);
        const value = yield* load(p.val);
        if (!forgets && (yield* refcount_dec_and_test(p.ref))) yield* kfree(p);
        return value;
      },
    };
  },
  ({ shared, random }) => {
    const [clears, frees] = [random.chance(50), random.chance(60)];
    return {
      name: "put",
      text: `put clears=${clears} frees=${frees}`,
      *body() {
        const p = yield* load(shared.ptr);
        if (p.isNull) return;
        if (clears) yield* store(shared.ptr, null);
        if ((yield* refcount_dec_and_test(p.ref)) && frees) yield* kfree(p);
      },
    };
  },
];

// ---- read-copy-update

const rcu: readonly RoleMaker[] = [
  ({ shared, random, srcuSide }) => {
    const careless = random.chance(20);
    return {
      name: "rcu_reader",
      text: `reader srcu=${srcuSide} careless=${careless}`,
      *body() {
        if (!careless) yield* srcuSide ? srcu_read_lock(srcu) : rcu_read_lock();
        const p = yield* READ_ONCE(shared.ptr);
        const value = yield* use(p, false);
        if (!careless) yield* srcuSide ? srcu_read_unlock(srcu) : rcu_read_unlock();
        return value;
      },
    };
  },
  ({ shared, random, srcuSide }) => {
    const [waits, later] = [random.chance(85), random.chance(30)];
    const barrier = random.chance(30);
    return {
      name: "rcu_writer",
      text: `writer srcu=${srcuSide} waits=${waits} later=${later} barrier=${barrier}`,
      *body() {
        const p = yield* xchg(shared.ptr, null);
        if (p.isNull) return;
        if (later && !p.isNull) {
          yield* srcuSide ? call_srcu(srcu, p.rcu, free_thing) : call_rcu(p.rcu, free_thing);
          if (barrier && !srcuSide) yield* rcu_barrier();
          return;
        }
        if (waits) yield* srcuSide ? synchronize_srcu(srcu) : synchronize_rcu();
        yield* kfree(p);
      },
    };
  },
];

// ---- the rest

const choosing: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const ways = 2 + random.below(2);
    return {
      name: "chooser",
      text: `choose ${ways}`,
      *body() {
        const way = yield* choose(ways, "may fail");
        if (way === 0) return yield* add(shared.x, 1);
        if (way === 1) return yield* kfree(yield* load(shared.ptr));
        yield* spin_lock(shared.a);
        return 9;
      },
    };
  },
  ({ shared }) => ({
    name: "allocates",
    text: "kzalloc may fail",
    *body() {
      const p = (yield* choose(2, "kzalloc fails")) === 0 ? yield* kzalloc(thing) : NULL(thing);
      yield* store(p.val, 1);
      yield* store(shared.ptr, p);
      return yield* load(p.val);
    },
  }),
  ({ shared }) => ({
    name: "locker",
    text: "a locked",
    *body() {
      yield* spin_lock(shared.a);
      yield* spin_unlock(shared.a);
    },
  }),
];

const listing: readonly RoleMaker[] = [
  ({ shared, random }) => {
    const [tail, locked] = [random.chance(50), random.chance(30)];
    return {
      name: "adder",
      text: `list_add tail=${tail} locked=${locked}`,
      *body() {
        if (locked) yield* spin_lock(shared.a);
        yield* tail ? list_add_tail(shared.node, shared.list) : list_add(shared.node, shared.list);
        if (locked) yield* spin_unlock(shared.a);
      },
    };
  },
  ({ shared, random }) => {
    const init = random.chance(50);
    return {
      name: "deleter",
      text: `list_del init=${init}`,
      *body() {
        if (yield* list_empty(shared.list)) return 0;
        yield* init ? list_del_init(shared.node) : list_del(shared.node);
        return 1;
      },
    };
  },
];

/** Every piece, and how often it is dealt: trouble that needs more luck gets more tries. */
const weights: readonly (readonly [pieces: readonly RoleMaker[], times: number])[] = [
  [counting, 1],
  [nesting, 4],
  [semaphore, 13],
  [freeing, 10],
  [counted, 9],
  [rcu, 12],
  [waiting, 10],
  [completing, 1],
  [retrying, 14],
  [choosing, 3],
  [listing, 9],
  [working, 2],
];
export const roles: readonly (readonly RoleMaker[])[] = weights.flatMap(([piece, times]) => Array(times).fill(piece));
