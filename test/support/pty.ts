/**
 * Runs a program in a real pseudo-terminal and looks at the screen it shows, for what a terminal does to a program (raw
 * mode, sizes, signals, job control) shows nowhere else. Three processes stand between a test and the program:
 *
 *     test  ==pipes==  script(1), which has the pty  ==pty==  keeper, the session's leader  --  program
 *
 * script is on every Debian and Ubuntu (bsdutils, essential), and spares us native code. The keeper is there because
 * script takes `exit 130` and death by SIGINT for the same, stops when its child stops, and because somebody must end
 * the program when the test dies. What the program writes goes through a terminal emulator, whose answers go back.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import xterm from "@xterm/headless";

export interface PtyOptions {
  /** 0 makes a terminal that does not know its size; the emulator then has 80 and 24. */
  readonly columns: number;
  readonly rows: number;
  /** On top of a small environment that is the same everywhere, see `environment`; undefined takes a name away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * A shell with job control, for what happens around a program: Ctrl-Z, fg, what it leaves behind. Prompts with "$ ".
 * End lines with \n, for nobody translates an Enter that comes while the shell and a program hand over the terminal.
 */
export const SHELL: readonly string[] = ["bash", "--norc", "--noprofile", "-i"];

const DEADLINE_MS = 20_000;
const POLL_MS = 10;
const QUIET_MS = 150;
const QUIET_POLLS = 5;
const SCROLLBACK_ROWS = 10_000;

/** Starts `command` in a pty for as long as `use` takes, and leaves nothing behind, whatever happens in it. */
export async function withPty<T>(
  command: readonly string[],
  options: PtyOptions,
  use: (pty: Pty) => Promise<T>,
): Promise<T> {
  const pty = await Pty.start(command, options);
  try {
    return await use(pty);
  } finally {
    await pty.dispose();
  }
}

export class Pty {
  /** What the program has for HOME: a fresh folder, gone after dispose(), unless the test gave one of its own. */
  readonly home: string;
  /** How long each wait may take: for a test that waits long, or in vain. */
  deadlineMs = DEADLINE_MS;
  readonly #ownHome: string | undefined;
  /** In the environment of all that runs here, so that it can be found wherever it goes. */
  readonly #id = randomUUID();
  readonly #terminal: xterm.Terminal;
  readonly #script: ChildProcess;
  readonly #decoder = new StringDecoder("utf8");
  #raw = "";
  /** What script itself has to say: that it is not installed, mostly. */
  #trouble = "";
  /** Chunks of output on their way through the emulator. */
  #unparsed = 0;
  #isCursorHidden = false;
  #lastEvent = performance.now();
  #report: Started | undefined;
  #failure: string | undefined;
  #ending: Ending | undefined;
  #closed = false;
  #disconnected = false;

