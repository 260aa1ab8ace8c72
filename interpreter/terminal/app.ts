/**
 * What the keys do. The prompt has them until Esc or Tab gives them to a panel; there single keys are commands, and any
 * other key goes back to the prompt with what it types. Knows nothing of how a screen is drawn.
 */
import type { Answer } from "../session/desk.ts";
import type { PanelName, View } from "../view/view.ts";
import { commonPrefix, inColumns } from "./candidates.ts";
import { inputTop, layoutOf, panelOf, partsOf, SMALLEST } from "./frame.tsx";
import type { Front } from "./front.ts";
import { inputWindow } from "./input-window.ts";
import type { Key } from "./keys.ts";
import { gutterOf } from "./panel.tsx";
import { linesOf, topOf, wrapped } from "./rows.ts";
import { LineEditor } from "./line-editor.ts";
import type { AnswerPane, FrameState, Size } from "./state.ts";

export interface AppEvents {
  /** Something to draw has changed. */
  changed(): void;
  bell(): void;
  suspend(): void;
  repaint(): void;
  quit(): void;
}

const ORDER: readonly PanelName[] = ["script", "cpus", "locks", "mm", "notifiers", "devices", "objects", "events"];
const SLOW_MS = 150;
const QUERY_MAX = 16; // of what is looked for in the history
const ALWAYS: readonly PanelName[] = ["script", "cpus", "locks", "mm", "events"];

export class App {
  private readonly front: Front;
  private readonly events: AppEvents;
  private readonly editor: LineEditor;
  private size: Size;
  private view: View;
  private shown = new Set<PanelName>(ALWAYS);
  private focus: PanelName | undefined;
  /** Which panel had the keys last. */
  private lastFocus: PanelName = "script";
  private isZoomed = false;
  private scrolled = new Map<PanelName, number>();
  private eventsEnd: number | undefined;
  private found: number | undefined;
  /** What `/` looks for; while it is typed, the prompt is about that. */
  private finding: { text: string; isTyped: boolean } | undefined;
  private answer: AnswerPane | undefined;
  private message = "";
  /** What is running. */
  private working: Promise<void> | undefined;
  /** It has been running for so long that somebody may want to stop it. */
  private isSlow = false;
  private readonly waiting: Key[] = [];
  private hasListed = false;

  constructor(front: Front, size: Size, events: AppEvents) {
    this.front = front;
    this.size = size;
    this.events = events;
    this.editor = new LineEditor(() => front.history.entries);
    this.view = front.view(0);
    this.noteShown();
    this.message = front.history.problem ?? "";
    front.onStatus = (text) => {
      this.message = text;
      events.changed();
    };
  }
  /** Runs what was asked for on the command line. */
  begin(): void {
    if (this.front.first !== undefined) this.run(this.front.first);
  }
  /** When nothing is running any more. */
  async idle(): Promise<void> {
    while (this.working !== undefined) await this.working;
  }
  private get isRunning(): boolean {
    return this.working !== undefined;
  }
  resize(size: Size): void {
    this.size = size;
    this.events.changed();
  }

  // ---- what is drawn

