/** What a search has found, class by class, and how each was reached. */
import type { Machine } from "../runtime/machine/machine.ts";
import { classOf, describe, placeOf, placesOf, type Finding, type Report } from "../runtime/machine/report.ts";
import type { Director } from "./director.ts";
import type { Livelock } from "./liveness.ts";
import type { ExpectItem, Program } from "./program.ts";
import type { Schedule } from "./schedule.ts";

/** Names something that a path can come to: a class of reports, a final state, an expectation that holds. */
export type Event = string;

export interface FoundReport {
  readonly event: Event;
  /** The first of its class that was met. */
  readonly finding: Finding;
  /** Every function that reports of this class were in. */
  readonly places: Set<string>;
  readonly schedule: Schedule;
  /** Of a livelock: those who go round. */
  readonly actors?: readonly number[];
}
export interface Outcome {
  readonly event: Event;
  /** The results and variables, in the order of the program's outcome words. */
  readonly values: readonly string[];
  /** The `expect sometimes` that hold in it. */
  readonly holds: readonly ExpectItem[];
  readonly schedule: Schedule;
}

export class Findings {
  readonly reports = new Map<Event, FoundReport>();
  readonly outcomes = new Map<Event, Outcome>();
  readonly met = new Map<ExpectItem, Schedule>();
  /** Which reports a search meets again and again: by local state, for a quick answer. */
  private readonly known = new Map<number, { report: Report; event: Event }[]>();
  private readonly program: Program;
  private readonly sometimes: readonly ExpectItem[];

  constructor(program: Program) {
    this.program = program;
    const expectations = program.items.filter((item): item is ExpectItem => item.kind === "expect");
    this.sometimes = expectations.filter((e) => e.expectation.kind === "condition" && e.expectation.sometimes);
  }

  /** Files a report; returns the event it is an instance of. */
  addReport(machine: Machine, report: Report, schedule: () => Schedule): Event {
    let known = this.known.get(report.local);
    if (known === undefined) this.known.set(report.local, (known = []));
    const same = known.find(
      (k) => k.report.kind === report.kind && k.report.header === report.header && k.report.message === report.message,
    );
    if (same !== undefined) return same.event;
    const finding = describe(machine, report);
    const event = `report ${classOf(finding)}`;
    known.push({ report, event });
    const found = this.reports.get(event);
    if (found === undefined)
      this.reports.set(event, { event, finding, places: new Set(placesOf(finding)), schedule: schedule() });
    else for (const place of placesOf(finding)) found.places.add(place);
    return event;
  }
  /** How one came to take locks in an order that nobody has met before. */
  addLockOrder(machine: Machine, schedule: () => Schedule): void {
    if (machine.news.length === 0) return;
    for (const dependency of machine.news) dependency.way ??= schedule();
    machine.news = [];
  }

  /** A deadlock: who waits for what tells one from another. */
  addDeadlock(director: Director, schedule: () => Schedule): Event {
    const finding = deadlockFinding(director);
    const event = `report ${classOf(finding)}`;
    if (!this.reports.has(event))
      this.reports.set(event, { event, finding, places: new Set([placeOf(finding)]), schedule: schedule() });
    for (const item of this.program.items) {
      if (item.kind !== "expect" || item.expectation.kind !== "blocked" || this.met.has(item)) continue;
      const { cpu, lock } = item.expectation;
      if (director.isBlockedOn(cpu, lock?.(director.machine))) this.met.set(item, schedule());
    }
    return event;
  }

  addLivelock(livelock: Livelock): void {
    const { actors, schedule } = livelock;
    const finding = livelockFinding(livelock);
    const event = `report ${classOf(finding)}`;
    this.reports.set(event, { event, finding, places: new Set([""]), schedule, actors });
  }

  addOutcome(machine: Machine, schedule: () => Schedule): Event {
    const values = this.program.outcomeWords.map((word) => word.show(machine, machine.peek(word.addr)));
    const holds = this.sometimes.filter(
      (item) => item.expectation.kind === "condition" && item.expectation.holds(machine),
    );
    const event = `final ${values.join("|")} ${holds.map((item) => item.text).join("|")}`;
    if (!this.outcomes.has(event)) this.outcomes.set(event, { event, values, holds, schedule: schedule() });
    return event;
  }

  addMet(item: ExpectItem, schedule: () => Schedule): Event {
    if (!this.met.has(item)) this.met.set(item, schedule());
    return `met ${this.program.items.indexOf(item)}`;
  }
}

/** What there is to say when nobody can ever move again. */
export function deadlockFinding(director: Director): Finding {
  const { machine } = director;
  const waits = director.stuckActors().map((actor) => {
    const step = machine.nextStep(actor);
    return { actor, stack: machine.stackOf(actor), step: step?.text(machine) ?? "" };
  });
  const message = waits.map((w) => `${director.nameOf(w.actor)} waits in ${w.step}`).join("; ");
  return {
    kind: "deadlock",
    message,
    actor: waits[0]?.actor ?? -1,
    local: 0,
    addr: 0,
    header: 0,
    stack: waits[0]?.stack ?? [],
    step: waits[0]?.step ?? "",
    locks: [],
    objectType: null,
    freedBy: "",
    heldIn: [],
  };
}

/** What there is to say of those who go round and never get anywhere. */
export function livelockFinding({ actors, message }: Pick<Livelock, "actors" | "message">): Finding {
  return {
    kind: "livelock",
    message,
    actor: actors[0] ?? -1,
    local: 0,
    addr: 0,
    header: 0,
    stack: [],
    step: "",
    locks: [],
    objectType: null,
    freedBy: "",
    heldIn: [],
  };
}
