/** Whether a command line asks for a session somebody sits at, rather than for a command that prints and ends. */
import { parseArgs } from "node:util";
import type { Seat } from "./session/sit.ts";

export const SEAT_USAGE = "hmm [SCRIPT] [options]";
/** Option by option, as help shows them. */
export const SEAT_HELP = [
  ["SCRIPT", "open it at its first step, instead of an empty session"],
  ['--kernel "ERA + PATCH ..."', "on this kernel instead of the script's own"],
  ["-e 'STATEMENTS'", "take the script from the command line"],
  ["--plain", "plain lines instead of the view; so it is anyway in a pipe, and with TERM=dumb"],
  ["--color auto|always|never", "auto: where a terminal shows them, and NO_COLOR is not set"],
] as const;

const OPTIONS = {
  kernel: { type: "string", short: "k" },
  e: { type: "string", short: "e" },
  plain: { type: "boolean" },
  color: { type: "string" },
} as const;
/** Those that `run` and `check` take with `--tui`. */
const ALONG = { tui: { type: "boolean" }, schedule: { type: "string" }, seed: { type: "string" } } as const;

export interface Surroundings {
  readonly isCommand: (word: string) => boolean;
  readonly exists: (path: string) => boolean;
  /** Somebody types and looks, at a terminal that can be drawn on. */
  readonly isTerminal: boolean;
}
type Result = Seat | { readonly error: string } | undefined;

/** `error`: what is wrong with the command line. */
export function seatOf(argv: readonly string[], surroundings: Surroundings): Result {
  const { isCommand, exists, isTerminal } = surroundings;
  const seat = seatAsked(argv, isCommand, exists);
  if (seat === undefined || "error" in seat) return seat;
  if (seat.mode !== "prompt" && !isTerminal)
    return { error: "--tui needs a terminal; without it the same is printed as lines" };
  return { ...seat, plain: seat.plain || !isTerminal };
}

function seatAsked(
  argv: readonly string[],
  isCommand: Surroundings["isCommand"],
  exists: Surroundings["exists"],
): Result {
  const [first] = argv;
  if (first !== undefined && isCommand(first)) return withView(argv);
  if (argv.includes("--help") || argv.includes("-h")) return undefined;
  if (first !== undefined && /^(--help|-h|help|--version|-V)$/.test(first)) return undefined;
  // A word that is neither is a mistyped command.
  if (first !== undefined && !first.startsWith("-") && !/\.hmm$|\//.test(first) && !exists(first)) return undefined;
  return parsed(argv, OPTIONS, "prompt");
}
function withView(argv: readonly string[]): Result {
  const [name, ...rest] = argv;
  if ((name !== "run" && name !== "check") || !rest.includes("--tui") || rest.includes("--help")) return undefined;
  return parsed(rest, { ...OPTIONS, ...ALONG }, name);
}

function parsed(
  args: readonly string[],
  options: typeof OPTIONS,
  mode: Seat["mode"],
): Seat | { readonly error: string } {
  let values: Partial<Record<string, string | boolean>>;
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true }));
  } catch (error) {
    return { error: error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error) };
  }
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" ? value : undefined;
  };
  const [path, ...more] = positionals;
  if (more.length > 0) return { error: "one script at a time" };
  if (path !== undefined && text("e") !== undefined) return { error: "give a script or -e, not both" };
  if (path === "-") return { error: "standard input is where you type: give the script a name, or use -e" };
  if (mode !== "prompt" && path === undefined && text("e") === undefined) return { error: "no script given" };
  const colour = text("color") ?? "auto";
  if (colour !== "auto" && colour !== "always" && colour !== "never")
    return { error: `--color is auto, always or never, not \`${colour}\`` };
  const seed = text("seed");
  if (seed !== undefined && !/^\d{1,15}$/.test(seed)) return { error: `--seed takes a whole number, not \`${seed}\`` };
  return {
    path,
    text: text("e"),
    kernel: text("kernel"),
    mode,
    schedule: text("schedule"),
    seed: seed === undefined ? undefined : Number(seed),
    plain: values["plain"] === true,
    colour,
  };
}