  frame(): { readonly state: FrameState; readonly cursor: { row: number; column: number } | undefined } {
    const { prompt, text, cursor } = this.line();
    const window = inputWindow(text, cursor, this.size.columns - prompt.length - 1);
    const input = window.lines.map((line) =>
      this.finding?.isTyped === true ? [{ text: line, colour: "plain" as const }] : this.front.coloured(line),
    );
    const state: FrameState = {
      view: this.view,
      shown: this.shown,
      focus: this.focus,
      isZoomed: this.isZoomed && this.focus !== undefined,
      scrolled: this.scrolled,
      found: this.found,
      eventsEnd: this.eventsEnd,
      answer: this.answer && {
        ...this.answer,
        lines: this.answer.lines.flatMap((line) => wrapped(line, this.size.columns)),
      },
      prompt,
      input,
      inputRow: window.row,
      message: this.message,

      bar: this.bar(),
    };
    const parts = partsOf(state, this.size);
    const top = this.size.rows - 1 - parts.input;
    const row = top + window.row - inputTop(state, parts.input);
    const isDrawn = this.size.columns >= SMALLEST.columns && this.size.rows >= SMALLEST.rows;
    const hasCursor = isDrawn && !this.isSlow && (this.focus === undefined || this.finding?.isTyped === true);
    return { state, cursor: hasCursor ? { row, column: prompt.length + window.column } : undefined };
  }
  private line(): { prompt: string; text: string; cursor: number } {
    const { editor, finding } = this;
    if (finding?.isTyped === true) return { prompt: "/", text: finding.text, cursor: finding.text.length };
    if (editor.search !== undefined) {
      const { query, failed } = editor.search;
      return {
        prompt: `(${failed ? "no " : ""}\`${query.slice(-QUERY_MAX)}') `,
        text: editor.text,
        cursor: editor.cursor,
      };
    }
    return { prompt: this.front.promptText(), text: editor.text, cursor: editor.cursor };
  }
  private bar(): FrameState["bar"] {
    if (this.isSlow) return [["Ctrl-C", "stop"]];
    if (this.focus === undefined) {
      const always: FrameState["bar"] = [
        ["Tab", this.editor.text === "" ? "panels" : "complete"],
        ["Up", "history"],
        [":help", "commands"],
      ];
      const end: FrameState["bar"] = [["Ctrl-D", "leave"]];
      return this.answer === undefined
        ? [["Enter", "run"], ...always, ...end]
        : [["Esc", "close"], ["PgUp PgDn", "scroll"], ...always, ...end];
    }
    const movable = this.view.movable.map(String);
    const keys = this.front.keys.filter(({ key }) => !["/", "?", "b", "N", "C"].includes(key));
    return [
      ...(movable.length === 0 ? [] : ([[movable.join(" "), "that CPU"]] as const)),
      ...keys.map(({ key, command }) => [key, command] as const),
      ["N C", "backwards"],
      ["Tab", "next panel"],
      ["z", this.isZoomed ? "all" : "zoom"],
      ["/", "find"],
      ["b", "break"],
      ["?", "help"],
      ["Esc", "prompt"],
    ];
  }

  // ---- keys

  key(key: Key): void {
    if (key.ctrl && key.name === "c") return this.interrupt();
    if (this.isRunning) {
      this.waiting.push(key);
      return;
    }
    this.message = "";
    if (key.ctrl && key.name === "l") this.events.repaint();
    else if (key.ctrl && key.name === "z") this.events.suspend();
    else if (this.finding?.isTyped === true) this.findKey(key, this.finding.text);
    else if (this.focus === undefined) this.promptKey(key);
    else this.panelKey(key, this.focus);
    this.events.changed();
  }
  private interrupt(): void {
    if (this.isRunning) this.front.interrupt();
    else if (this.finding?.isTyped === true) this.finding = undefined;
    else if (this.editor.text !== "" || this.editor.search !== undefined) this.editor.clear();
    else if (this.answer !== undefined) this.answer = undefined;
    else this.message = "Ctrl-D, or :quit, leaves; nothing is running";
    this.focus = undefined;
    this.waiting.length = 0;
    this.events.changed();
  }

  private promptKey(key: Key): void {
    const { editor } = this;
    const isListed = this.hasListed;
    this.hasListed = false;
    if (editor.key(key) === "handled") return;
    switch (key.name) {
      case "return":
        return this.enter();
      case "tab":
        if (editor.text.trim() === "") return this.give(this.lastFocus);
        return this.completeWord(isListed);
      case "escape":
        if (this.answer !== undefined) this.answer = undefined;
        else if (editor.text === "") this.give(this.lastFocus);
        return;
      case "pageup":
      case "pagedown":
        return this.page(key.name === "pageup" ? -1 : 1);
      case "d":
        if (key.ctrl && editor.text === "") this.events.quit();
        return;
    }
  }
  private enter(): void {
    const { editor, front } = this;
    const { text } = editor;
    if (front.needsMore(text)) return editor.insert("\n");
    editor.clear();
    if (text.trim() !== "") front.history.add(text);
    this.run(text, true);
  }
  private completeWord(isSecond: boolean): void {
    const { editor, front } = this;
    const { start, end, candidates } = front.complete(editor.text, editor.cursor);
    const typed = editor.text.slice(start, end);
    const [only, ...others] = candidates;
    if (only === undefined) return this.events.bell();
    if (others.length === 0)
      return editor.replace(start, end, /[/:]$/.test(only) || isMember(editor.text, start) ? only : `${only} `);
    const prefix = commonPrefix(candidates);
    if (prefix.length > typed.length) return editor.replace(start, end, prefix);
    if (isSecond) this.answer = { lines: inColumns(candidates, this.size.columns), isError: false, top: 0 };
    else this.message = `${candidates.length} ways to go on; Tab again lists them`;
    this.hasListed = true;
  }

