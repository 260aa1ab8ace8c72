/** Commands that move through time: step by step, statement by statement, as far as something of interest. */
import { ACTOR_NAMES, actorName } from "../actors.ts";
import type { Director } from "../director.ts";
import { AsWritten } from "../pickers.ts";
import type { Breathing } from "../breathing.ts";
import type { Decision } from "../schedule.ts";
import type { Picker } from "../trace.ts";
import { nothing, refused, told, type Answer, type Answering, type Desk } from "./desk.ts";
import { statusLine } from "./moment-text.ts";
import { Refused, type Rest, type Session } from "./session.ts";

/** Where a run came to rest, if there is more to say than that it did. */
export function restAnswer(session: Session, rest: Rest): Answer {
  const { problem } = session.timeline;
  if (problem !== undefined) throw new Refused(problem.message, [problem.diagnostic(session.source)]);
  switch (rest.why) {
    case "there":
      return nothing;
    case "stop":
      return told(...rest.stops);
    case "round":
      return told(`${rest.actors.map(actorName).join(" and ")} only comes back to where it was: livelock on this way`);
    case "limit":
      return told(`stopped after ${rest.steps} steps: \`:continue\` takes as many again`);
    case "interrupt":
      return told(`stopped at step ${session.timeline.at}`);
  }
}

/** Who always takes the steps of one actor. */
class Only implements Picker {
  private readonly actor: number;
  private readonly choice: number | undefined;
  constructor(actor: number, choice?: number) {
    this.actor = actor;
    this.choice = choice;
  }
  pick(director: Director): Decision | undefined {
    const open = director.actors().includes(this.actor) ? director.openChoices(this.actor) : [];
    const choice = this.choice === undefined ? open[0] : open.find((one) => one === this.choice);
    return choice === undefined ? undefined : { actor: this.actor, choice };
  }
}

/** `step`, `step 3`, `step cpu1`, `step cpu1 3`, `step cpu1 ?1` */
export function* step({ session }: Desk, args: string): Answering {
  const match = /^(?:(cpu[0-7]|rcu|srcu|work)\b)?\s*(?:\?(\d+))?\s*(\d+)?$/.exec(args);
  if (match === null) return refused("`:step`, `:step 3`, `:step cpu1`, `:step cpu1 3`, `:step cpu1 ?1`");
  const [, name, choiceText, countText] = match;
  const count = countText === undefined ? 1 : Number(countText);
  const { timeline } = session;
  if (name === undefined && choiceText === undefined) {
    const whole = cannotStep(session);
    if (whole !== undefined) return whole;
    const until = timeline.at + count;
    const rest = yield* session.runOn(new AsWritten(), () => timeline.at >= until);
    return restAnswer(session, rest);
  }
  const actor = name === undefined ? (timeline.open()[0]?.actor ?? 0) : ACTOR_NAMES.indexOf(name);
  const why = cannotMove(session, actor, choiceText === undefined ? undefined : Number(choiceText));
  if (why !== undefined) return why;
  return yield* stepsOf(session, actor, count, choiceText === undefined ? undefined : Number(choiceText));
}
/** Steps of one actor, until it cannot go on. */
export function* stepsOf(session: Session, actor: number, count: number, choice?: number): Answering {
  const { timeline } = session;
  const until = timeline.at + count;
  // The choice is about the first step only.
  if (choice !== undefined) {
    const first = timeline.at + 1;
    const rest = yield* session.runOn(new Only(actor, choice), () => timeline.at >= first);
    if (rest.why !== "there" || count === 1) return restAnswer(session, rest);
  }
  return restAnswer(session, yield* session.runOn(new Only(actor), () => timeline.at >= until));
}
/** One actor alone, until it cannot go on or is where it should be. */
export function runOnly(session: Session, actor: number, isThere: () => boolean): Breathing<Rest> {
  return session.runOn(new Only(actor), isThere);
}
/** Why nobody can take a step now. */
export function cannotStep(session: Session): Answer | undefined {
  return session.timeline.isOver ? refused(statusLine(session)) : undefined;
}
export function cannotMove(session: Session, actor: number, choice?: number): Answer | undefined {
  const { timeline } = session;
  const open = timeline.open().filter((decision) => decision.actor === actor);
  if (open.some((decision) => choice === undefined || decision.choice === choice)) return undefined;
  const whole = cannotStep(session);
  if (whole !== undefined) return whole;
  const name = actorName(actor);
  if (open.length > 0)
    return refused(`${name} has no choice ?${choice ?? 0} here: ${open.map((d) => `?${d.choice}`).join(", ")}`);
  const { director } = timeline;
  const { machine } = director;
  if (machine.isFinished(actor)) return refused(`${name} has nothing to do`);
  if (director.inRace && !director.actors().includes(actor))
    return refused(`${name} takes no part in this race, and waits for its end`);
  if (director.actors().includes(actor) || director.statusOf(actor) === "blocked")
    return refused(`${name} cannot go on: it waits in ${machine.nextStep(actor)?.text(machine) ?? "nothing"}`);
  const [now] = director.actors();
  const hint = `\`${name}: step\` takes it up, and leaves ${actorName(now ?? 0)} where it is`;
  return refused(`outside a race one statement runs at a time, and it is ${actorName(now ?? 0)}'s turn: ${hint}`);
}

