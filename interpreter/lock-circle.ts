/**
 * How a circle in the order of locks is shown. A search puts it together from many runs; people want one, and who runs
 * a schedule again begins with an empty book.
 */
import type { Mutation } from "../runtime/machine/mutation.ts";
import { classOf, type Finding } from "../runtime/machine/report.ts";
import type { Director } from "./director.ts";
import { Scheduled } from "./pickers.ts";
import type { Program } from "./program.ts";
import { runsText, switchesOf, type Decision, type Schedule } from "./schedule.ts";
import { simulate } from "./simulation.ts";
import { record, type Picker } from "./trace.ts";
import type { Trace } from "./trace-events.ts";

export interface CircleShown {
  readonly schedule: Schedule;
  /** What has to be run before, for the order that it left behind. */
  readonly before: readonly Schedule[];
  readonly trace: Trace;
}

const STEPS_MAX = 20_000;

/** Whether a report is about an order that came about in several places. */
export const isCircle = (finding: Finding): boolean => (finding.order?.chain.length ?? 0) > 0;

export function showCircle(
  program: Program,
  mutations: readonly Mutation[],
  finding: Finding,
  schedule: Schedule,
): CircleShown | undefined {
  const run = (picker: Picker, before: readonly Schedule[] = []): CircleShown | undefined => {
    const director = simulate(program, mutations);
    learn(director, before);
    const trace = record(director, picker, { maxSteps: STEPS_MAX });
    const met = trace.findings.some((other) => classOf(other) === classOf(finding));
    return met ? { schedule: trace.decisions, before, trace } : undefined;
  };
  const alone = run(new Scheduled(schedule));
  if (alone !== undefined) return alone;
  const inTurn = orders(program).flatMap((order) => run(new InTurn(order)) ?? []);
  const [shortest] = inTurn.sort(
    (a, b) => switchesOf(a.schedule) - switchesOf(b.schedule) || a.schedule.length - b.schedule.length,
  );
  if (shortest !== undefined) return shortest;
  const ways = new Map((finding.order?.chain ?? []).map(({ way }) => [runsText(way ?? []), way ?? []]));
  return run(new Scheduled(schedule), [...ways.values()]);
}

/** Runs schedules for nothing but the order in which they take locks. */
export function learn(director: Director, schedules: readonly Schedule[]): void {
  const { machine } = director;
  const mark = machine.mark();
  machine.lockOrder.remembers = true;
  for (const schedule of schedules) {
    record(director, new Scheduled(schedule), { maxSteps: STEPS_MAX });
    machine.undoTo(mark);
  }
  machine.lockOrder.remembers = false;
}

/** The CPUs of the races, each once at the beginning. */
function orders(program: Program): number[][] {
  const cpus = [
    ...new Set(program.items.flatMap((item) => (item.kind === "race" ? item.programs.map(({ cpu }) => cpu) : []))),
  ];
  return cpus.flatMap((first) => {
    const others = cpus.filter((cpu) => cpu !== first);
    return [
      [first, ...others],
      [first, ...others.reverse()],
    ];
  });
}

/** One CPU after the other, each as far as it goes, until lockdep has something to say. */
class InTurn implements Picker {
  private readonly order: readonly number[];

  constructor(order: readonly number[]) {
    this.order = order;
  }
  pick(director: Director): Decision | "stop" | undefined {
    if (director.reports.some(({ dependency }) => dependency?.circle !== undefined)) return "stop";
    const place = ({ actor }: Decision): number => (this.order.indexOf(actor) + 99) % 99; // callbacks come last
    return director.openDecisions().sort((a, b) => place(a) - place(b))[0];
  }
}
