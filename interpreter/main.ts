/** The commands, their options and their help. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { drain, type Breathing } from "./breathing.ts";
import { check } from "./commands/check.ts";
import { doc } from "./commands/doc.ts";
import { explain } from "./commands/explain.ts";
import { fmt } from "./commands/fmt.ts";
import { run } from "./commands/run.ts";
import { test } from "./commands/test.ts";
import type { ExitCode, Io } from "./io.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { SEAT_HELP, SEAT_USAGE } from "./seats.ts";
import { VERSION } from "./version.ts";

interface Command {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** Option by option, as help shows them. */
  readonly help: readonly (readonly [string, string])[];
  readonly run: (values: Values, positionals: readonly string[], io: Io) => ExitCode | Breathing<ExitCode>;
}
type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

class UsageError extends Error {}

const text = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
};
const flag = (values: Values, name: string): boolean => values[name] === true;
function count(values: Values, name: string): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,15}$/.test(value)) throw new UsageError(`--${name} takes a whole number, not \`${value}\``);
  return Number(value);
}
function scriptOf(
  values: Values,
  positionals: readonly string[],
): { path: string | undefined; text: string | undefined } {
  const statements = text(values, "e");
  if (positionals.length > 1) throw new UsageError("one script at a time");
  if (statements !== undefined && positionals.length > 0) throw new UsageError("give a script or -e, not both");
  return { path: positionals[0], text: statements };
}

const common = {
  help: { type: "boolean", short: "h" },
  kernel: { type: "string", short: "k" },
  e: { type: "string", short: "e" },
  json: { type: "boolean" },
  stats: { type: "boolean" },
} as const;
const commonHelp = [
  ['--kernel "ERA + PATCH ..."', "run on this kernel instead of the script's own"],
  ["-e 'STATEMENTS'", "take the script from the command line"],
  ["--json", "print one JSON object (docs/json.md)"],
  ["--stats", "print what changes from run to run: time, memory, sizes (to standard error)"],
] as const;

const commands: readonly Command[] = [
  {
    name: "run",
    usage: "hmm run SCRIPT [options]",
    summary: "follow one schedule and tell what happens",
    options: {
      ...common,
      trace: { type: "string" },
      schedule: { type: "string" },
      seed: { type: "string" },
      "max-steps": { type: "string" },
      tui: { type: "boolean" },
    },
    help: [
      ["--trace=calls|steps", "go deeper: every call, or every step with its number in the kernel's description"],
      ["--schedule TOKEN", "replay a schedule that `hmm check` or `hmm run` printed"],
      ["--seed N", "a random schedule, the same for the same N"],
      ["--max-steps N", `stop after N steps (${DEFAULT_LIMITS.maxSteps})`],
      ["--tui", "in the view, at its first step"],
      ...commonHelp,
    ],
    run: (values, positionals, io) => {
      const depth = text(values, "trace") ?? "statements";
      if (depth !== "calls" && depth !== "steps" && depth !== "statements")
        throw new UsageError(`--trace is calls or steps, not \`${depth}\``);
      const schedule = text(values, "schedule");
      const seed = count(values, "seed");
      if (schedule !== undefined && seed !== undefined) throw new UsageError("give --schedule or --seed, not both");
      return run(
        {
          ...scriptOf(values, positionals),
          kernel: text(values, "kernel"),
          trace: depth,
          schedule,
          seed,
          maxSteps: count(values, "max-steps"),
          json: flag(values, "json"),
          stats: flag(values, "stats"),
        },
        io,
      );
    },
  },
  {
    name: "check",
    usage: "hmm check SCRIPT [options]",
    summary: "go through every interleaving; print the shortest failing ones as diagrams",
    options: {
      ...common,
      full: { type: "boolean" },
      all: { type: "boolean" },
      "max-states": { type: "string" },
      "max-steps": { type: "string" },
      "max-memory": { type: "string" },
      timeout: { type: "string" },
      tui: { type: "boolean" },
    },
    help: [
      ["--full", "every step in the diagrams, not only those that matter"],
      ["--all", "a diagram for every report, also for those that say what another has said"],
      ["--max-states N", `stop after N states (${DEFAULT_LIMITS.maxStates})`],
      ["--max-steps N", `stop at paths of N steps (${DEFAULT_LIMITS.maxSteps})`],
      ["--max-memory MB", `stop when the process takes so much (${DEFAULT_LIMITS.maxMemory})`],
      ["--timeout SECONDS", "stop after so long (never)"],
      ["--tui", "in the view: walk to each report, back, and on from there"],
      ...commonHelp,
    ],
    run: (values, positionals, io) =>
      check(
        {
          ...scriptOf(values, positionals),
          kernel: text(values, "kernel"),
          full: flag(values, "full"),
          all: flag(values, "all"),
          json: flag(values, "json"),
          stats: flag(values, "stats"),
          limits: {
            maxStates: count(values, "max-states") ?? DEFAULT_LIMITS.maxStates,
            maxSteps: count(values, "max-steps") ?? DEFAULT_LIMITS.maxSteps,
            maxMemory: count(values, "max-memory") ?? DEFAULT_LIMITS.maxMemory,
            timeout: count(values, "timeout") ?? DEFAULT_LIMITS.timeout,
          },
        },
        io,
      ),
  },
  {
    name: "test",
    usage: "hmm test [FOLDER] [--update]",
    summary: "check every script of a folder and compare with its golden",
    options: { help: common.help, update: { type: "boolean" } },
    help: [
      ["FOLDER", "goldens are in FOLDER/golden; without it: scripts/ and test/golden/"],
      ["--update", "write the goldens anew; read what changed before you commit it"],
    ],
    run: (values, positionals, io) => {
      const [folder] = positionals;
      if (positionals.length > 1) throw new UsageError("one folder at a time");
      return test(
        {
          folder: folder ?? "scripts",
          goldens: folder === undefined ? "test/golden" : `${folder}/golden`,
          update: flag(values, "update"),
        },
        io,
      );
    },
  },
  {
    name: "fmt",
    usage: "hmm fmt FILE... | - [--check]",
    summary: "rewrite scripts in one canonical spelling, and print the names of those that changed",
    options: { help: common.help, check: { type: "boolean" } },
    help: [
      ["FILE...", "rewritten in place; comments stay, and so does what the script means"],
      ["-", "from standard input to standard output"],
      ["--check", "change nothing, print the names of what would change; exit 1 if there are any"],
      ["", "a script with errors is left alone (exit 2); files that it includes are not looked at"],
    ],
    run: (values, positionals, io) => {
      if (positionals.length === 0) throw new UsageError("name the files to format, or `-` for standard input");
      if (positionals.length > 1 && positionals.includes("-")) throw new UsageError("give files or `-`, not both");
      return fmt({ paths: positionals, check: flag(values, "check") }, io);
    },
  },
  {
    name: "doc",
    usage: "hmm doc [NAME] [options]",
    summary: "what there is to call; what a function does, step by step, with its locks",
    options: { help: common.help, kernel: common.kernel, diff: { type: "string" } },
    help: [
      ["NAME", "a function of the kernel, or what a script can call: mmput"],
      ['--kernel "ERA + PATCH ..."', "its body in this kernel instead of the newest"],
      ["--diff KERNEL KERNEL", "what differs between two kernels"],
    ],
    run: (values, positionals, io) => {
      const [kernel, first] = [text(values, "kernel"), text(values, "diff")];
      if (first === undefined) return doc(positionals, { kernel, diff: undefined }, io);
      const [second, ...more] = positionals.toReversed();
      if (second === undefined || more.length !== 1 || kernel !== undefined)
        throw new UsageError("--diff takes a name and two kernels: hmm doc mmput --diff v5.2 'v5.2 + PATCH'");
      return doc(more, { kernel, diff: [first, second] }, io);
    },
  },
  {
    name: "explain",
    usage: "hmm explain [CODE]",
    summary: "the codes of errors, or more about one",
    options: { help: common.help },
    help: [
      ["CODE", "as in error[E105]"],
      ["NAME", "of a function: as `hmm doc NAME`"],
    ],
    run: (_values, positionals, io) => explain(positionals, io),
  },
];

