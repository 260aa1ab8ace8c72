/** A terminal of its own, to look at what is written as somebody in front of it would. */
import xterm from "@xterm/headless";
import type { Size } from "../../../interpreter/terminal/painter.ts";

const { Terminal } = xterm;
export type Emulator = InstanceType<typeof Terminal>;

export const emulator = ({ columns, rows }: Size): Emulator =>
  new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 100 });
export const put = (terminal: Emulator, text: string): Promise<void> =>
  new Promise((resolve) => terminal.write(text, () => resolve()));

/** What is shown, cell by cell: `^` in front of those that are inverse. */
export function shown({ buffer: { active }, cols, rows }: Emulator): string[] {
  return Array.from({ length: rows }, (_, y) => {
    const line = active.getLine(active.baseY + y);
    const cells = Array.from({ length: cols }, (__, x) => line?.getCell(x)).filter((cell) => cell?.getWidth() !== 0);
    const texts = cells.map((cell) => (cell?.isInverse() ? "^" : "") + (cell?.getChars() || " "));
    return texts.join("").trimEnd();
  });
}