  private constructor({ columns, rows, env = {} }: PtyOptions) {
    this.#ownHome = env["HOME"] === undefined ? mkdtempSync(join(tmpdir(), "pty-")) : undefined;
    this.home = this.#ownHome ?? env["HOME"] ?? "";
    this.#terminal = new xterm.Terminal({
      cols: columns === 0 ? 80 : columns,
      rows: rows === 0 ? 24 : rows,
      scrollback: SCROLLBACK_ROWS,
      allowProposedApi: true,
      logLevel: "off",
      windowOptions: { getWinSizeChars: true },
    });
    this.#terminal.onData((answer) => this.type(answer));
    for (const final of ["h", "l"]) {
      this.#terminal.parser.registerCsiHandler({ prefix: "?", final }, (modes) => {
        if (modes.includes(25)) this.#isCursorHidden = final === "l"; // the one mode that the emulator keeps to itself
        return false;
      });
    }
    this.#script = startScript(columns, rows, this.#id);
    this.#listen();
  }

  static async start(command: readonly string[], options: PtyOptions): Promise<Pty> {
    const pty = new Pty(options);
    try {
      const env = { ...environment(pty.home), ...options.env, PTY_HARNESS: pty.#id };
      pty.#script.send({ command, cwd: options.cwd ?? process.cwd(), env } satisfies Order, () => {});
      await pty.#wait(`${command[0]} to start`, () => pty.#report);
      return pty;
    } catch (error) {
      await pty.dispose();
      throw error;
    }
  }

  #listen(): void {
    const { stdin, stdout, stderr, channel } = this.#script;
    stdout?.on("data", (bytes: Buffer) => {
      this.#lastEvent = performance.now();
      this.#raw += this.#decoder.write(bytes);
      this.#unparsed++;
      this.#terminal.write(bytes, () => this.#unparsed--);
    });
    stderr?.on("data", (bytes: Buffer) => (this.#trouble += bytes.toString()));
    stdin?.on("error", () => {}); // nobody reads any more: what is typed after the end is lost, as it is anywhere
    this.#script.on("error", (error) => (this.#failure ??= `script of util-linux must be installed: ${error.message}`));
    this.#script.on("close", () => (this.#closed = true));
    this.#script.on("disconnect", () => (this.#disconnected = true));
    this.#script.on("message", (message: Message) => {
      if ("pid" in message) this.#report = message;
      else if ("failure" in message) this.#failure ??= message.failure;
      else this.#ending = message;
    });
    // A test that forgets dispose() must not keep the runner from ending; the keeper cleans up behind it.
    for (const part of [this.#script, channel, stdin, stdout, stderr]) (part as Socket | null | undefined)?.unref();
  }

  // ---- what a user does

  /**
   * Raw bytes. Wait for what a lone Escape does before the next key, for with a byte close behind it, it is Alt. Before
   * util-linux 2.39, script hangs when it has more than 12 KB for a program that waits for its own output to be read.
   */
  type(text: string): void {
    this.#lastEvent = performance.now();
    this.#script.stdin?.write(text);
  }
  /** "enter", "up", "ctrl-c", "alt-b", "shift-tab", "pageup", "f1", "escape", or one character. */
  press(...keys: string[]): void {
    const { applicationCursorKeysMode } = this.#terminal.modes;
    if (keys.slice(0, -1).includes("escape")) throw new Error("escape comes last: with a key behind it, it is Alt");
    this.type(keys.map((key) => keyBytes(key, applicationCursorKeysMode)).join(""));
  }
  /** As terminals do: line ends become Enter, and brackets go around where the program switched them on. */
  paste(text: string): void {
    const keys = text.replace(/\r?\n/g, "\r");
    this.type(this.#terminal.modes.bracketedPasteMode ? `\x1b[200~${keys}\x1b[201~` : keys);
  }
  /**
   * Does what dragging the window's corner does. stty sets rows, then columns: where both change, the program may see
   * the size in between.
   */
  async resize(columns: number, rows: number): Promise<void> {
    await this.#wait("the emulator", () => this.#unparsed === 0 || undefined);
    this.#lastEvent = performance.now();
    this.#terminal.resize(columns, rows);
    const size = ["rows", `${rows}`, "cols", `${columns}`];
    await promisify(execFile)("stty", ["-F", this.#started.tty, ...size], { timeout: this.deadlineMs });
  }
  /** To the program alone, not to the processes that hold it. */
  signal(name: NodeJS.Signals): void {
    if (this.#ending !== undefined) throw new Error(`no ${name} for a program that has ended`);
    process.kill(this.pid, name);
  }
  /**
   * Closes the window. As below any shell, the program gets a SIGHUP, and no more of the terminal than errors; which of
   * the two it notices first is not said.
   */
  hangUp(): void {
    this.#script.kill("SIGKILL");
  }

  // ---- what a user sees

  /** The rows of the screen without the blanks behind them and the blank rows below. */
  screen(): string {
    const { active } = this.#terminal.buffer;
    return rowsOf(active, active.baseY, this.#terminal.cols);
  }
  /** The normal screen and all above it: what the user has when the program has left the alternate screen. */
  scrollback(): string {
    return rowsOf(this.#terminal.buffer.normal, 0, this.#terminal.cols);
  }
  isAlternate(): boolean {
    return this.#terminal.buffer.active.type === "alternate";
  }
  /** From 0, in the rows of screen(). The column is the number of columns where the next character wraps. */
  cursor(): { row: number; column: number } {
    const { cursorX, cursorY } = this.#terminal.buffer.active;
    return { row: cursorY, column: cursorX };
  }
  /** What is switched on that is off in a fresh terminal: nothing, when a program has cleaned up after itself. */
  modes(): string[] {
    const { modes } = this.#terminal;
    const on = {
      "alternate screen": this.isAlternate(),
      "hidden cursor": this.#isCursorHidden,
      "bracketed paste": modes.bracketedPasteMode,
      "application cursor keys": modes.applicationCursorKeysMode,
      "application keypad": modes.applicationKeypadMode,
      mouse: modes.mouseTrackingMode !== "none",
      "focus reports": modes.sendFocusMode,
      "no wraparound": !modes.wraparoundMode,
      "synchronized output": modes.synchronizedOutputMode,
    };
    return Object.entries(on).flatMap(([name, isOn]) => (isOn ? [name] : []));
  }
  /** Every byte so far, the echo of the terminal included. */
  get raw(): string {
    return this.#raw;
  }

  // ---- waiting

  /** Waits until the screen shows `what`. A half painted frame counts only if it does not say that it is one. */
  async until(what: string | RegExp | ((screen: string) => boolean), name?: string): Promise<string> {
    const fits = (screen: string): boolean => {
      if (typeof what === "function") return what(screen);
      return typeof what === "string" ? screen.includes(what) : screen.search(what) >= 0;
    };
    const words = name ?? (typeof what === "string" ? JSON.stringify(what) : String(what));
    return await this.#wait(words, () => {
      const screen = this.screen();
      return !this.#terminal.modes.synchronizedOutputMode && fits(screen) ? screen : undefined;
    });
  }
  /**
   * Waits until nothing was typed and nothing written for a while. A slow machine may need longer than that to answer a
   * key: wait for the answer with until(), and use this for what must not come after it.
   */
  async settled(): Promise<string> {
    const start = performance.now();
    let seen = this.#lastEvent;
    let polls = 0;
    return await this.#wait("the screen to settle", () => {
      polls = seen === this.#lastEvent ? polls + 1 : 0; // counted too: where the test starves, the clock proves nothing
      seen = this.#lastEvent;
      const isQuiet = performance.now() - Math.max(start, seen) >= QUIET_MS && polls >= QUIET_POLLS;
      return isQuiet && this.#unparsed === 0 ? this.screen() : undefined;
    });
  }
  /** Waits for the end of the program and the last of its output. */
  async exit(): Promise<Ending> {
    return await this.#wait("the program to end", () => (this.#isOver ? this.#ending : undefined));
  }
  get #isOver(): boolean {
    return this.#closed && this.#unparsed === 0 && (this.#ending !== undefined || this.#disconnected);
  }

  async #wait<T>(what: string, look: () => T | undefined): Promise<T> {
    const end = performance.now() + this.deadlineMs;
    for (;;) {
      if (this.#failure !== undefined) throw new Error(this.#failure);
      const isOver = this.#isOver; // before the look, for what comes in between
      const isLate = performance.now() > end;
      const found = look();
      if (found !== undefined) return found;
      if (isOver || isLate) throw new Error(this.#complaint(what, isOver));
      await sleep(POLL_MS);
    }
  }
  #complaint(what: string, isOver: boolean): string {
    const reason = isOver
      ? `the program ended (${this.#ending?.signal ?? this.#ending?.code ?? "it is not known how"})`
      : `${this.deadlineMs / 1000} s went by`;
    const modes = this.modes().join(", ");
    const screen = this.screen().replace(/^/gm, "| ");
    return `${reason} waiting for ${what}\n${this.#trouble}${screen}\n[${modes === "" ? "no modes" : modes}]`;
  }

  // ---- processes

  get #started(): Started {
    if (this.#report === undefined) throw new Error("the program has not started");
    return this.#report;
  }
  /** Of the program itself. */
  get pid(): number {
    return this.#started.pid;
  }
  /** All that live in this pty, script and keeper included, and what escaped into a session of its own. */
  processes(): number[] {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.map(Number).filter((pid) => this.#owns(pid));
  }
  #owns(pid: number): boolean {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [state = "", , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if ("ZX".includes(state)) return false; // dead; where the first process of a container reaps nobody, for ever
      if (session === `${this.#report?.leader}`) return true;
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`PTY_HARNESS=${this.#id}`);
    } catch {
      return false; // gone meanwhile, or somebody else's
    }
  }
  /** Ends all that is left. For `finally`; see withPty. */
  async dispose(): Promise<void> {
    const end = performance.now() + DEADLINE_MS;
    for (let left = this.processes(); left.length > 0 || !this.#closed; left = this.processes()) {
      if (performance.now() > end) throw new Error(`these do not die: ${left.join(", ")}`);
      for (const pid of left) killIfThere(pid);
      await sleep(POLL_MS);
    }
    this.#terminal.dispose();
    if (this.#ownHome !== undefined) rmSync(this.#ownHome, { recursive: true, force: true });
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it went by itself
  }
}

function rowsOf(buffer: xterm.IBuffer, first: number, columns: number): string {
  const rows: string[] = [];
  for (let row = first; row < buffer.length; row++) {
    // In the alternate screen a row keeps what a narrower window hides.
    rows.push((buffer.getLine(row)?.translateToString(true, 0, columns) ?? "").replace(/ +$/, ""));
  }
  return rows.join("\n").replace(/\n+$/, "");
}

/** Made, not inherited: CI, NO_COLOR, LC_ALL, PAGER, TMUX and their like change what programs show. */
function environment(home: string): Record<string, string | undefined> {
  const { PATH, USER, LOGNAME, TMPDIR, LD_LIBRARY_PATH } = process.env;
  return {
    PATH,
    USER,
    LOGNAME,
    TMPDIR,
    LD_LIBRARY_PATH,
    HOME: home,
    XDG_STATE_HOME: join(home, ".local", "state"),
    TERM: "xterm-256color",
    LANG: "C.UTF-8",
    SHELL: "/bin/sh",
    PS1: "$ ",
  };
}

// ---- the processes in between

interface Order {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}
interface Started {
  readonly pid: number;
  readonly leader: number;
  readonly tty: string;
}
type Message = Started | Ending | { readonly failure: string };

function startScript(columns: number, rows: number, id: string): ChildProcess {
  // Where its own input is no terminal, script makes one without size and echo. Nothing here needs quotes: what the
  // keeper shall run comes through its channel, which script hands down as it does every open file.
  const size = `rows ${rows} cols ${columns}`;
  const line = `stty echo iutf8 ${size} && exec "$PTY_NODE" -e "$PTY_KEEPER"`;
  const env = {
    PATH: process.env["PATH"],
    SHELL: "/bin/sh",
    PTY_HARNESS: id,
    PTY_NODE: process.execPath,
    PTY_KEEPER: `(${keep.toString()})()`,
  };
  return spawn("script", ["-q", "-f", "-c", line, "/dev/null"], { env, stdio: ["pipe", "pipe", "pipe", "ipc"] });
}

/** The keeper. It runs by its text alone, so nothing of this file is in reach. */
function keep(): void {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const { readlinkSync } = process.getBuiltinModule("node:fs");
  const send = (message: object, then = (): void => {}): void => void process.send?.(message, then);
  const end = (): never => process.exit();
  process.once("message", ({ command, cwd, env }: Order) => {
    const [file = "", ...args] = command;
    const program = spawn(file, args, { cwd, env: { ...env }, stdio: "inherit" });
    program.on("spawn", () => send({ pid: program.pid, leader: process.pid, tty: readlinkSync("/proc/self/fd/0") }));
    program.on("error", ({ message }) => send({ failure: message }, end));
    program.on("exit", (code, signal) => send({ code, signal }, end));
    // Keys mean the program, and so does what it sends to its own group.
    for (const name of ["SIGINT", "SIGQUIT", "SIGTERM"] as const) process.on(name, () => {});
    process.on("SIGHUP", () => program.kill("SIGHUP")); // the leader alone hears that the terminal is gone
    process.on("disconnect", () => {
      program.kill("SIGKILL"); // the test died
      end();
    });
  });
}

// ---- keys

const LETTERS: Readonly<Record<string, string>> = { up: "A", down: "B", right: "C", left: "D", end: "F", home: "H" };
const FUNCTIONS: Readonly<Record<string, string>> = { f1: "P", f2: "Q", f3: "R", f4: "S" };
const NUMBERS: Readonly<Record<string, number>> = {
  ...{ insert: 2, delete: 3, pageup: 5, pagedown: 6 },
  ...Object.fromEntries([15, 17, 18, 19, 20, 21, 23, 24].map((number, i) => [`f${i + 5}`, number])),
};
const PLAIN: Readonly<Record<string, string>> = {
  enter: "\r",
  tab: "\t",
  "shift-tab": "\x1b[Z",
  escape: "\x1b",
  backspace: "\x7f",
  "ctrl-backspace": "\b",
  space: " ",
  "ctrl-space": "\0",
};

/** What xterm sends for a key. */
function keyBytes(name: string, applicationCursor: boolean): string {
  const [, prefix = "", key = ""] = /^((?:(?:ctrl|alt|shift)-)*)(.+)$/su.exec(name) ?? [];
  const [shift, alt, ctrl] = ["shift-", "alt-", "ctrl-"].map((modifier) => prefix.includes(modifier));
  const modifiers = 1 + (shift ? 1 : 0) + (alt ? 2 : 0) + (ctrl ? 4 : 0);
  const letter = LETTERS[key] ?? FUNCTIONS[key];
  if (letter !== undefined) {
    const single = applicationCursor || key in FUNCTIONS ? "\x1bO" : "\x1b[";
    return modifiers === 1 ? single + letter : `\x1b[1;${modifiers}${letter}`;
  }
  const number = NUMBERS[key];
  if (number !== undefined) return modifiers === 1 ? `\x1b[${number}~` : `\x1b[${number};${modifiers}~`;
  const before = alt ? "\x1b" : "";
  const plain = PLAIN[prefix.replace("alt-", "") + key];
  if (plain !== undefined) return before + plain;
  if (ctrl && !shift && /^[@-_a-z]$/.test(key)) return before + String.fromCharCode(key.charCodeAt(0) & 0x1f);
  if (!ctrl && !shift && [...key].length === 1) return before + key;
  throw new Error(`there is no key ${name}`);
}
