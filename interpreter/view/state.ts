/** What memory holds: address spaces, notifiers, devices, and what the script has made. */
import type { Machine } from "../../runtime/machine/machine.ts";
import { deviceLines } from "../show-device.ts";
import { pageTableLines, vmaLines } from "../show-mm.ts";
import { callbackLines } from "../show-callbacks.ts";
import { tlbLines } from "../show-tlb.ts";
import { liveObjects, objectLines } from "../show-objects.ts";
import type { Program } from "../program.ts";
import type { Session } from "../session/session.ts";
import { markChanges, type Row } from "./view.ts";

export type Heading = "mm" | "notifiers" | "devices" | "objects";
type Lines = Readonly<Record<Heading | "callbacks", readonly string[]>>;

const WRONG = /freed|stale/;

export function stateRows(session: Session, since: number): Readonly<Record<Heading, readonly Row[]>> {
  const { timeline, program } = session;
  const { machine } = timeline.director;
  const watched = (): string[] =>
    session.stops.flatMap((stop) => (stop.kind === "watch" ? watchLine(stop, machine) : []));
  const look = (): Lines => ({
    ...stateLines(machine),
    objects: [...watched(), ...objects(machine, program)],
  });
  const now = look();
  const before = since < timeline.at ? timeline.asOf(since, look) : now;
  const rows = (heading: keyof Lines): Row[] => markChanges(now[heading], before[heading], WRONG);
  const callbacks = rows("callbacks").map((row): Row => ({ ...row, tone: "callback" }));
  const notifiers = [...callbacks, ...rows("notifiers")];
  return { mm: rows("mm"), notifiers, devices: rows("devices"), objects: rows("objects") };
}
function watchLine(
  stop: { number: number; look: { text: string; value: (machine: Machine) => string } },
  m: Machine,
): string {
  return `watch ${stop.number}: ${stop.look.text} = ${stop.look.value(m)}`;
}
function stateLines(machine: Machine): Omit<Lines, "objects"> {
  return {
    mm: [
      ...objectLines(machine, "mm"),
      ...vmaLines(machine).map((line) => `vma ${line}`),
      ...pageTableLines(machine).map((line) => `pte ${line}`),
      ...tlbLines(machine).map((line) => `tlb ${line}`),
    ],
    callbacks: callbackLines(machine, "notifiers"),
    notifiers: objectLines(machine, "notifiers"),
    devices: [
      ...objectLines(machine, "devices"),
      ...liveObjects(machine).flatMap((object) => deviceLines(machine, object, undefined)),
    ],
  };
}
/** Variables first, then the objects that a script has given names. */
function objects(machine: Machine, { outcomeWords }: Program): string[] {
  const variables = outcomeWords.map(({ name, addr, show }) => `${name} = ${show(machine, machine.peek(addr))}`);
  return [...variables, ...objectLines(machine, "objects")];
}
