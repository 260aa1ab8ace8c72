/** Words in lines of at most `width` columns. */
export function inLines(words: readonly string[], width: number, margin: string, between = ", "): string[] {
  const lines: string[] = [];
  let line = margin;
  words.forEach((word, i) => {
    const text = i < words.length - 1 ? word + between : word;
    if (line !== margin && (line + text).trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = margin;
    }
    line += text;
  });
  return [...lines, line.trimEnd()];
}
