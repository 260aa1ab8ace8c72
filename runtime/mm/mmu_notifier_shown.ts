/** The state of interval notifiers in words, for those who look on. */
import type { Peek } from "../machine/shown.ts";
import { memberNamed, Ref } from "../machine/struct.ts";
import type { mmu_interval_notifier, mmu_notifier_subscriptions } from "./mmu_notifier_types.ts";

const hex = (n: number): string => `0x${n.toString(16)}`;

/** Both ends belong to it, as in the kernel. */
export function rangeOf({ interval_tree: { start, last } }: mmu_interval_notifier, peek: Peek): string {
  return `[${hex(peek(start.addr))}, ${hex(peek(last.addr))}]`;
}
/** What the parity of the sequence number means. */
export function sequenceText({ invalidate_seq }: mmu_notifier_subscriptions, peek: Peek): string {
  return isOdd(peek(invalidate_seq.addr)) ? "(odd: tree stands still)" : "(even: tree may change)";
}
/** One that is in the tree. */
export function inTreeCells(sub: mmu_interval_notifier, owner: mmu_notifier_subscriptions, peek: Peek): string[] {
  const seq = peek(sub.invalidate_seq.addr);
  const waits = seq === peek(owner.invalidate_seq.addr); // in mmu_interval_read_begin()
  const cells = [rangeOf(sub, peek), `invalidate_seq ${seq}`];
  return waits ? [...cells, "(readers wait)"] : cells;
}
/** One that is on the deferred list: what becomes of it when the tree moves again. */
export function deferredCells(sub: mmu_interval_notifier, owner: mmu_notifier_subscriptions, peek: Peek): string[] {
  const interval = rangeOf(sub, peek);
  if (peek(sub.interval_tree.is_empty.addr) !== 0) return ["waits to enter", interval];
  // While the list is worked off, its entry is there a little longer than what it asked for.
  const isIn = isInTree(sub, owner, peek);
  if (!isOdd(peek(owner.invalidate_seq.addr))) return [isIn ? "in the tree" : "out of the tree", interval];
  const target = deferredTarget(sub, peek);
  return target === undefined ? ["waits to leave", interval] : ["waits to move", `${interval} -> ${target}`];
}
/** Where an update wants it; kernels without updates have no such members. */
function deferredTarget(sub: mmu_interval_notifier, peek: Peek): string | undefined {
  const [start, last] = ["deferred_start", "deferred_last"].map((name) => memberNamed(sub, name));
  if (!(start instanceof Ref && last instanceof Ref) || peek(last.addr) === 0) return undefined;
  return `[${hex(peek(start.addr))}, ${hex(peek(last.addr))}]`;
}
function isInTree(sub: mmu_interval_notifier, { itree }: mmu_notifier_subscriptions, peek: Peek): boolean {
  const { addr } = sub.interval_tree;
  const seen = new Set<number>();
  for (let node = peek(itree.first.addr); node !== 0 && !seen.has(node); node = peek(node)) {
    if (node === addr) return true;
    seen.add(node);
  }
  return false;
}
const isOdd = (seq: number): boolean => seq % 2 === 1;
