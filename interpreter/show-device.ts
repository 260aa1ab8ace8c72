/** The page tables of devices, as `show device` prints them. */
import type { Machine } from "../runtime/machine/machine.ts";
import { membersOf, Struct } from "../runtime/machine/struct.ts";
import { device, deviceEntries } from "../runtime/drivers/device.ts";
import { pageName } from "./show-mm.ts";

/** One line a page of each device that is, or lies in, an object; `name`: of the device called so only. */
export function deviceLines(machine: Machine, object: Struct, name: string | undefined): string[] {
  if (object instanceof device)
    return name === undefined || object.expr(machine) === name ? lines(machine, object) : [];
  return membersOf(object).flatMap(([, member]) =>
    member instanceof Struct ? deviceLines(machine, member, name) : [],
  );
}
function lines(machine: Machine, dev: device): string[] {
  return deviceEntries((addr) => machine.peek(addr), dev).map(({ addr, entry, writable, stale }) => {
    const note = stale === null ? "" : `, stale: ${stale}`;
    return `${dev.expr(machine)}: 0x${addr.toString(16)} -> ${pageName(entry)}${writable ? " rw" : " ro"}${note}`;
  });
}
