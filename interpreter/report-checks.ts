/** What lockdep, KCSAN and those that look for sleepers print below their titles, in the kernel's shape. */
import type { Finding, WrongOrder } from "../runtime/machine/report.ts";
import type { Access } from "../runtime/machine/kcsan.ts";
import { CIRCULAR, RECURSIVE, SLEEPING } from "../runtime/machine/lockdep-report.ts";
import { actorName } from "./actors.ts";

/** The titles of these reports; undefined: it is none of them. */
export function checkTitle(finding: Finding, inPlace: string): string | undefined {
  const { kind, message } = finding;
  if (finding.order !== undefined) return `WARNING: ${message.startsWith(RECURSIVE) ? RECURSIVE : CIRCULAR}${inPlace}`;
  if (kind === "data-race") return `BUG: KCSAN: data-race in ${message}`;
  if (kind === "rcu") return `WARNING: suspicious RCU usage${inPlace}`;
  if (kind === "sleep-in-atomic") return `BUG: ${message.replace(/:.*/, "")}${inPlace}`;
  return undefined;
}

/** What stands below the title; undefined: it is none of these reports. */
export function checkLines(finding: Finding): string[] | undefined {
  const { kind, message, order, race } = finding;
  if (order !== undefined) return [...orderLines(finding, order), ...whereLines(finding)];
  if (race !== undefined) return raceLines(finding);
  if (kind === "rcu") return [message, ...whereLines(finding)];
  if (kind !== "sleep-in-atomic") return undefined;
  return [message.slice(message.startsWith(SLEEPING) ? message.indexOf(":") + 2 : 0), ...whereLines(finding)];
}

function whereLines({ actor, step, locks, stack }: Finding): string[] {
  const who = actorName(actor);
  return [
    ...(step === "" ? [] : [`By ${who}: ${step}`]),
    `${who} holds ${locks.length === 0 ? "no lock" : locks.join(", ")}`,
    ...(stack.length === 0 ? [] : ["Call trace:", ...stack.map(({ name }) => `  ${name}`)]),
  ];
}

function orderLines({ actor, stack, step }: Finding, order: WrongOrder): string[] {
  const { held, taken, chain } = order;
  const who = actorName(actor);
  const lines = [
    `${who} is trying to acquire lock:`,
    `  (${taken}), at: ${stack[0]?.name ?? step}`,
    "but task is already holding lock:",
    `  (${held})`,
  ];
  if (chain.length > 0) {
    lines.push("which lock already depends on the new lock.");
    lines.push("the existing dependency chain (in reverse order) is:");
    for (const [i, link] of [...chain].reverse().entries())
      lines.push(`-> #${chain.length - i} (${link.taken}), with (${link.held}) held: ${seenText(link.seen)}`);
    lines.push(`-> #0 (${taken}): ${who} in ${stack[0]?.name ?? step}`);
  }
  if (chain.length > 1)
    lines.push("Chain exists of:", `  ${[taken, ...chain.map((link) => link.taken)].join(" --> ")}`);
  return [...lines, "Possible unsafe locking scenario:", ...scenario(order)];
}
function seenText(seen: WrongOrder["chain"][number]["seen"]): string {
  if (seen === undefined) return "";
  const { actor, stack, step } = seen;
  return stack.length === 0 ? `${actorName(actor)}: ${step}` : `${actorName(actor)} in ${stack.join(" <- ")}`;
}
/** As lockdep draws it: the lock in the middle stands for all there are. */
function scenario({ held, taken, chain }: WrongOrder): string[] {
  if (chain.length === 0)
    return ["       CPU0", "       ----", `  lock(${held});`, `  lock(${taken});`, "*** DEADLOCK ***"];
  const middle = chain.length > 1 ? (chain.at(-1)?.held ?? taken) : taken;
  const gap = " ".repeat(31);
  return [
    "       CPU0                    CPU1",
    "       ----                    ----",
    `  lock(${held});`,
    `${gap}lock(${middle});`,
    `${gap}lock(${held});`,
    `  lock(${taken});`,
    "*** DEADLOCK ***",
  ];
}

function raceLines({ race, addr }: Finding): string[] {
  if (race === undefined) return [];
  const lines = race.accesses.flatMap((access) => accessLines(access, addr));
  const hex = (n: number): string => (n < 0 ? String(n) : `0x${n.toString(16).padStart(16, "0")}`);
  const { change } = race;
  return change === undefined ? lines : [...lines, `value changed: ${hex(change.from)} -> ${hex(change.to)}`];
}
function accessLines({ actor, reads, writes, isMarked, stack, step, place }: Access, addr: number): string[] {
  const what = `${writes ? (reads ? "read-write" : "write") : "read"}${isMarked ? " (marked)" : ""}`;
  const where = place === "" ? `0x${addr.toString(16)}` : place;
  return [`${what} to ${where} of 8 bytes by ${actorName(actor)}: ${step}`, ...stack.map((name) => `  ${name}`)];
}
