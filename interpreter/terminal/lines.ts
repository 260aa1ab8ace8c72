/** The prompt as plain lines, at a terminal or in a pipe. The terminal's line discipline edits; nothing is drawn. */
import { createInterface } from "node:readline";
import { drive } from "../breathing.ts";
import type { ExitCode } from "../io.ts";
import type { PlainPrompt } from "../session/plain.ts";

export interface LineIo {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** Stops what is running; false if nothing is. */
  readonly interrupt: () => boolean;
}

/** Reads to the end of the input. Prompts are printed only where somebody types. */
export async function sitAtLines(plain: PlainPrompt, { stdin, stdout, interrupt }: LineIo): Promise<ExitCode> {
  const isTyped = stdin.isTTY === true;
  const ask = (): void => void (isTyped && stdout.write(plain.text));
  const onInterrupt = (): void => {
    if (interrupt()) return;
    plain.drop();
    stdout.write("\n");
    ask();
  };
  if (isTyped) process.on("SIGINT", onInterrupt);
  const reader = createInterface({ input: stdin, terminal: false, crlfDelay: Infinity });
  ask();
  try {
    // One line after the other: the next one waits until this one is through.
    for await (const line of reader) {
      await drive(plain.line(line));
      if (plain.isOver) break;
      ask();
    }
    return await drive(plain.finish());
  } finally {
    reader.close();
    process.off("SIGINT", onInterrupt);
    if (isTyped && !plain.isOver) stdout.write("\n");
  }
}
