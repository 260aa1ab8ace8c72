/** The TLBs of the CPUs as `show tlb` prints them. */
import type { Machine } from "../runtime/machine/machine.ts";
import { at, headerAddress } from "../runtime/machine/struct.ts";
import { mm_struct } from "../runtime/mm/mm_types.ts";
import { pte_page, pte_write } from "../runtime/mm/pgtable.ts";
import { cpuPte, tlbTables } from "../runtime/mm/tlb.ts";
import { addressAt, entryAt, spaceAt, TRANSLATIONS_MAX } from "../runtime/mm/translations.ts";
import { pageName } from "./show-mm.ts";

/** One line a translation: `cpu0: 0x1000 -> page 3 rw`. Stale is what the page tables do not say any more. */
export function tlbLines(machine: Machine): string[] {
  return tlbTables().flatMap((table, cpu) => {
    const lines: string[] = [];
    for (let i = 0; i < TRANSLATIONS_MAX; i++) {
      const entry = machine.peek(entryAt(table.addr, i));
      if (entry === 0) break;
      const addr = machine.peek(addressAt(table.addr, i));
      const space = machine.peek(spaceAt(table.addr, i));
      const whose = at(mm_struct, space).expr(machine);
      const rights = pte_write(entry) ? "rw" : "ro";
      const stale = staleness(machine, space, addr, entry);
      lines.push(`cpu${cpu}: ${whose} 0x${addr.toString(16)} -> ${pageName(entry)} ${rights}${stale}`);
    }
    return lines;
  });
}
function staleness(machine: Machine, space: number, addr: number, entry: number): string {
  const page = pte_page(entry);
  if (machine.peek(headerAddress(page.addr)) <= 0) return " (stale: the page was freed)";
  if (machine.peek(headerAddress(space)) <= 0) return " (stale: the address space is gone)";
  const now = cpuPte((word) => machine.peek(word), space, addr);
  if (now === 0) return " (stale: nothing is mapped there)";
  if (pte_page(now) !== page) return " (stale: another page is mapped there)";
  return pte_write(entry) && !pte_write(now) ? " (stale: read-only now)" : "";
}
