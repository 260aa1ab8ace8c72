/** The address space as `show vmas` and `show pagetables` print it. */
import type { Machine } from "../runtime/machine/machine.ts";
import { headerType } from "../runtime/machine/memory.ts";
import { at, GIANT_ARENA, headerAddress, SLOT, slotSize, WORD, type StructClass } from "../runtime/machine/struct.ts";
import { ARENA, typeByNumber } from "../runtime/machine/types.ts";
import {
  mm_struct,
  vm_area_struct,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from "../runtime/mm/mm_types.ts";
import {
  is_device_private_entry,
  is_huge,
  is_migration_entry,
  is_swap_entry,
  is_table,
  PAGE_SIZE,
  PAGE_STRIDE,
  pgd_table,
  pmd_table,
  pte_devmap,
  pte_present,
  pte_special,
  pte_table,
  pte_write,
  pud_table,
} from "../runtime/mm/pgtable.ts";

function objects<S extends { addr: number }>(machine: Machine, cls: StructClass): S[] {
  const found = [];
  for (const base of machine.memory.objects()) {
    const header = machine.memory.peek(base);
    if (header > 0 && typeByNumber(headerType(header)) === cls) found.push(at(cls, base + WORD) as unknown as S);
  }
  return found.sort((a, b) => a.addr - b.addr);
}
const hex = (n: number): string => `0x${n.toString(16)}`;
const protection = (flags: number): string =>
  [
    [VM_READ, "r"],
    [VM_WRITE, "w"],
    [VM_EXEC, "x"],
  ]
    .map(([bit, letter]) => ((flags & (bit as number)) !== 0 ? letter : "-"))
    .join("");

/** One line a VMA, as the list of the mm has them; freed ones are marked, for their mm still points there. */
export function vmaLines(machine: Machine): string[] {
  const lines: string[] = [];
  for (const mm of objects<mm_struct>(machine, mm_struct)) {
    const seen = new Set<number>();
    for (let addr = machine.peek(mm.mmap.addr); addr !== 0 && !seen.has(addr);) {
      seen.add(addr);
      const vma = at(vm_area_struct, addr);
      if (machine.memory.header(addr) < 0) {
        lines.push(`${mm.expr(machine)}: freed VMA`);
        break;
      }
      const range = `${hex(machine.peek(vma.vm_start.addr))}-${hex(machine.peek(vma.vm_end.addr))}`;
      lines.push(
        `${mm.expr(machine)}: ${range} ${protection(machine.peek(vma.vm_flags.addr))} ${mapped(machine, vma)}`,
      );
      addr = machine.peek(vma.vm_next.addr);
    }
  }
  return lines;
}

/** "anon", "data+0x1000", "shmem huge" */
function mapped(machine: Machine, vma: vm_area_struct): string {
  const flags = machine.peek(vma.vm_flags.addr);
  const words = [
    [VM_SHARED, " shared"],
    [VM_GROWSDOWN, " growsdown"],
    [VM_HUGEPAGE, " huge"],
  ] as const;
  const file = machine.peek(vma.vm_file.addr);
  const offset = machine.peek(vma.vm_pgoff.addr) * PAGE_SIZE;
  const name = file === 0 ? "anon" : (machine.name(file) ?? "shmem") + (offset === 0 ? "" : `+${hex(offset)}`);
  return (
    name +
    words
      .filter(([bit]) => (flags & bit) !== 0)
      .map(([, word]) => word)
      .join("")
  );
}

/** One line a mapped page, and one for a table that holds nothing. */
export function pageTableLines(machine: Machine): string[] {
  return objects<mm_struct>(machine, mm_struct).flatMap((mm) => {
    const pgd = machine.peek(mm.pgd.addr);
    return pgd === 0 ? [] : tableLines(machine, pgd, 0, 0);
  });
}
const LEVELS: readonly { readonly cls: StructClass; readonly shift: number }[] = [
  { cls: pgd_table, shift: 39 },
  { cls: pud_table, shift: 30 },
  { cls: pmd_table, shift: 21 },
  { cls: pte_table, shift: 12 },
];
function tableLines(machine: Machine, table: number, level: number, from: number): string[] {
  const step = LEVELS[level];
  if (step === undefined) return [];
  if (machine.memory.header(table) <= 0) return [`${hex(from)} -> freed ${step.cls.short} table`];
  const entries = (at(step.cls, table) as pgd_table).entries;
  const lines: string[] = [];
  for (const word of [...machine.memory.wordsOfObject(table)].sort((a, b) => a - b)) {
    const index = (machine.memory.addressOf(word) - entries.addr) / WORD;
    const value = machine.memory.words[word] as number;
    if (index < 0 || index >= entries.length || value === 0) continue;
    const addr = from + index * 2 ** step.shift;
    if (level < LEVELS.length - 1 && is_table(value)) lines.push(...tableLines(machine, value, level + 1, addr));
    else lines.push(`${hex(addr)} -> ${contents(value)}`);
  }
  const short = step.cls.short ?? "";
  return lines.length === 0 && level > 0 ? [`${hex(from)} -> empty ${short} table`] : lines;
}
/** What an entry that points to no table holds. */
function contents(value: number): string {
  const what = is_migration_entry(value) ? "migrating " : is_device_private_entry(value) ? "on the device: " : "";
  if (is_swap_entry(value)) return "swapped out";
  const size = is_huge(value) ? " huge" : "";
  const kind = pte_devmap(value) ? " devmap" : pte_special(value) ? " special" : "";
  const present = pte_present(value) ? "" : what === "" ? " (being split)" : "";
  return `${what}${pageName(value)}${pte_write(value) ? " rw" : " ro"}${size}${kind}${present}`;
}
/** Pages are told apart by where they lie: there are no pfns in the model. */
export function pageName(entry: number): string {
  const slot = headerAddress(entry);
  const size = slotSize(slot);
  const part = size === SLOT ? 0 : Math.floor((entry - slot) / PAGE_STRIDE);
  const kind = size === SLOT ? "page" : size === slotSize(GIANT_ARENA) ? "device page" : "huge page";
  return `${kind} ${(slot % ARENA) / size}${part === 0 ? "" : `[${part}]`}`;
}
