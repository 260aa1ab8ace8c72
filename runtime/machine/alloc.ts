/** kmalloc and kfree. Freed memory is wiped, and whoever touches it is caught. */
import { Op, step, type Kernel } from "./step.ts";
import { at, type Struct, type StructClass } from "./struct.ts";
import { typeNumber } from "./types.ts";

/** A zeroed object of type `cls`. It does not fail by itself: a body that models failure chooses (see choose.ts). */
export function kzalloc<S extends Struct>(cls: StructClass<S>): Kernel<S> {
  return step({
    op: Op.allocate,
    a: typeNumber(cls),
    decode: (addr) => at(cls, addr),
    text: () => `kzalloc(sizeof(struct ${cls.name}))`,
  });
}

/** Frees what kzalloc returned; kfree(NULL) does nothing. */
export function* kfree(object: Struct, name = "kfree"): Kernel<void> {
  if (object.isNull) return;
  yield* step({ op: Op.free, addr: object.addr, text: (names) => `${name}(${object.expr(names)})` });
}
