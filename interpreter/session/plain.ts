/**
 * The prompt as plain lines: for pipes, dumb terminals and screen readers. The same commands and the same facts as in
 * the view; no cursor movement, no colour, nothing that is drawn over.
 */
import { printable } from "../../grammar/diagnostic.ts";
import type { ExitCode } from "../io.ts";
import { isFatal } from "../../runtime/machine/report.ts";
import { isLeftOpen } from "../expectation.ts";
import { eventLines } from "../run-text.ts";
import type { Breathing } from "../breathing.ts";
import type { Answer, Desk } from "./desk.ts";
import { statusLine } from "./moment-text.ts";
import { Prompt } from "./prompt.ts";

export interface Lines {
  out(text: string): void;
  err(text: string): void;
  /** Keeps a statement or command for the next session. */
  keep(text: string): void;
}

export class PlainPrompt {
  readonly prompt: Prompt;
  private readonly desk: Desk;
  private readonly lines: Lines;
  /** Lines of a statement that is not complete yet. */
  private typed = "";
  private hasRefused = false;
  isOver = false;
  /** Something is running that can be stopped. */
  isBusy = false;

  constructor(desk: Desk, lines: Lines) {
    this.desk = desk;
    this.prompt = new Prompt(desk);
    this.lines = lines;
  }
  /** What a terminal shows in front of the next line. */
  get text(): string {
    return this.typed === "" ? this.prompt.text : "... ";
  }
  /** Where it begins; `isTyped`: to somebody who sits there. */
  greet(isTyped: boolean): void {
    const { session } = this.desk;
    const where = session.source.text === "" ? "" : `${session.program.name}, step 0: ${statusLine(session)}\n`;
    this.lines.out(
      (isTyped ? `hmm, kernel ${session.kernel}; :help lists what there is, Ctrl-D leaves\n` : "") + where,
    );
  }
  /** Forgets the lines of a statement that is not complete. */
  drop(): void {
    this.typed = "";
  }

  *line(line: string): Breathing<void> {
    if (this.typed !== "" && /^\s*:[A-Za-z]/.test(line)) {
      const [head = ""] = this.typed.split("\n");
      this.complain([`\`${head}\` is not complete: it is dropped, for a command follows`]);
      this.typed = "";
    }
    const text = this.typed === "" ? line : `${this.typed}\n${line}`;
    if (this.prompt.needsMore(text)) {
      this.typed = text;
      return;
    }
    this.typed = "";
    yield* this.submit(text);
  }
  /** At the end of the input: what is open is an error, as it would be in a file. */
  *finish(): Breathing<ExitCode> {
    if (this.typed !== "") yield* this.submit(this.typed);
    this.typed = "";
    return this.exitCode();
  }
  /** 2: a line was refused; 1: something was reported or an expectation failed on the way here. */
  private exitCode(): ExitCode {
    if (this.hasRefused || this.desk.session.timeline.problem !== undefined) return 2;
    const { program, trace } = this.desk.session;
    const { events, findings } = trace;
    const failed = events.some((event) => event.kind === "expect" && !event.holds && !isLeftOpen(event.item, program));
    return failed || findings.some(({ kind }) => isFatal(kind) || kind !== "pruned") ? 1 : 0;
  }

  /** What somebody has written may have codes in it that a terminal would obey. */
  private say(lines: readonly string[]): void {
    for (const line of lines) this.lines.out(`${printable(line.replaceAll("\t", "        "))}\n`);
  }
  private complain(lines: readonly string[]): void {
    this.hasRefused = true;
    for (const line of lines) this.lines.err(`${printable(line.replaceAll("\t", "        "))}\n`);
  }
  private *submit(text: string): Breathing<void> {
    const { desk } = this;
    const before = { ...stand(desk) };
    if (text.trim() !== "") this.lines.keep(text);
    this.isBusy = true;
    const answer = yield* this.prompt.submit(text);
    this.isBusy = false;
    this.isOver ||= answer.quits === true;
    this.tell(before, answer, /^\s*(:|$)/.test(text));
  }
  private tell(before: Stand, answer: Answer, isCommand: boolean): void {
    const { desk, lines } = this;
    const { session } = desk;
    const after = stand(desk);
    // What happened on the way, where the way was followed on; where it has changed, only where that has led.
    if (after.lineage === before.lineage && after.step >= before.step) {
      // What is typed in the past takes the place of what had just begun there.
      const isAdded = !isCommand && answer.isError !== true;
      const from = isAdded ? Math.min(before.events, session.toldBefore) : before.events;
      this.say(eventLines(session.program, session.trace, from, desk.depth));
    }
    if (answer.isError === true) this.complain(answer.lines);
    else this.say(answer.lines);
    const hasMoved = after.lineage !== before.lineage || after.step !== before.step;
    if (hasMoved && isCommand && answer.isError !== true && answer.quits !== true)
      lines.out(`step ${after.step} of ${session.timeline.length}; ${statusLine(session)}\n`);
  }
}

interface Stand {
  readonly lineage: number;
  readonly step: number;
  readonly events: number;
}
function stand({ session }: Desk): Stand {
  return { lineage: session.lineage, step: session.timeline.at, events: session.timeline.recorder.events.length };
}
