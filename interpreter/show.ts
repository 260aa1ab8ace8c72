/** The lines of a `show` statement: a part of the state as it stands. */
import type { Machine } from "../runtime/machine/machine.ts";
import { Atomic, Ref, Refcount, Struct, Words, type Member } from "../runtime/machine/struct.ts";
import { rw_semaphore } from "../runtime/machine/rwsem.ts";
import { showValue } from "../runtime/machine/access.ts";
import { membersIn } from "./bind/members.ts";
import { showNumber } from "./bind/values.ts";
import type { Director } from "./director.ts";
import type { ShowItem } from "./program.ts";
import { callbackLines } from "./show-callbacks.ts";
import { deviceLines } from "./show-device.ts";
import { lockLines } from "./show-locks.ts";
import { headingOf, isKernels, liveObjects, objectLines } from "./show-objects.ts";
import { pageTableLines, vmaLines } from "./show-mm.ts";
import { tlbLines } from "./show-tlb.ts";

type Shower = (machine: Machine, name: string | undefined) => string[];

const SHOWERS: Readonly<Record<string, Shower>> = {
  locks: (machine) => lockLines(machine),
  vmas: (machine) => vmaLines(machine),
  pagetables: (machine) => pageTableLines(machine),
  tlb: (machine) => tlbLines(machine),
  device: (machine, name) => liveObjects(machine).flatMap((object) => deviceLines(machine, object, name)),
  mm: (machine) => objectsOf(machine, "mm"),
  notifiers: (machine) => [...callbackLines(machine, "notifiers"), ...objectLines(machine, "notifiers")],
  objects: (machine) => objectLines(machine, "objects"),
  refs: (machine) => counterLines(machine),
};
export function showWords(): readonly string[] {
  return Object.keys(SHOWERS);
}

export function showLines(director: Director, item: ShowItem): string[] {
  return item.what.flatMap(({ word, name }) => showText(director, word, name));
}
/** What one of its words shows; `name`: of the object called so only. */
export function showText({ machine }: Director, word: string, name: string | undefined): string[] {
  const lines = SHOWERS[word]?.(machine, name) ?? [];
  return [`${word}:`, ...(lines.length === 0 ? ["  none"] : lines.map((line) => `  ${line}`))];
}

function membersDeep(struct: Struct, era: string | undefined): Member[] {
  return membersIn(struct, era).flatMap(([, member]) => {
    if (member instanceof rw_semaphore) return []; // a lock
    if (member instanceof Struct) return membersDeep(member, era);
    if (member instanceof Words) return [];
    return [member];
  });
}

function counterLines(machine: Machine): string[] {
  const objects = liveObjects(machine).filter((object) => !isKernels(object));
  return objects.flatMap((object) =>
    membersDeep(object, machine.era)
      .filter((member) => member instanceof Atomic || member instanceof Refcount)
      .map((member) => `${member.expr(machine)} = ${machine.peek(member.addr)}`),
  );
}

function objectsOf(machine: Machine, heading: string): string[] {
  return liveObjects(machine)
    .filter((object) => headingOf(machine, object) === heading && !isKernels(object))
    .flatMap((object) => [
      `${object.expr(machine)}:`,
      ...membersDeep(object, machine.era).flatMap((member) => {
        if (!(member instanceof Ref || member instanceof Atomic || member instanceof Refcount)) return [];
        const word = machine.peek(member.addr);
        const value = member instanceof Ref ? member.decode(word) : word;
        const text = typeof value === "number" ? showNumber(value) : showValue(value, machine);
        return [`  ${member.expr(machine).replace(/^[^-.]*->/, "")} = ${text}`];
      }),
    ]);
}
