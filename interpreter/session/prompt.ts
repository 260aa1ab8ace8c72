/** What is typed becomes a statement, a command, or a step once more; the same for the view and for plain lines. */
import { needsMore as isUnfinished } from "../../grammar/complete.ts";
import { renderAll, type Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";
import type { Statement } from "../../grammar/ast.ts";
import { nearest } from "../../grammar/suggest.ts";
import { commands, commandsCalled } from "./commands.ts";
import { nothing, refused, told, type Answer, type Answering, type Desk } from "./desk.ts";
import { statusLine } from "./moment-text.ts";
import { restAnswer } from "./moving.ts";
import { raceLine } from "./race-lines.ts";
import { Refused } from "./session.ts";

/** Text that was copied from a session has its prompts in front. */
const PASTED = /^(?:hmm(?: cpu\d)?> |\.\.\. )/gm;

export class Prompt {
  readonly desk: Desk;
  /** What an empty line does. */
  private again: string | undefined;

  constructor(desk: Desk) {
    this.desk = desk;
  }
  /** "hmm cpu1> ": whose a statement without a label is. */
  get text(): string {
    const cpu = this.desk.session.currentCpu;
    return cpu === 0 ? "hmm> " : `hmm cpu${cpu}> `;
  }
  /** Whether a line waits for more lines. */
  needsMore(text: string): boolean {
    return !text.trimStart().startsWith(":") && isUnfinished(text.replace(PASTED, ""));
  }

  /** Never throws for what somebody typed. */
  *submit(typed: string): Answering {
    const text = typed.replace(PASTED, "").trim();
    try {
      if (text === "") return this.again === undefined ? nothing : yield* this.command(this.again);
      if (text.startsWith(":")) return yield* this.command(text.slice(1).trim());
      this.again = undefined;
      return yield* this.statement(text);
    } catch (error) {
      if (error instanceof Refused) return refusal(error);
      throw error;
    }
  }

  private *command(text: string): Answering {
    const match = /^([A-Za-z?]+|\?)(!?)\s*([\s\S]*)$/.exec(text);
    if (match === null) return refused("a command is a word: `:help` lists them");
    const [, word = "", bang = "", args = ""] = match;
    const [command, ...others] = word === "?" ? commandsCalled("help") : commandsCalled(word);
    if (command === undefined) {
      const meant = nearest(
        word,
        commands.map(({ name }) => name),
      );
      const hint = meant === undefined ? "`:help` lists them" : `did you mean \`:${meant}\`?`;
      return refused(`there is no command \`:${word}\`; ${hint}`);
    }
    if (others.length > 0)
      return refused(`\`:${word}\` may be ${[command, ...others].map(({ name }) => `:${name}`).join(", ")}`);
    if (command.takes === "none" && args !== "") return refused(`\`:${command.name}\` takes nothing behind it`);
    this.again = command.repeats === true ? text : undefined;
    return yield* command.run(this.desk, (bang + args).trim());
  }

  private *statement(text: string): Answering {
    const { session } = this.desk;
    const hint = this.commandWithoutColon(text);
    if (hint !== undefined) return refused(hint);
    const { statements } = parse(new SourceText("prompt", text)).script;
    if (session.timeline.director.inRace && !session.timeline.isOver) {
      const answer = yield* raceLine(session, statements);
      if (answer !== undefined) return answer;
    }
    const { end } = session.timeline.now;
    if (
      end !== undefined &&
      end !== "waits" &&
      end !== "final" &&
      statements.some((one) => runs(one) || startsRace(one))
    )
      return refused(`${statusLine(session)}; \`:back\` goes to before it`);
    const rest = yield* session.enter(text);
    const answer = restAnswer(session, rest);
    const warnings = session.warnings.length === 0 ? [] : renderAll(session.warnings).split("\n");
    const { inRace } = session.timeline.director;
    const choices = inRace && statements.some(startsRace) ? [statusLine(session), RACE_HINT] : [];
    const { dropped } = session;
    const what = dropped === 1 ? "the statement" : `the ${dropped} statements`;
    const lost =
      dropped > 0 ? [`${what} that came after this point ${dropped === 1 ? "is" : "are"} gone: \`:undo\``] : [];
    const waits = inRace && !statements.some(startsRace) && statements.some(runs) ? [LATER] : [];
    return told(...warnings, ...answer.lines, ...choices, ...waits, ...lost);
  }
  /** `help`, `quit`, `locks`, `s`, `c`: no statement means anything of the kind. */
  private commandWithoutColon(text: string): string | undefined {
    const match = /^\.?([A-Za-z]+)(\s+\d+)?$/.exec(text);
    const word = match?.[1] ?? "";
    const isCommand = commands.some(({ name, aliases }) => name === word || aliases.includes(word));
    if (this.desk.session.program.functionNames?.().includes(word) === true) return undefined;
    if (!isCommand && !["exit", "where", "bt", "info", "run"].includes(word)) return undefined;
    // A script may well have a variable of that name, and `continue` and `step` are statements.
    if (["continue", "step"].includes(word) && !this.desk.session.timeline.director.inRace) return undefined;
    try {
      this.desk.session.look(word);
      return undefined;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    const other: Readonly<Record<string, string>> = { exit: "quit", bt: "where", info: "show", run: "continue" };
    const [command] = commandsCalled(other[word] ?? word);
    return `commands begin with a colon: \`:${command?.name ?? word}${match?.[2] ?? ""}\``;
  }
}
const RACE_HINT = "`:step cpu1` moves one CPU, `:continue` runs on as written, `:check` tries every interleaving";
const LATER = "the race is still on: this runs when it is over";
const startsRace = ({ kind }: Statement): boolean => kind === "race";
const runs = ({ kind }: Statement): boolean => ["onCpu", "expression", "assign", "block"].includes(kind);

function refusal({ message, diagnostics }: Refused): Answer {
  return diagnostics.length === 0 ? refused(message) : refused(...renderAll(errors(diagnostics)).split("\n"));
}
function errors(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const found = diagnostics.filter(({ severity }) => severity === "error");
  return found.length === 0 ? diagnostics : found;
}
