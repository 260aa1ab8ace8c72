/** mm/mmu_notifier.c since 5.4: notifiers that the kernel shares and frees, one per mm and ops. */
import { add, load, loadPrivate, store } from "../machine/access.ts";
import { BUG_ON, WARN_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { hlist_del_init_rcu, type hlist_node } from "../machine/list.ts";
import { lockdep_assert_held_write } from "../machine/lockdep.ts";
import { call_srcu, synchronize_srcu, type rcu_head } from "../machine/rcu.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, container_of, NULL } from "../machine/struct.ts";
import { mmdrop } from "./fork.ts";
import type { mm_struct } from "./mm_types.ts";
import { __mmu_notifier_register } from "./mmu_notifier_register.ts";
import { notifierOf, srcu } from "./mmu_notifier_hlist.ts";
import { mmu_notifier, type mmu_notifier_ops, type mmu_notifier_subscriptions } from "./mmu_notifier_types.ts";

const source = "mm/mmu_notifier.c";
/** An error code as a pointer. */
const isError = ({ addr }: mmu_notifier): boolean => addr < 0;
const ERR_PTR = (error: number): mmu_notifier => at(mmu_notifier, error);

const find_get_mmu_notifier = kernelFunction(
  "find_get_mmu_notifier",
  function* (subscriptions: mmu_notifier_subscriptions, ops: mmu_notifier_ops): Kernel<mmu_notifier> {
    yield* fact(1, spin_lock(subscriptions.lock));
    const mn = yield* find_ops(yield* fact(2, load(subscriptions.list.first)), ops);
    if (!mn.isNull) yield* fact(2, add(mn.users, 1));
    yield* fact(2, spin_unlock(subscriptions.lock));
    return mn;
  },
  {
    source,
    since: "v5.4",
    facts: "find_get",
    params: ["subscriptions", "ops"],
    summary: "One more user of the notifier with these ops, or NULL.",
    differs: "The number of users does not overflow.",
  },
);
const find_ops = kernelFunction(
  "find_get_mmu_notifier",
  function* (node: hlist_node, ops: mmu_notifier_ops): Kernel<mmu_notifier> {
    if (node.isNull) return NULL(mmu_notifier);
    const mn = notifierOf(node);
    if ((yield* fact(2, load(mn.ops))) === ops) return mn;
    return yield* find_ops.restart(yield* fact(2, load(node.next)), ops);
  },
  { source, since: "v5.4", facts: "find_get", params: ["node", "ops"], internal: true },
);

export const mmu_notifier_get_locked = kernelFunction(
  "mmu_notifier_get_locked",
  function* (ops: mmu_notifier_ops, mm: mm_struct): Kernel<mmu_notifier> {
    yield* fact(1, lockdep_assert_held_write(mm.mmap_sem));
    const subscriptions = yield* fact(2, load(mm.notifier_subscriptions));
    const found = subscriptions.isNull ? NULL(mmu_notifier) : yield* fact(2, find_get_mmu_notifier(subscriptions, ops));
    if (!found.isNull) return found;
    const alloc_notifier = yield* loadPrivate(ops.alloc_notifier);
    yield* BUG_ON(alloc_notifier === null, "!ops->alloc_notifier");
    const mn = alloc_notifier === null ? found : yield* fact(3, alloc_notifier(mm));
    if (isError(mn)) return mn;
    yield* fact(4, store(mn.ops, ops));
    const error = yield* fact(5, __mmu_notifier_register(mn, mm));
    if (error === 0) return mn;
    yield* free_notifier(mn);
    return ERR_PTR(error);
  },
  {
    source,
    since: "v5.4",
    facts: "mmu_notifier_get_locked",
    params: ["ops", "mm"],
    summary: "The notifier of an mm with these ops, made and registered if need be; mmap_sem is held for writing.",
  },
);
const free_notifier = kernelFunction(
  "mmu_notifier_get_locked",
  function* (mn: mmu_notifier): Kernel<void> {
    const ops = yield* load(mn.ops);
    const free = yield* loadPrivate(ops.free_notifier);
    yield* BUG_ON(free === null, "!ops->free_notifier");
    if (free !== null) yield* free(mn);
  },
  { source, since: "v5.4", facts: "mmu_notifier_get_locked", params: ["mn"], internal: true },
);
export const mmu_notifier_get = kernelFunction(
  "mmu_notifier_get",
  function* (ops: mmu_notifier_ops, mm: mm_struct): Kernel<mmu_notifier> {
    yield* down_write(mm.mmap_sem);
    const mn = yield* mmu_notifier_get_locked(ops, mm);
    yield* up_write(mm.mmap_sem);
    return mn;
  },
  {
    source: "include/linux/mmu_notifier.h",
    since: "v5.4",
    params: ["ops", "mm"],
    summary: "The notifier of an mm with these ops, made and registered if need be; takes mmap_sem.",
  },
);

export const mmu_notifier_put = kernelFunction(
  "mmu_notifier_put",
  function* (mn: mmu_notifier): Kernel<void> {
    const mm = yield* load(mn.mm);
    const subscriptions = yield* load(mm.notifier_subscriptions);
    yield* fact(1, spin_lock(subscriptions.lock));
    const users = yield* fact(2, load(mn.users));
    if (!(yield* WARN_ON(users === 0, "!subscription->users"))) yield* fact(3, store(mn.users, users - 1));
    if (users === 1) yield* fact(4, hlist_del_init_rcu(mn.hlist));
    yield* fact(5, spin_unlock(subscriptions.lock));
    if (users === 1) yield* fact(6, call_srcu(srcu, mn.rcu, mmu_notifier_free_rcu));
  },
  {
    source,
    since: "v5.4",
    facts: "mmu_notifier_put",
    params: ["mn"],
    summary: "One user of a notifier less; the last one has it freed when every callback that runs now is over.",
  },
);
const mmu_notifier_free_rcu = kernelFunction(
  "mmu_notifier_free_rcu",
  function* (rcu: rcu_head): Kernel<void> {
    const mn = container_of(rcu, mmu_notifier, "rcu");
    const mm = yield* fact(1, load(mn.mm));
    yield* fact(2, free_notifier(mn));
    yield* fact(3, mmdrop(mm));
  },
  {
    source,
    since: "v5.4",
    facts: "mmu_notifier_put",
    params: ["rcu"],
    summary: "Has the driver free a notifier, and drops its mm.",
  },
);

export const mmu_notifier_synchronize = kernelFunction(
  "mmu_notifier_synchronize",
  function* (): Kernel<void> {
    yield* synchronize_srcu(srcu);
  },
  {
    source,
    since: "v5.4",
    params: [],
    summary: "Waits until every callback that runs now is over.",
  },
);