  private panelKey(key: Key, focus: PanelName): void {
    if (key.ctrl && key.name === "d") return this.events.quit();
    switch (key.name) {
      case "escape":
        this.focus = undefined;
        this.isZoomed = false;
        return;
      case "tab":
        return this.give(this.neighbour(focus, key.shift ? -1 : 1));
      case "up":
      case "down":
        return this.scroll(focus, key.name === "up" ? -1 : 1);
      case "pageup":
      case "pagedown":
        return this.scroll(focus, (key.name === "pageup" ? -1 : 1) * Math.max(1, this.heightOf(focus) - 1));
      case "home":
      case "end":
        return this.scroll(focus, key.name === "home" ? -Infinity : Infinity);
      case "left":
        return this.run(":back");
      case "right":
        return this.run(this.view.step < this.view.steps ? ":forward" : ":step");
      case "return":
        return this.choose();
    }
    if (key.ctrl || key.meta) return;
    if (/^\d$/.test(key.text)) return this.run(`:step cpu${key.text}`);
    if (key.text === "z") {
      this.isZoomed = !this.isZoomed;
      return;
    }
    if (key.text === "/") {
      this.finding = { text: "", isTyped: true };
      return;
    }
    if (key.text === "b") return this.typeAhead(":break ");
    if (key.text === "]" && this.view.step === this.view.steps) return this.run(":step");
    const command = this.front.keys.find((known) => known.key === key.text);
    if (command !== undefined) return this.run(`:${command.command}`);
    if (key.text !== "") this.typeAhead(key.text);
  }
  /** Back to the prompt, with something typed. */
  private typeAhead(text: string): void {
    this.focus = undefined;
    this.isZoomed = false;
    this.editor.insert(text);
  }
  private give(name: PanelName): void {
    this.focus = this.shown.has(name) ? name : "script";
    this.lastFocus = this.focus;
  }
  private neighbour(name: PanelName, direction: 1 | -1): PanelName {
    const visible = ORDER.filter((other) => this.isZoomed || this.isVisible(other));
    const at = visible.indexOf(name);
    return visible[(at + direction + visible.length) % visible.length] ?? "script";
  }
  private isVisible(name: PanelName): boolean {
    return this.shown.has(name) && this.heightOf(name) > 0;
  }
  private heightOf(name: PanelName): number {
    return this.placeOf(name)?.rows ?? 0;
  }
  /** How large a panel is on the screen, if it is there. */
  private placeOf(name: PanelName): { rows: number; width: number } | undefined {
    const { state } = this.frame();
    const { columns: width } = this.size;
    const layout = layoutOf(state, { columns: width, rows: partsOf(state, this.size).panels });
    if (name === "events") return layout.events === 0 ? undefined : { rows: layout.events, width };
    const column = layout.columns.find(({ places }) => places.some((place) => place.name === name));
    const rows = column?.places.find((place) => place.name === name)?.rows;
    return column === undefined || rows === undefined ? undefined : { rows, width: column.width };
  }

  // ---- scrolling and finding