const countOf = (args: string): number | undefined =>
  args === "" ? 1 : /^\d{1,9}$/.test(args) ? Number(args) : undefined;

export function* back({ session }: Desk, args: string): Answering {
  const count = countOf(args);
  if (count === undefined) return refused("`:back` takes a number of steps: `:back 3`");
  const { timeline } = session;
  if (timeline.at === 0) return refused("this is the start");
  timeline.backTo(Math.max(0, timeline.at - count));
  return nothing;
}
export function* forward({ session }: Desk, args: string): Answering {
  const count = countOf(args);
  if (count === undefined) return refused("`:forward` takes a number of steps: `:forward 3`");
  const { timeline } = session;
  if (timeline.at === timeline.length)
    return refused("nothing was taken back: `:step` takes a new step, `:continue` many");
  return restAnswer(session, yield* session.replay(timeline.at + count));
}
export function* goto({ session }: Desk, args: string): Answering {
  const { timeline } = session;
  const named: Readonly<Record<string, number>> = { start: 0, end: timeline.length };
  const wanted = Object.hasOwn(named, args) ? named[args] : args === "" ? undefined : countOf(args);
  if (wanted === undefined) return refused("`:goto` takes the number of a step, `start` or `end`");
  if (wanted > timeline.length) return refused(`the way known so far has ${timeline.length} steps: \`:goto end\``);
  if (wanted > timeline.at) return restAnswer(session, yield* session.replay(wanted, []));
  timeline.backTo(wanted);
  return nothing;
}

/** The known way to its end first; then as the script has it. */
export function* goOn({ session }: Desk): Answering {
  const { timeline } = session;
  if (timeline.at < timeline.length) {
    const rest = yield* session.replay(timeline.length);
    const isKnownEnd = rest.why === "there" && !timeline.isOver;
    return isKnownEnd ? told("the way that was known ends here: `:continue` goes on") : restAnswer(session, rest);
  }
  const whole = cannotStep(session);
  if (whole !== undefined) return whole;
  return restAnswer(session, yield* session.runOn(new AsWritten(), () => false));
}
export function* reverse({ session }: Desk): Answering {
  if (session.timeline.at === 0) return refused("this is the start");
  return restAnswer(session, yield* session.reverse(0));
}

/** To where the next statement begins; in a race, to where another CPU's turn comes or the statement is done. */
export function* next({ session }: Desk): Answering {
  const { timeline } = session;
  const whole = timeline.at < timeline.length ? undefined : cannotStep(session);
  if (whole !== undefined) return whole;
  const place = placeOf(session);
  const isThere = (): boolean => placeOf(session) !== place;
  if (timeline.at < timeline.length) {
    while (!isThere() && timeline.forward());
    return nothing;
  }
  return restAnswer(session, yield* session.runOn(new AsWritten(), isThere));
}
export function* previous({ session }: Desk): Answering {
  const { timeline } = session;
  if (timeline.at === 0) return refused("this is the start");
  timeline.backTo(timeline.at - 1);
  const place = placeOf(session);
  while (timeline.at > 0 && session.timeline.asOf(timeline.at - 1, () => placeOf(session)) === place)
    timeline.backTo(timeline.at - 1);
  return nothing;
}
/** Which statement of the script is under way; in a race, which of each CPU. */
function placeOf({ timeline }: Session): string {
  const { director } = timeline;
  const { machine } = director;
  if (!director.inRace) return String(director.itemIndex);
  const places = director.actorsOfRace().map((actor) => machine.scriptPosition(actor)?.args[0] ?? "-");
  return `${director.itemIndex} ${places.join(" ")}`;
}
