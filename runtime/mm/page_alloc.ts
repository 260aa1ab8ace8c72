/** Pages, page tables and other memory that the kernel gets by calls of its own instead of kmalloc. */
import { storePrivate } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { atomic_dec_and_test, atomic_inc } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { GFP_KERNEL } from "../machine/gfp.ts";
import type { list_head } from "../machine/list.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import {
  at,
  headerAddress,
  WORD,
  type Atomic,
  type Int,
  type Refcount,
  type Struct,
  type StructClass,
} from "../machine/struct.ts";
import { staticObject, typeNumber } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { huge_page, page } from "./pgtable.ts";

/** arch/x86/kernel/head_64.S: what reads of untouched anonymous memory see. */
export const empty_zero_page = staticObject(page, "empty_zero_page");

/** A zeroed object, got by the kernel function called `name`. It may sleep, and reclaim memory. */
export function allocate<S extends Struct>(cls: StructClass<S>, name: string): Kernel<S> {
  return step({
    op: Op.allocate,
    a: typeNumber(cls),
    b: GFP_KERNEL,
    decode: (addr) => at(cls, addr),
    text: () => name,
  });
}

/** Sets a counter of an object that no other CPU can reach yet. No step of its own. */
export function* initCount(count: Atomic | Refcount, value: number): Kernel<void> {
  yield* step({
    op: Op.silentStore,
    addr: count.addr,
    a: value,
    text: (names) => `atomic_set(&${count.expr(names)}, ${value})`,
  });
}
const tally = primitive("count", (m, addr = 0, by = 0) => {
  m.write(addr, m.read(addr) + by);
  return 0;
});
/** Adds to a statistic that nobody reads while it changes. No step of its own. */
export function* count(statistic: Int, by: number): Kernel<void> {
  yield* step({
    op: Op.silentPrimitive,
    addr: statistic.addr,
    primitive: tally,
    args: [statistic.addr, by],
    text: (names) => `${statistic.expr(names)} += ${by}`,
  });
}

/** Empties the list of an object that no other CPU can reach yet. No step of its own. */
export function* initList(list: list_head): Kernel<void> {
  yield* storePrivate(list.next, list);
  yield* storePrivate(list.prev, list);
}

/** A zeroed page with one reference; NULL if there is none. */
export const alloc_page = kernelFunction(
  "alloc_page",
  function* (): Kernel<page> {
    const p = yield* allocate(page, "alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_ZERO)");
    if (!p.isNull) yield* initCount(p._refcount, 1);
    return p;
  },
  { source: "include/linux/gfp.h", params: [], summary: "Allocates a zeroed page.", atom: true },
);
/** The same for 2 MiB. */
export const alloc_hugepage = kernelFunction(
  "alloc_hugepage_vma",
  function* (): Kernel<huge_page> {
    const p = yield* allocate(huge_page, "alloc_hugepage_vma(GFP_TRANSHUGE)");
    if (!p.isNull) yield* initCount(p._refcount, 1);
    return p;
  },
  { source: "include/linux/gfp.h", params: [], summary: "Allocates a zeroed huge page.", atom: true },
);

/** The page that keeps the counter for this one: a compound page has one reference count. */
export const compound_head = (p: page): page => at(page, headerAddress(p.addr) + WORD);

export const get_page = kernelFunction(
  "get_page",
  function* (p: page): Kernel<void> {
    yield* atomic_inc(compound_head(p)._refcount);
  },
  { source: "include/linux/mm.h", params: ["page"], summary: "Takes a reference to a page.", atom: true },
);
export const put_page = kernelFunction(
  "put_page",
  function* (p: page): Kernel<void> {
    const head = compound_head(p);
    if (yield* atomic_dec_and_test(head._refcount)) yield* freeBy("free_unref_page", head);
  },
  {
    source: "include/linux/mm.h",
    params: ["page"],
    summary: "Drops a reference to a page; the last one frees it.",
    atom: true,
  },
);

/** The zero page has an owner who never lets go: the kernel. */
export function pageImage(write: ImageWriter): void {
  write(empty_zero_page._refcount, 1);
}
