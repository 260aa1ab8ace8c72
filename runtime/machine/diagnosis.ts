/** What is wrong with an access: which report it is, and in which words. */
import { LIST_POISON1, LIST_POISON2 } from "./list.ts";
import type { Memory } from "./memory.ts";
import type { FatalKind } from "./step.ts";
import { headerAddress, SLOT } from "./struct.ts";

/** Ends a path from inside a primitive. */
export class PathEnd extends Error {
  readonly kind: FatalKind;
  readonly addr: number;
  constructor(kind: FatalKind, message: string, addr: number) {
    super(message);
    this.kind = kind;
    this.addr = addr;
  }
}

const isPoison = (addr: number): boolean =>
  headerAddress(addr) === headerAddress(LIST_POISON1) || addr === LIST_POISON2;

export function diagnose(memory: Memory, addr: number, verb: string): { kind: FatalKind; message: string } {
  if (isPoison(addr)) return { kind: "list-corruption", message: `${verb} at list poison 0x${addr.toString(16)}` };
  const header = memory.header(addr);
  if (header < 0) return { kind: "use-after-free", message: `${verb} of freed memory` };
  if (addr < 0) return { kind: "null-deref", message: `${verb} through an error pointer` };
  return { kind: "null-deref", message: addr < SLOT ? `${verb} through NULL` : `${verb} of memory never allocated` };
}
