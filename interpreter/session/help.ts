/** `:help`: what can be typed, from the table of commands; what a function does or an error means. */
import { doc } from "../commands/doc.ts";
import { explain } from "../commands/explain.ts";
import { commands, commandsCalled, type Command, type Topic } from "./commands.ts";
import { refused, told, type Answer, type Answering, type Desk } from "./desk.ts";

const TOPICS: Readonly<Record<Topic, string>> = {
  stepping: "Moving through time",
  stopping: "Where to stop",
  looking: "Looking",
  searching: "Searching",
  script: "The script",
  session: "The session",
};
const WIDTH = 32;

function row({ name, args, key, aliases, summary }: Command): string {
  const short = aliases.length === 0 ? "" : ` (:${aliases.join(", :")})`;
  const keyText = key === undefined ? "   " : `${key}  `;
  return `  ${keyText}${`:${name}${args === "" ? "" : ` ${args}`}${short}`.padEnd(WIDTH)} ${summary}`;
}
function topic(name: Topic): string[] {
  return [`${TOPICS[name]}:`, ...commands.filter((command) => command.topic === name).map(row)];
}

export function* help(desk: Desk, args: string): Answering {
  if (args === "") return told(...overview());
  const asked = Object.keys(TOPICS).find((name) => name === args);
  if (asked !== undefined) return told(...topic(asked as Topic));
  if (args === "keys") return told(...KEYS);
  if (args === "language") return told(...LANGUAGE);
  const [command, ...more] = args.startsWith(":") ? commandsCalled(args.slice(1)) : exactly(args);
  if (command !== undefined && more.length === 0) return told(row(command));
  return lookedUp(args, desk);
}
function exactly(name: string): readonly Command[] {
  return commands.filter((command) => command.name === name);
}
function overview(): string[] {
  return [
    "A line is a statement of the scenario language, or a command, which begins with `:`.",
    "",
    ...(Object.keys(TOPICS) as Topic[]).flatMap((name) => [...topic(name), ""]),
    "Names may be shortened. An empty line does the last step once more. `:help keys` is about the keys of the view,",
    "`:help language` about statements, `:help mmput` about a function, `:help E105` about an error.",
  ];
}
const KEYS = [
  "The prompt has the keys, until Esc or Tab on an empty line gives them to a panel. There:",
  "  [ ] or Left Right   a step back, a step forward      0 .. 7   a step of that CPU",
  "  s n c               step, next statement, continue   N C      the same backwards",
  "  Tab, Up Down, PgUp PgDn   the next panel, scrolling   b        breakpoint: type a function",
  "  / and Enter         find in the events, go to that step       u   undo",
  "  z or Enter          one panel alone, and back        Home End  its first and last line",
  "  any other key, or : goes back to the prompt           ?        help",
  "At the prompt: Tab completes, Up and Down are the history, Ctrl-R searches it; Ctrl-A E K U W Y edit; Ctrl-C drops",
  "the line or stops what runs; Ctrl-L draws everything anew; Ctrl-Z suspends; Ctrl-D leaves.",
];
const LANGUAGE = [
  "cpu0: mmap 0x1000..0x4000              a statement of a CPU; it runs at once",
  "cpu0: mmput mm until exit_mmap         ... and stops before its first step in there",
  "cpu0: continue / cpu1: step 3          a CPU that was stopped goes on",
  "race { cpu0: ...; cpu1: ... }          anything may interleave: step by hand, `:continue`, or `:check`",
  "expect bug use-after-free in find_vma  what `:check` should find",
  "kernel v5.2 + odp-v4                   another kernel (or `:kernel`)",
  "Everything: LANGUAGE.md.",
];

/** What `hmm doc` and `hmm explain` say of a name. */
function lookedUp(name: string, { session, io }: Desk): Answer {
  let out = "";
  let err = "";
  const quiet = {
    ...io,
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    readStdin: () => "",
    onInterrupt: () => () => {},
  };
  const isCode = /^[eE]\d/.test(name);
  if (isCode) explain([name], quiet);
  else doc([name], { kernel: session.kernel, diff: undefined }, quiet);
  const lines = (text: string): string[] => text.trimEnd().split("\n");
  return out !== "" ? told(...lines(out)) : refused(...lines(err.replace(/^hmm: /, "")));
}
