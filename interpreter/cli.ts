/** `hmm`: the command line. Everything it does is a function of its arguments and an `Io`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname } from "node:path";
import { drive } from "./breathing.ts";
import { commandLine, isCommand } from "./main.ts";
import type { Io } from "./io.ts";
import { seatOf, SEAT_USAGE } from "./seats.ts";
import { History } from "./session/history.ts";
import { PlainPrompt } from "./session/plain.ts";
import { sitDown, type Seat } from "./session/sit.ts";
import { prepareColour } from "./terminal/colour.ts";
import { historyFiles } from "./terminal/history-files.ts";
import { sitAtLines } from "./terminal/lines.ts";
import { pretendTerminal } from "./terminal/pretend.ts";
import { frontOf } from "./view/front.ts";

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readFile: (path) => readFileSync(path, "utf8"),
  writeFile: (path, text) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  },
  listFolder: (path) => readdirSync(path),
  exists: (path) => existsSync(path),
  readStdin: () => readFileSync(0, "utf8"),
  status: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  },
  onInterrupt: (stop) => {
    process.on("SIGINT", stop);
    return () => process.off("SIGINT", stop);
  },
};

type Terminal = typeof import("./terminal/start.tsx");
/** What draws on terminals is loaded only if it comes to that. */
type LoadTerminal = () => Promise<Pick<Terminal, "start">>;

/** Runs what the process was started for. */
export function cli(load: LoadTerminal): void {
  const argv = process.argv.slice(2);
  const { stdin, stdout, env } = process;
  const isTerminal = stdin.isTTY && stdout.isTTY && env["TERM"] !== "dumb";
  const seat = seatOf(argv, { isCommand, exists: existsSync, isTerminal });
  let code: Promise<number>;
  if (seat === undefined) {
    outlivePipes();
    const isHelp = !isCommand(argv[0] ?? "") && argv.includes("--help");
    code = drive(commandLine(isHelp ? ["--help"] : argv, io));
  } else if ("error" in seat) {
    process.stderr.write(`hmm: ${seat.error}\nusage: ${SEAT_USAGE}\n`);
    code = Promise.resolve(2);
  } else code = seat.plain ? atLines(seat) : atTerminal(seat, load);
  void code.catch(fault).then((result) => (process.exitCode = result));
}
function fault(error: unknown): number {
  process.stderr.write(`hmm: a fault of hmm itself, please report it: ${String(error)}\n`);
  return 70;
}
function outlivePipes(): void {
  process.stdout.on("error", () => process.exit(0)); // `hmm ... | head`
  process.stderr.on("error", () => undefined); // `hmm ... 2>&1 | head`: the exit code still says what was found
}

function loadHistory(): History {
  const history = new History(process.env, homedir(), historyFiles);
  history.load();
  return history;
}
async function atLines(seat: Seat): Promise<number> {
  outlivePipes();
  // Nothing is drawn over: a line that is replaced is no line.
  const desk = await drive(sitDown(seat, { ...io, status: () => {} }));
  if (desk === undefined) return 2;
  const { stdin, stdout } = process;
  const history = stdin.isTTY ? loadHistory() : undefined;
  const plain = new PlainPrompt(desk, { ...io, keep: (text) => history?.add(text) });
  if (history?.problem !== undefined) io.err(`${history.problem}\n`);
  const interrupt = (): boolean => {
    desk.session.interrupted = true;
    return plain.isBusy;
  };
  plain.greet(stdin.isTTY);
  return sitAtLines(plain, { stdin, stdout, interrupt });
}

async function atTerminal(seat: Seat, load: LoadTerminal): Promise<number> {
  prepareColour(process.env, seat.colour);
  const { stdin, stdout } = process;
  return await view(seat, load, loadHistory(), { stdin, stdout });
}
async function view(
  seat: Seat,
  load: LoadTerminal,
  history: Pick<History, "entries" | "problem" | "add">,
  { stdin, stdout }: { readonly stdin: NodeJS.ReadStream; readonly stdout: NodeJS.WriteStream },
): Promise<number> {
  let status = (_text: string): void => {};
  const desk = await drive(sitDown(seat, { ...io, status: (text) => status(text) }));
  if (desk === undefined) return 2;
  const front = frontOf(desk, history, seat.mode === "check" ? ":check" : undefined);
  status = (text) => front.onStatus(text);
  const { start } = await load();
  return start(front, stdin, stdout);
}

/** For the build: a session that nobody sees, so that V8 keeps the code that it takes. */
export async function rehearse(load: LoadTerminal): Promise<void> {
  const terminal = pretendTerminal({ columns: 120, rows: 40 });
  const seat: Seat = {
    ...{ path: undefined, text: undefined, kernel: undefined, schedule: undefined, seed: undefined },
    ...{ mode: "prompt", plain: false, colour: "auto" },
  };
  const over = view(seat, load, { entries: [], problem: undefined, add: () => {} }, terminal);
  // One after the other, as somebody would type.
  const keys = ["cpu0: mmap 0x1000..0x3000", "\r", "\t", "[", "]", "0", "\x1b", "\x04"];
  for (const key of keys) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    terminal.type(key);
  }
  await over;
}
