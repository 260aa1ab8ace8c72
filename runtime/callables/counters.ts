/** atomic_t, refcount_t and kref, as scripts call them. */
import {
  number,
  object,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
  type Callable,
  type Param,
} from "../callable.ts";
import {
  atomic_add,
  atomic_add_return,
  atomic_add_unless,
  atomic_cmpxchg,
  atomic_dec,
  atomic_dec_and_test,
  atomic_dec_return,
  atomic_inc,
  atomic_inc_not_zero,
  atomic_inc_return,
  atomic_read,
  atomic_set,
  atomic_sub,
  atomic_sub_and_test,
  atomic_sub_return,
  atomic_xchg,
  kref,
  kref_get,
  kref_get_unless_zero,
  kref_init,
  kref_read,
  refcount_dec,
  refcount_dec_and_test,
  refcount_inc,
  refcount_inc_not_zero,
  refcount_read,
  refcount_set,
} from "../machine/atomic.ts";
import { synonyms, table } from "./table.ts";

const v: Param = { name: "v", of: { kind: "atomic" } };
const i = number("i");
const [old, value] = [number("old"), number("new")];
const atomics = table("include/linux/atomic.h", [
  ["atomic_read", atomic_read, [v], returnsNumber, "the value of a counter"],
  ["atomic_set", atomic_set, [v, i], returnsNothing, "sets a counter"],
  ["atomic_inc", atomic_inc, [v], returnsNothing, "adds one"],
  ["atomic_dec", atomic_dec, [v], returnsNothing, "takes one away"],
  ["atomic_dec_and_test", atomic_dec_and_test, [v], returnsBoolean, "takes one away; whether none is left"],
  ["atomic_inc_not_zero", atomic_inc_not_zero, [v], returnsBoolean, "adds one, unless there is none"],
  ["atomic_add", atomic_add, [i, v], returnsNothing, "adds a number"],
  ["atomic_sub", atomic_sub, [i, v], returnsNothing, "takes a number away"],
  ["atomic_add_return", atomic_add_return, [i, v], returnsNumber, "adds a number; the new value"],
  ["atomic_sub_return", atomic_sub_return, [i, v], returnsNumber, "takes a number away; the new value"],
  ["atomic_inc_return", atomic_inc_return, [v], returnsNumber, "adds one; the new value"],
  ["atomic_dec_return", atomic_dec_return, [v], returnsNumber, "takes one away; the new value"],
  ["atomic_sub_and_test", atomic_sub_and_test, [i, v], returnsBoolean, "takes a number away; whether none is left"],
  [
    "atomic_add_unless",
    atomic_add_unless,
    [v, number("a"), number("u")],
    returnsBoolean,
    "adds a number, unless it is `u`; whether it did",
  ],
  ["atomic_xchg", atomic_xchg, [v, value], returnsNumber, "sets a counter; the old value"],
  ["atomic_cmpxchg", atomic_cmpxchg, [v, old, value], returnsNumber, "sets it if it is `old`; the old value"],
]);
const wider = ["atomic_long_", "atomic64_"].flatMap((prefix) =>
  synonyms(atomics, (name) => name.replace("atomic_", prefix)),
);

const r: Param = { name: "r", of: { kind: "refcount" } };
const refcounts = table("lib/refcount.c", [
  ["refcount_set", refcount_set, [r, number("n")], returnsNothing, "sets a reference count"],
  ["refcount_read", refcount_read, [r], returnsNumber, "the value of a reference count"],
  ["refcount_inc", refcount_inc, [r], returnsNothing, "one more reference; the caller must have one"],
  ["refcount_inc_not_zero", refcount_inc_not_zero, [r], returnsBoolean, "a reference, unless the last one is gone"],
  ["refcount_dec", refcount_dec, [r], returnsNothing, "one reference less, which must not be the last"],
  ["refcount_dec_and_test", refcount_dec_and_test, [r], returnsBoolean, "one reference less; whether it was the last"],
]);

const k = [object("kref", () => kref)];
const krefs = table("include/linux/kref.h", [
  ["kref_init", kref_init, k, returnsNothing, "begins with one reference"],
  ["kref_read", kref_read, k, returnsNumber, "how many references there are"],
  ["kref_get", kref_get, k, returnsNothing, "one more reference; the caller must have one"],
  ["kref_get_unless_zero", kref_get_unless_zero, k, returnsBoolean, "a reference, unless the last one is gone"],
]);

export const counterCallables: readonly Callable[] = [...atomics, ...wider, ...refcounts, ...krefs];
