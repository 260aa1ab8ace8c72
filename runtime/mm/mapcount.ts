/** How many page-table entries map a page, leaves of 2 MiB counted in. */
import { atomic_read } from "../machine/atomic.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, GIANT_ARENA, HUGE_ARENA } from "../machine/struct.ts";
import { compound_head } from "./page_alloc.ts";
import { huge_page, nth_page, type page } from "./pgtable.ts";

const PARTS = 512;
export const PageCompound = (p: page): boolean => p.addr >= HUGE_ARENA && p.addr < GIANT_ARENA;

const hugeMapcount = primitive("page_trans_huge_mapcount", (m, addr = 0) => {
  const head = at(huge_page, addr);
  let most = 0;
  for (let i = 0; i < PARTS; i++) most = Math.max(most, m.read(nth_page(head, i).mapcount.addr));
  return most + m.read(head.compound_mapcount.addr);
});
/**
 * How often the page is mapped, or that part of a compound page that is mapped most often: whoever maps all of it by
 * one leaf, and whoever maps a part of it by a PTE, count alike. One step for what is a loop in the kernel: its answer
 * is used for nothing but whether it is 1, and who could make it more holds a lock that keeps us out.
 */
export function page_mapcount(p: page): Kernel<number> {
  if (!PageCompound(p)) return atomic_read(p.mapcount);
  const head = at(huge_page, compound_head(p).addr);
  return step({
    op: Op.primitive,
    addr: head.compound_mapcount.addr,
    primitive: hugeMapcount,
    args: [head.addr],
    text: (names) => `page_trans_huge_mapcount(${head.expr(names)})`,
  });
}
