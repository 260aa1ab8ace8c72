/** Several ways to complete a word. */

export function commonPrefix(words: readonly string[]): string {
  const [first = "", ...others] = words;
  let length = first.length;
  for (const word of others) while (!word.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}

/** In columns, read downwards, as ls does. */
export function inColumns(words: readonly string[], width: number): string[] {
  const widest = Math.max(...words.map((word) => word.length)) + 2;
  const count = Math.max(1, Math.floor(width / widest));
  const rows = Math.ceil(words.length / count);
  return Array.from({ length: rows }, (_, row) =>
    words
      .filter((_word, i) => i % rows === row)
      .map((word) => word.padEnd(widest))
      .join("")
      .trimEnd(),
  );
}
