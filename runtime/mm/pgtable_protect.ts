/** pte_modify(): what an entry becomes under other VM_* flags. Values only. */
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from "./mm_types.ts";
import { pte_clear_protnone, pte_dirty, pte_mkprotnone, pte_mkwrite, pte_protnone, pte_wrprotect } from "./pgtable.ts";

/**
 * A private page ends read-only whatever is asked for: the next write finds out whether somebody shares it. A shared
 * one is writable at once if it is dirty already. `numa`: nothing is allowed, whatever the VMA says.
 */
export function pte_modify(pte: number, vmFlags: number, numa: boolean): number {
  const readOnly = pte_wrprotect(pte);
  if (numa || (vmFlags & (VM_READ | VM_WRITE | VM_EXEC)) === 0) return pte_mkprotnone(readOnly);
  const present = pte_protnone(readOnly) ? pte_clear_protnone(readOnly) : readOnly;
  const shared = VM_SHARED | VM_WRITE;
  return (vmFlags & shared) === shared && pte_dirty(pte) ? pte_mkwrite(present) : present;
}
