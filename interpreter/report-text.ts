/** Reports in the kernel's own words: title, what was touched, call trace, who allocated and who freed it. */
import { headerAddress, WORD } from "../runtime/machine/struct.ts";
import { HELD_LOCK_FREED, placeOf, type Finding } from "../runtime/machine/report.ts";
import { checkLines, checkTitle } from "./report-checks.ts";
import { actorName } from "./actors.ts";
import type { StepEvent, Trace, TraceEvent } from "./trace-events.ts";

type AllocateEvent = Extract<TraceEvent, { kind: "allocate" }>;

/** One line, as dmesg would begin: "BUG: KASAN: use-after-free in find_vma". */
export function reportTitle(finding: Finding): string {
  const place = placeOf(finding);
  const inPlace = place === "" ? "" : ` in ${place}`;
  const title = checkTitle(finding, inPlace);
  if (title !== undefined) return title;
  switch (finding.kind) {
    case "use-after-free":
      return `BUG: KASAN: use-after-free${inPlace}`;
    case "double-free":
      return `BUG: KASAN: double-free or invalid-free${inPlace}`;
    case "null-deref":
      return finding.addr < 0
        ? `BUG: unable to handle page fault for an error pointer${inPlace}`
        : `BUG: KASAN: null-ptr-deref${inPlace}`;
    case "list-corruption":
      return finding.message.includes("poison")
        ? `general protection fault, probably for non-canonical address${inPlace}`
        : `${finding.message.replace(/\.$/, "")}${inPlace}`;
    case "bug":
      if (finding.message.startsWith("kernel stack overflow")) return `BUG: ${finding.message}`;
      return `kernel BUG${inPlace}: ${finding.step}`;
    case "warning":
      return finding.message.startsWith("BUG: ") ? finding.message : `WARNING${inPlace}: ${finding.message}`;
    case "lockdep": {
      // The kernel's lockdep looks at the locks of the task that frees only.
      const [other] = finding.heldIn.filter(({ actor }) => actor !== finding.actor);
      if (isHeldLockFreed(finding) && other !== undefined)
        return `WARNING: lock freed while ${actorName(other.actor)} holds it${inPlace}`;
      return `WARNING: ${finding.message.replace(/(?<=!) .*/, "")}${inPlace}`;
    }
    case "refcount":
      return `WARNING: ${finding.message}${inPlace}`;
    case "deadlock":
      return "INFO: tasks blocked for ever";
    case "livelock":
      return `watchdog: BUG: soft lockup${inPlace}`;
    case "stale-translation": // the step is a sentence: "device gpu reads 0x1000"
      return `BUG: stale-translation${inPlace}: ${finding.step} after ${finding.message}`;
    case "leak":
      return `memory leak: ${finding.message}`;
    case "expectation":
      return `expectation: ${finding.message}`;
    default:
      return `${finding.kind}${inPlace}: ${finding.message}`;
  }
}

function isHeldLockFreed(finding: Finding): boolean {
  return finding.kind === "lockdep" && finding.message === HELD_LOCK_FREED;
}

/** Short form for a heading: "use-after-free in find_vma". */
export function reportName(finding: Finding): string {
  const place = finding.kind === "data-race" ? finding.message : placeOf(finding);
  if (finding.kind === "expectation") return finding.message;
  return place === "" ? finding.kind : `${finding.kind} in ${place}`;
}

/** The whole report. The trace is the one that the finding ends, or occurs in. */
export function reportLines(finding: Finding, trace: Trace): string[] {
  const lines = [reportTitle(finding)];
  if (finding.kind === "deadlock") {
    for (const wait of finding.message.split("; ")) lines.push(`  ${wait}`);
    return lines;
  }
  if (finding.kind === "livelock") return [...lines, sentence(finding)];
  if (finding.kind === "expectation" || finding.kind === "leak") {
    if (finding.addr !== 0) lines.push(...origin(finding.addr, trace, ["Allocated"]));
    return lines;
  }
  const checked = checkLines(finding);
  if (checked !== undefined) return [...lines, ...checked];
  const who = finding.actor < 0 ? "" : ` by ${actorName(finding.actor)}`;
  const what = finding.step === "" ? "" : `: ${finding.step}`;
  // The title has it already, in the kernel's words.
  const isTold = ["bug", "refcount"].includes(finding.kind) || /^list_\w+ corruption/.test(finding.message);
  const said = isTold ? "" : finding.kind === "lockdep" ? restOf(finding.message) : finding.message;
  if (finding.kind !== "stale-translation")
    // whose title says it all
    lines.push(capital(`${said}${who}${finding.kind === "bug" ? "" : what}`.trim()));
  if (finding.actor >= 0) lines.push(`${actorName(finding.actor)} holds ${listed(finding.locks)}`);
  if (isHeldLockFreed(finding))
    for (const { actor, lock } of finding.heldIn)
      if (actor !== finding.actor) lines.push(`${actorName(actor)} holds ${lock}`);
  if (finding.stack.length > 0) lines.push("Call trace:", ...finding.stack.map((frame) => `  ${frame.name}`));
  const isMisuse = finding.kind === "lockdep" && !isHeldLockFreed(finding); // of a lock that is where it should be
  if (finding.addr !== 0 && finding.header !== 0 && !isMisuse) {
    lines.push(`The address belongs to a struct ${finding.objectType?.name ?? "?"}`);
    lines.push(...origin(finding.addr, trace, finding.header < 0 ? ["Allocated", "Freed"] : ["Allocated"]));
  }
  return lines;
}

/** What lockdep says below its title. */
function restOf(message: string): string {
  return /(?<=! ).*/.exec(message)?.[0] ?? "";
}
function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
/** "cpu0 in f goes round ...": who, unless the message says so itself. */
function sentence(finding: Finding): string {
  return finding.message.startsWith("goes") ? `${actorName(finding.actor)} ${finding.message}` : finding.message;
}
/** Who allocated the object at an address, and who freed it, the last time each. */
function origin(addr: number, trace: Trace, which: readonly ("Allocated" | "Freed")[]): string[] {
  const base = headerAddress(addr) + WORD;
  const lines: string[] = [];
  for (const word of which) {
    const event = trace.events.findLast((e): e is AllocateEvent | StepEvent =>
      word === "Freed" ? e.kind === "step" && e.frees === base : e.kind === "allocate" && e.addr === base,
    );
    if (event === undefined) continue;
    const holding = event.kind === "step" ? `, which holds ${listed(event.locks)}` : "";
    lines.push(
      `${word} by ${actorName(event.actor)}${holding}:`,
      ...[...event.stack].reverse().map((name) => `  ${name}`),
    );
  }
  return lines;
}

function listed(locks: readonly string[]): string {
  return locks.length === 0 ? "no lock" : locks.join(", ");
}
