/** The real terminal: keys come in, frames go out, and whatever happens, it is given back as it was found. */
import type { ReactElement } from "react";
import { Framer } from "./framer.tsx";
import { KeyReader } from "./key-reader.ts";
import type { Key } from "./keys.ts";
import { Painter, type Cursor, type Size } from "./painter.ts";

export type { Cursor, Size } from "./painter.ts";

export interface ScreenEvents {
  readonly key: (key: Key) => void;
  /** Also when the size is what it was: it may have been something else in between. */
  readonly resize: (size: Size) => void;
  /** Nobody is there any more, or we are asked to go. Said once. */
  readonly ended: (why: Ending) => void;
  /** Back from Ctrl-Z; the last frame is on the screen again. */
  readonly resumed: () => void;
}
export type Ending = "SIGTERM" | "SIGHUP" | "input";

const ENTER = [
  "\x1b[?1049h", // the alternate screen
  "\x1b[?2004h", // pastes in brackets
  "\x1b[?7l", // what is too wide stays in its row
].join("");
/** `bottom` is for terminals without an alternate screen: the shell's prompt goes below the frame, not into it. */
const leave = (bottom: number): string => `\x1b[m\x1b[${bottom};1H\r\n\x1b[?7h\x1b[?2004l\x1b[?25h\x1b[?1049l`;

/** Long enough to have been stopped, if anything stops us. */
const STOPPED_BY = 50;
const USUAL: Size = { columns: 80, rows: 24 };
const INTERRUPT: Key = { name: "c", ctrl: true, meta: false, shift: false, text: "" };

export class Screen {
  readonly #stdin: NodeJS.ReadStream;
  readonly #stdout: NodeJS.WriteStream;
  readonly #events: ScreenEvents;
  readonly #keys = new KeyReader();
  readonly #framer = new Framer(() => this.#paint());
  readonly #painter: Painter;
  #state: "closed" | "open" | "suspended" = "closed";
  #hasEnded = false;
  #cursor: Cursor | undefined;
  #undo: (() => void)[] = [];
  #keyTimer: NodeJS.Timeout | undefined;
  #stopTimer: NodeJS.Timeout | undefined;

  constructor(stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream, events: ScreenEvents) {
    this.#stdin = stdin;
    this.#stdout = stdout;
    this.#events = events;
    this.#painter = new Painter((text) => void stdout.write(text));
  }

  /** A terminal that does not know its size says 0x0. */
  get size(): Size {
    return { columns: this.#stdout.columns || USUAL.columns, rows: this.#stdout.rows || USUAL.rows };
  }

  open(): void {
    if (this.#state !== "closed") return;
    this.#state = "open";
    this.#hear(this.#stdin, "data", (bytes: Buffer) => this.#read(bytes));
    for (const event of ["end", "close"]) this.#hear(this.#stdin, event, () => this.#end("input"));
    // These are heard for ever: a terminal that hangs up while it is given back is no fault of ours.
    for (const stream of [this.#stdin, this.#stdout]) stream.on("error", () => this.#end("input"));
    this.#hear(this.#stdout, "resize", () => this.#events.resize(this.size));
    for (const signal of ["SIGTERM", "SIGHUP"] as const) this.#hear(process, signal, () => this.#end(signal));
    this.#hear(process, "SIGINT", () => this.#events.key(INTERRUPT)); // sent by others: Ctrl-C is a key here
    this.#hear(process, "SIGWINCH", () => this.repaint());
    this.#hear(process, "SIGCONT", () => this.#resume());
    this.#hear(process, "exit", () => this.close());
    this.#hear(process, "uncaughtExceptionMonitor", () => this.close());
    this.#take();
  }

  /** Without a cursor it is hidden. What a component throws is thrown here. */
  draw(element: ReactElement, cursor?: Cursor): void {
    if (this.#state === "closed") return;
    this.#cursor = cursor;
    this.#framer.frame(element, this.size);
    this.#paint();
  }

  /** All of it, whatever the screen is believed to show: for Ctrl-L, and when the size has changed for a moment. */
  repaint(): void {
    this.#painter.forget();
    this.#paint();
  }

  bell(): void {
    if (this.#state === "open") this.#stdout.write("\x07");
  }

  /** As Ctrl-Z does where the terminal sees to it: everybody in our job is stopped. */
  suspend(): void {
    if (this.#state !== "open") return;
    this.#state = "suspended";
    this.#giveBack();
    process.kill(0, "SIGTSTP");
    // Without a shell to wake us nobody stops us either, and no SIGCONT comes.
    this.#stopTimer = setTimeout(() => this.#resume(), STOPPED_BY);
  }

  close(): void {
    if (this.#state === "closed") return;
    const isOurs = this.#state === "open";
    this.#state = "closed";
    for (const timer of [this.#keyTimer, this.#stopTimer]) clearTimeout(timer);
    for (const undo of this.#undo.splice(0)) undo();
    if (isOurs) this.#giveBack();
    this.#stdin.pause();
    this.#framer.close();
  }

  #hear<Args extends unknown[]>(emitter: NodeJS.EventEmitter, event: string, listener: (...args: Args) => void): void {
    emitter.on(event, listener as (...args: unknown[]) => void);
    this.#undo.push(() => emitter.off(event, listener as (...args: unknown[]) => void));
  }

  #take(): void {
    // Off first: after a stop the terminal may be cooked while our stream believes it raw, and would not touch it.
    this.#stdin.setRawMode(false);
    this.#stdin.setRawMode(true);
    this.#stdin.resume();
    this.#stdout.write(ENTER);
  }

  #giveBack(): void {
    this.#stdin.setRawMode(false); // first: in the background this is where we are stopped, before we write anything
    this.#stdout.write(leave(this.size.rows));
  }

  #resume(): void {
    clearTimeout(this.#stopTimer);
    if (this.#state === "closed") return;
    if (this.#state === "open") this.#giveBack(); // stopped by somebody else, who has used the screen since
    this.#state = "open";
    this.#take();
    // In the background we were not told of new sizes. Node asks for the size when this signal comes; we repaint.
    process.emit("SIGWINCH", "SIGWINCH");
    this.#events.resumed();
  }

  #read(bytes: Buffer): void {
    clearTimeout(this.#keyTimer);
    this.#type(this.#keys.read(bytes));
    const { patience } = this.#keys;
    if (patience === undefined || this.#state === "closed") return;
    this.#keyTimer = setTimeout(() => this.#type(this.#keys.giveUp()), patience);
  }

  #type(keys: readonly Key[]): void {
    for (const key of keys) if (this.#state !== "closed") this.#events.key(key);
  }

  #end(why: Ending): void {
    if (this.#hasEnded || this.#state === "closed") return;
    this.#hasEnded = true;
    if (why !== "SIGTERM" && this.#stdin === process.stdin) process.once("exit", dieOfHangUp);
    this.#events.ended(why);
  }

  #paint(): void {
    if (this.#state === "open") this.#painter.paint(this.#framer.last, this.size, this.#cursor);
  }
}

/** Node wants to bring its terminal back into the mode it had, and aborts if that is gone. */
function dieOfHangUp(): void {
  process.kill(process.pid, "SIGHUP");
}
