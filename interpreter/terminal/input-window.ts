/** The part of what was typed that fits beside the prompt, with the cursor in it. */
export interface InputWindow {
  readonly lines: readonly string[];
  /** Of the cursor, within them. */
  readonly row: number;
  readonly column: number;
}

const LEFT = "<"; // there is more at the left

export function inputWindow(text: string, cursor: number, width: number): InputWindow {
  const lines = text.split("\n");
  const before = text.slice(0, cursor).split("\n");
  const row = before.length - 1;
  const column = before.at(-1)?.length ?? 0;
  const room = Math.max(4, width);
  const shift = column < room ? 0 : column - Math.floor(room * 0.75);
  const seen = lines.map((line, i) => {
    const from = i === row ? shift : 0;
    return `${from > 0 ? LEFT : ""}${line.slice(from > 0 ? from + 1 : 0, from + room)}`;
  });
  return { lines: seen, row, column: column - shift };
}
