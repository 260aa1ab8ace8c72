/** include/linux/page-flags.h and the page lock: bits of page.flags. */
import { BLOCKED, Op, primitive, step, type Kernel } from "../machine/step.ts";
import { compound_head } from "./page_alloc.ts";
import type { page } from "./pgtable.ts";

export const PG_dirty = 0x1;
export const PG_locked = 0x2;
/** `mapping` is an anon_vma. */
export const PG_anon = 0x4;
export const PG_lru = 0x8;
/** Its contents need not be kept: MADV_FREE. */
export const PG_lazyfree = 0x10;
/** It is memory of a device, which the CPU cannot reach. Constant. */
export const PG_device = 0x20;

const flagStep = <R>(
  name: string,
  run: ReturnType<typeof primitive>,
  p: page,
  bit: number,
  decode: (n: number) => R,
) => {
  const head = compound_head(p);
  return step({
    op: Op.primitive,
    addr: head.flags.addr,
    primitive: run,
    args: [head.flags.addr, bit],
    decode,
    text: (names) => `${name}(${head.expr(names)})`,
  });
};
const set = primitive("set_bit", (m, addr = 0, bit = 0) => {
  m.write(addr, m.read(addr) | bit);
  return 0;
});
const clear = primitive("clear_bit", (m, addr = 0, bit = 0) => {
  m.write(addr, m.read(addr) & ~bit);
  return 0;
});
const lock = primitive("lock_page", (m, addr = 0, bit = 0) => {
  const flags = m.read(addr);
  if ((flags & bit) !== 0) return BLOCKED;
  m.write(addr, flags | bit);
  return 0;
});
const trylock = primitive("trylock_page", (m, addr = 0, bit = 0) => {
  const flags = m.read(addr);
  if ((flags & bit) !== 0) return 0;
  m.write(addr, flags | bit);
  return 1;
});
const awaitUnlocked = primitive("wait_on_page_locked", (m, addr = 0, bit = 0) =>
  (m.read(addr) & bit) !== 0 ? BLOCKED : 0,
);
const test = primitive("test_bit", (m, addr = 0, bit = 0) => ((m.read(addr) & bit) !== 0 ? 1 : 0));
const nothing = (): void => {};
const asBoolean = (n: number): boolean => n !== 0;

/**
 * Sleeps until it has the page lock. Nobody is its owner: another task may unlock it, and lockdep knows nothing of
 * it.
 */
export const lock_page = (p: page): Kernel<void> => flagStep("lock_page", lock, p, PG_locked, nothing);
export const trylock_page = (p: page): Kernel<boolean> => flagStep("trylock_page", trylock, p, PG_locked, asBoolean);
export const unlock_page = (p: page): Kernel<void> => flagStep("unlock_page", clear, p, PG_locked, nothing);
/** Sleeps until nobody has it locked; a reference must be held. */
export const wait_on_page_locked = (p: page): Kernel<void> =>
  flagStep("wait_on_page_locked", awaitUnlocked, p, PG_locked, nothing);
export const set_page_dirty = (p: page): Kernel<void> => flagStep("set_page_dirty", set, p, PG_dirty, nothing);
export const ClearPageDirty = (p: page): Kernel<void> => flagStep("ClearPageDirty", clear, p, PG_dirty, nothing);
export const PageDirty = (p: page): Kernel<boolean> => flagStep("PageDirty", test, p, PG_dirty, asBoolean);
export const SetPageLazyfree = (p: page): Kernel<void> => flagStep("mark_page_lazyfree", set, p, PG_lazyfree, nothing);
export const PageLazyfree = (p: page): Kernel<boolean> => flagStep("PageLazyfree", test, p, PG_lazyfree, asBoolean);

const isDevice = primitive("is_device_private_page", (m, addr = 0) => ((m.read(addr) & PG_device) !== 0 ? 1 : 0));
/** No step of its own. */
export function is_device_private_page(p: page): Kernel<boolean> {
  return step({
    op: Op.silentPrimitive,
    primitive: isDevice,
    args: [p.flags.addr],
    decode: asBoolean,
    text: (names) => `is_device_private_page(${p.expr(names)})`,
  });
}
const isAnon = primitive("PageAnon", (m, addr = 0) => ((m.read(addr) & PG_anon) !== 0 ? 1 : 0));
/** Constant while a page is mapped: no step of its own. */
export function PageAnon(p: page): Kernel<boolean> {
  const head = compound_head(p);
  return step({
    op: Op.silentPrimitive,
    primitive: isAnon,
    args: [head.flags.addr],
    decode: asBoolean,
    text: (names) => `PageAnon(${head.expr(names)})`,
  });
}
