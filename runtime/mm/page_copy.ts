/** Contents of pages: copied, and cleared, in one step each. */
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { WORD, type Words } from "../machine/struct.ts";
import type { page } from "./pgtable.ts";
import type { swap_slot } from "./swap_slot.ts";

const copy = primitive("copy_user_highpage", (m, to = 0, from = 0, words = 0) => {
  m.read(from); // both pages must be there
  m.read(to);
  for (let i = 0; i < words; i++) {
    const value = m.peek(from + i * WORD);
    if (value !== m.peek(to + i * WORD)) m.write(to + i * WORD, value);
  }
  return 0;
});
/** Copies a page. One step: whoever may write to it meanwhile has a race that is not the kernel's. */
export function* copy_user_highpage(to: page, from: page): Kernel<void> {
  yield* copy_words("copy_user_highpage", to.data, from.data);
}
/** The same between anything that holds the contents of a page. */
export function* copy_words(name: string, to: Words, from: Words): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: from.addr,
    primitive: copy,
    args: [to.addr, from.addr, from.length],
    text: (names) => `${name}(${to.owner.expr(names)}, ${from.owner.expr(names)})`,
  });
}

const readSlot = primitive("swap_readpage", (m, to = 0, from = 0, words = 0) => {
  m.read(to);
  for (let i = 0; i < words; i++) {
    const value = m.peek(from + i * WORD);
    if (value !== 0) m.write(to + i * WORD, value);
  }
  return 0;
});
/** Reads a page back. The slot may be free by now: what has been read then is thrown away, for the PTE has changed. */
export function* swap_readpage(to: page, slot: swap_slot): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: to.data.addr,
    primitive: readSlot,
    args: [to.data.addr, slot.data.addr, to.data.length],
    text: (names) => `swap_readpage(${to.expr(names)})`,
  });
}