  private page(direction: 1 | -1): void {
    const { state } = this.frame();
    const { answer } = state;
    const rows = Math.max(1, partsOf(state, this.size).answer - 2);
    if (answer === undefined || this.answer === undefined)
      return this.scroll("events", direction * Math.max(1, this.heightOf("events") - 1));
    const last = Math.max(0, answer.lines.length - rows - 1);
    this.answer = { ...this.answer, top: Math.min(last, Math.max(0, answer.top + direction * rows)) };
  }
  private scroll(name: PanelName, by: number): void {
    const height = this.heightOf(name);
    if (name === "events") {
      const { length } = this.view.events;
      const end = Math.min(length, Math.max(Math.min(height, length), (this.eventsEnd ?? length) + by));
      this.eventsEnd = end === length ? undefined : end;
      return;
    }
    const place = this.placeOf(name);
    if (place === undefined) return;
    const { rows, focus } = panelOf(this.frame().state, name);
    const lines = linesOf(name, rows, place.width - gutterOf(rows));
    const top = topOf(lines, place.rows, focus, this.scrolled.get(name));
    this.scrolled.set(name, topOf(lines, place.rows, focus, top + by));
  }
  private findKey(key: Key, text: string): void {
    if (key.name === "return") {
      this.finding = { text, isTyped: false };
      return this.findNext(1);
    }
    if (key.name === "escape") this.finding = undefined;
    else if (key.name === "backspace") this.finding = { text: text.slice(0, -1), isTyped: true };
    else if (key.text !== "") this.finding = { text: text + key.text.replace(/\s+/g, " "), isTyped: true };
  }
  private findNext(direction: 1 | -1): void {
    const { view, finding } = this;
    const index =
      finding === undefined ? -1 : view.events.find(finding.text, this.found ?? view.events.length, direction);
    if (index === -1) {
      this.message = `no event so far has \`${finding?.text ?? ""}\``;
      this.found = undefined;
      return;
    }
    this.found = index;
    this.focus = "events";
    this.eventsEnd = Math.min(view.events.length, index + 1 + Math.floor(this.heightOf("events") / 2));
    const step = view.events.stepOf(index);
    this.message = `${finding?.text ?? ""}: Enter goes to step ${step}, / looks for something else`;
  }
  /** Enter in a panel: to the event that was found, or the panel alone. */
  private choose(): void {
    if (this.focus === "events" && this.found !== undefined) {
      const step = this.view.events.stepOf(this.found);
      this.found = undefined;
      this.run(`:goto ${step}`);
    } else this.isZoomed = !this.isZoomed;
  }

  // ---- running

  /** `isTyped`: what was typed goes from the prompt at once, however long it takes to do it. */
  private run(text: string, isTyped = false): void {
    const before = this.view.step;
    const faulty = (error: unknown): Answer => ({
      lines: [`a fault of hmm itself, please report it: ${String(error)}`],
      isError: true,
    });
    const drawn = isTyped ? new Promise((resolve) => setTimeout(resolve, 0)) : Promise.resolve();
    const slow = setTimeout(() => {
      this.isSlow = true;
      this.events.changed();
    }, SLOW_MS);
    this.working = drawn
      .then(() => this.front.submit(text))
      .catch(faulty)
      .then((answer) => {
        clearTimeout(slow);
        this.isSlow = false;
        this.working = undefined;
        this.message = "";
        this.show(answer, before);
        if (answer.quits === true) return this.events.quit();
        this.events.changed();
        // What was typed meanwhile.
        for (const key of this.waiting.splice(0)) this.key(key);
      });
  }
  private show(answer: Answer, before: number): void {
    const at = this.front.step();
    // Forward: what has changed since; back: what the last step had changed.
    this.view = this.front.view(at > before ? before : Math.max(0, at - 1));
    this.noteShown();
    this.scrolled.clear();
    this.eventsEnd = undefined;
    this.found = undefined;
    const isLine = answer.lines.length === 1 && (answer.lines[0]?.length ?? 0) < this.size.columns - 1;
    this.answer =
      answer.lines.length === 0 || isLine
        ? undefined
        : { lines: answer.lines, isError: answer.isError === true, top: 0 };
    if (isLine) this.message = answer.lines[0] ?? "";
    if (answer.isError === true && isLine) this.events.bell();
  }
  private noteShown(): void {
    for (const { name, rows } of this.view.panels) if (rows.length > 0) this.shown.add(name);
  }
}

/** Behind a member there may come another. */
function isMember(text: string, start: number): boolean {
  return /(?:\.|->)$/.test(text.slice(0, start));
}
