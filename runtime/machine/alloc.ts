/** kmalloc and kfree. Freed memory is wiped, and whoever touches it is caught. */
import { kernelFunction } from "./function.ts";
import { MAY_FAIL } from "./failure.ts";
import { GFP_KERNEL } from "./gfp.ts";
import { call_rcu, rcu_head } from "./rcu.ts";
import { Op, step, type Kernel } from "./step.ts";
import { at, headerAddress, Struct, typeName, WORD, type Special, type StructClass } from "./struct.ts";
import { typeNumber } from "./types.ts";

/** A zeroed object of type `cls`. It fails where a script says so only (failure.ts): NULL then. */
export function kzalloc<S extends Struct>(cls: StructClass<S>, gfp: number = GFP_KERNEL): Kernel<S> {
  return step({
    op: Op.allocate,
    a: typeNumber(cls),
    b: gfp | MAY_FAIL,
    decode: (addr) => at(cls, addr),
    text: ({ era }) => `kzalloc(sizeof(struct ${typeName(cls, era)}))`,
  });
}

/** An object on the stack of a function: it is freed when that returns. */
export function stackObject<S extends Struct>(cls: StructClass<S>, declaration: string): Kernel<S> {
  return step({
    op: Op.allocate,
    a: typeNumber(cls),
    decode: (addr) => at(cls, addr),
    text: () => declaration,
  });
}

/** The end of an object on the stack: its function returns, and whoever still looks at it is caught. */
export const endOfScope = (object: Struct | Special): Kernel<void> =>
  step({ op: Op.free, addr: object.addr, text: (names) => `${object.expr(names)} goes out of scope` });

/** Says that what is freed has to come from an allocation. */
const FROM_SLAB = 1;
/** Frees what kzalloc returned; kfree(NULL) does nothing. `name`: one of kfree()'s relatives. */
export function* kfree(object: Struct, name = "kfree"): Kernel<void> {
  if (object.isNull) return;
  yield* step({ op: Op.free, addr: object.addr, b: FROM_SLAB, text: (names) => `${name}(${object.expr(names)})` });
}
/** Frees what has an allocator of its own, and may have been there from the start: `pgd_free(pgd)`. */
export function freeBy(name: string, object: Struct): Kernel<void> {
  return step({ op: Op.free, addr: object.addr, text: (names) => `${name}(${object.expr(names)})` });
}

/** What an rcu_head is part of, whatever its type. */
class rcu_object extends Struct {
  static readonly short: string = "object";
}
const free_object = kernelFunction(
  "kfree",
  function* (head: rcu_head): Kernel<void> {
    yield* kfree(at(rcu_object, headerAddress(head.addr) + WORD));
  },
  { params: ["head"], summary: "Frees the object that a head is part of.", internal: true },
);
/** kfree() after a grace period; the object holds an rcu_head at `offset`. */
export function* kfree_rcu(object: Struct, offset: number): Kernel<void> {
  if (!object.isNull) yield* call_rcu(at(rcu_head, object.addr + offset), free_object);
}
