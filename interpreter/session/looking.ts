/** Commands that only look. */
import { diagram } from "../diagram.ts";
import { actorName, ACTORS } from "../actors.ts";
import { runText, type TraceDepth } from "../run-text.ts";
import { showText, showWords } from "../show.ts";
import { refused, told, type Answer, type Answering, type Desk } from "./desk.ts";
import { statusLine } from "./moment-text.ts";

export function* print({ session }: Desk, args: string): Answering {
  if (args === "") return refused("`:print` takes an expression: `:print mm.mm_users`");
  const look = session.look(args);
  return told(`${look.text} = ${look.value(session.timeline.director.machine)}`);
}

export function* show({ session }: Desk, args: string): Answering {
  const words = args === "" ? showWords() : args.split(/[\s,]+/);
  const unknown = words.find((word) => !showWords().includes(word));
  if (unknown !== undefined)
    return refused(`\`:show\` knows nothing called \`${unknown}\`; it can show ${showWords().join(", ")}`);
  return told(...words.flatMap((word) => showText(session.timeline.director, word, undefined)));
}

/** Where every CPU is: its calls, what it would do next, its locks. */
export function* where({ session }: Desk): Answering {
  const { director } = session.timeline;
  const { machine } = director;
  const lines = [`step ${session.timeline.at}; ${statusLine(session)}`];
  for (let actor = 0; actor < ACTORS; actor++) {
    if (machine.isFinished(actor) || machine.isIdle(actor)) continue;
    const calls = machine.stackOf(actor).map(({ name }) => name);
    const inside = calls.length === 0 ? "" : ` in ${calls.reverse().join(" > ")}`;
    const status = director.inRace ? (director.canMove(actor) ? "" : "blocked") : director.statusOf(actor);
    const how = status === "" || status === "running" ? "" : ` is ${status}`;
    const locks = machine.lockTexts(actor);
    const holds = locks.length === 0 ? "" : `; holds ${locks.join(", ")}`;
    const verb = status === "blocked" ? "waits in" : "next";
    lines.push(
      `${actorName(actor)}${how}${inside}; ${verb} ${machine.nextStep(actor)?.text(machine) ?? "nothing"}${holds}`,
    );
  }
  return told(...lines);
}

const DEPTHS: readonly TraceDepth[] = ["statements", "calls", "steps"];

/** `trace`: everything so far; `trace calls`: that deep, and from now on. */
export function* trace(desk: Desk, args: string): Answering {
  const depth = DEPTHS.find((known) => known === args);
  if (args !== "" && depth === undefined) return refused(`\`:trace\` takes one of ${DEPTHS.join(", ")}`);
  if (depth !== undefined) desk.depth = depth;
  const { program, trace: events } = desk.session;
  return told(...runText(program, events, desk.depth).trimEnd().split("\n"));
}

export function* diagramOfNow({ session }: Desk, args: string): Answering {
  if (args !== "" && args !== "full") return refused("`:diagram`, or `:diagram full` for every step");
  const { trace: events, kernel } = session;
  if (events.events.length === 0) return refused("nothing has run yet");
  return told(...diagram(events, { full: args === "full", title: `kernel ${kernel}` }).split("\n"));
}

export function* script({ session }: Desk): Answering {
  const { source } = session;
  if (source.text.trim() === "") return told("nothing has been typed yet");
  const width = String(source.lineCount).length;
  const lines = source.text.replace(/\n$/, "").split("\n");
  return told(...lines.map((line, i) => `${String(i + 1).padStart(width)}  ${line}`.trimEnd()));
}

/** Lines of the whole trace that contain a text, each with the number of its step. */
export function* find({ session }: Desk, args: string): Answering {
  if (args === "") return refused("`:find` takes a text: `:find kfree`");
  const found = session.trace.events.flatMap((event) => {
    if (event.kind !== "step" || !event.text.includes(args)) return [];
    return [`${String(event.number).padStart(5)} ${actorName(event.actor).padEnd(5)} ${event.text}`];
  });
  return found.length === 0 ? refused(`no step so far has \`${args}\``) : told(...found);
}

export function* stops({ session }: Desk): Answering {
  return stopLines(session.stops.map((stop) => `${stop.number}  ${stop.kind} ${stop.text}`));
}
function stopLines(lines: readonly string[]): Answer {
  return lines.length === 0 ? told("no breakpoints, and nothing is watched") : told(...lines);
}
