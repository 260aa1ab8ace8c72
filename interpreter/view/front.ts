/** A session as the terminal gets it: what is shown of it, and what can be done. */
import { drive } from "../breathing.ts";
import { coloured } from "../session/colour.ts";
import { commands } from "../session/commands.ts";
import { complete } from "../session/completion.ts";
import type { Desk } from "../session/desk.ts";
import type { History } from "../session/history.ts";
import { Prompt } from "../session/prompt.ts";
import type { Front } from "../terminal/front.ts";
import { viewOf } from "./view.ts";

/** `first`: a line to run at once. */
export function frontOf(desk: Desk, history: Pick<History, "entries" | "problem" | "add">, first?: string): Front {
  const prompt = new Prompt(desk);
  const front: Front = {
    first,
    keys: commands.flatMap(({ key, name, summary }) => (key === undefined ? [] : { key, command: name, summary })),
    promptText: () => prompt.text,
    needsMore: (text) => prompt.needsMore(text),
    submit: (text) => drive(prompt.submit(text)),
    interrupt: () => (desk.session.interrupted = true),
    complete: (text, cursor) => complete(desk, text, cursor),
    coloured,
    step: () => desk.session.timeline.at,
    view: (since) => viewOf(desk.session, since, desk.depth),
    history,
    onStatus: () => {},
  };
  return front;
}