const EXIT_CODES = `Exit codes: 0 all expectations hold; 1 an expectation fails, or a report that none names;
2 the script or the command line is wrong; 3 undecided, a limit was reached;
70 a fault of hmm itself; 130 interrupted (what was found is printed).`;

function helpText(): string {
  const rows = commands.map((c) => `  ${c.usage.padEnd(34)} ${c.summary}`);
  return [
    "hmm: executable race diagrams for Linux HMM and mmu notifiers",
    "",
    `  ${SEAT_USAGE.padEnd(34)} a prompt and a view of the state, forward and back`,
    ...rows,
    "",
    `${SEAT_USAGE}:`,
    ...SEAT_HELP.map(([option, what]) => `  ${option.padEnd(28)} ${what}`),
    "",
    "hmm COMMAND --help says more; hmm --version prints the version.",
    "",
    EXIT_CODES,
    "",
  ].join("\n");
}
function commandHelp(command: Command): string {
  const rows = command.help.map(([option, what]) => `  ${option.padEnd(28)} ${what}`);
  return [`usage: ${command.usage}`, "", command.summary, "", ...rows, "", EXIT_CODES, ""].join("\n");
}

export function isCommand(word: string): boolean {
  return commands.some(({ name }) => name === word);
}

export function main(argv: readonly string[], io: Io): ExitCode {
  return drain(commandLine(argv, io));
}

/** As `main`, breathing: the terminal's signals are heard while a search goes on. */
export function* commandLine(argv: readonly string[], io: Io): Breathing<ExitCode> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    io.out(helpText());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-V") {
    io.out(`hmm ${VERSION}\n`);
    return 0;
  }
  const command = commands.find((c) => c.name === name);
  if (command === undefined) {
    io.err(`hmm: there is no command \`${name}\`; there are ${commands.map((c) => c.name).join(", ")}\n`);
    return 2;
  }
  try {
    const { values, positionals } = parseArgs({ args: rest, options: command.options, allowPositionals: true });
    if (values["help"] === true) {
      io.out(commandHelp(command));
      return 0;
    }
    const result = command.run(values, positionals, io);
    return typeof result === "number" ? result : yield* result;
  } catch (error) {
    return failure(error, command, io);
  }
}

function failure(error: unknown, command: Command, io: Io): ExitCode {
  const code = (error as { code?: string }).code ?? "";
  if (error instanceof UsageError || code.startsWith("ERR_PARSE_ARGS")) {
    io.err(`hmm: ${(error as Error).message.split(". ")[0]}\nusage: ${command.usage}\n`);
    return 2;
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  io.err(`hmm: a fault of hmm itself, please report it with the script: ${what}\n`);
  if (process.env["HMM_DEBUG"] !== undefined && error instanceof Error) io.err(`${error.stack ?? ""}\n`);
  return 70;
}
