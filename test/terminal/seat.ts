/** The view without a terminal: keys go in, frames come out. */
import { App } from "../../interpreter/terminal/app.ts";
import { Frame } from "../../interpreter/terminal/frame.tsx";
import { frameText } from "../../interpreter/terminal/framer.tsx";
import type { Key } from "../../interpreter/terminal/keys.ts";
import type { Size } from "../../interpreter/terminal/state.ts";
import { frontOf } from "../../interpreter/view/front.ts";
import { createElement } from "react";
import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { sitDown, type Sitting } from "../session/desk.ts";

export interface Seat extends Sitting {
  readonly app: App;
  readonly said: string[];
  readonly history: string[];
  /** Types text, or presses named keys: `press("cpu0: mmap 0x1000..", "return")`. */
  press(...keys: readonly string[]): Promise<void>;
  frame(): string;
  /** With the codes of its colours. */
  colours(): string;
  cursor(): { row: number; column: number } | undefined;
  resize(size: Size): void;
}

const NAMED =
  /^(return|tab|shift-tab|escape|up|down|left|right|pageup|pagedown|home|end|backspace|delete|ctrl-.|paste:[^]*)$/;
export function keysOf(text: string): Key[] {
  if (!NAMED.test(text))
    return Array.from(text, (character) => ({
      name: character === "\r" ? "return" : character,
      ctrl: false,
      meta: false,
      shift: false,
      text: character === "\r" ? "" : character,
    }));
  if (text.startsWith("paste:"))
    return [{ name: "paste", ctrl: false, meta: false, shift: false, text: text.slice("paste:".length) }];
  const ctrl = text.startsWith("ctrl-");
  const shift = text.startsWith("shift-");
  return [{ name: text.replace(/^(ctrl|shift)-/, ""), ctrl, meta: false, shift, text: "" }];
}

export function takeSeat(size: Size, script = "", isOpen = true, name = "prompt"): Seat {
  const readFile = (path: string) => ({ name: path, text: readFileSync(`scripts/${path}`, "utf8") });
  const sitting = sitDown(script, isOpen, readFile, name);
  sitting.desk.depth = "steps";
  const history: string[] = [];
  const said: string[] = [];
  let at = size;
  const front = frontOf(sitting.desk, { entries: history, problem: undefined, add: (line) => void history.push(line) });
  const app = new App(front, size, {
    changed: () => {},
    bell: () => void said.push("bell"),
    suspend: () => void said.push("suspend"),
    repaint: () => void said.push("repaint"),
    quit: () => void said.push("quit"),
  });
  const colours = (): string => frameText(createElement(Frame, { state: app.frame().state, size: at }), at);
  return {
    ...sitting,
    app,
    said,
    history,
    colours,
    async press(...keys) {
      for (const text of keys) {
        for (const key of keysOf(text)) app.key(key);
        await app.idle();
      }
    },
    frame: () =>
      stripVTControlCharacters(colours())
        .split("\n")
        .map((line) => line.trimEnd())
        .join("\n"),
    cursor: () => app.frame().cursor,
    resize(now) {
      at = now;
      app.resize(now);
    },
  };
}
