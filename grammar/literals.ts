const scales: ReadonlyMap<string, number> = new Map([
  ["k", 2 ** 10],
  ["m", 2 ** 20],
  ["g", 2 ** 30],
]);

/** The value of a number as the lexer lets it through, or Infinity beyond 2^53. */
export function numberValue(image: string): number {
  const match = /^(0[xX][0-9a-fA-F]+|\d+)([kKmMgG]?)/.exec(image);
  if (match === null) return 0;
  const value = Number(match[1]) * (scales.get(match[2]!.toLowerCase()) ?? 1);
  return value <= Number.MAX_SAFE_INTEGER ? value : Infinity;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["0", "\0"],
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["v", "\v"],
  ["e", "\x1b"],
]);

/** What a string token says; an unknown escape stands for the character behind the backslash. */
export function stringValue(image: string): string {
  const inner = image.slice(1, image.length > 1 && image.endsWith('"') ? -1 : undefined);
  return inner.replace(/\\(?:x([0-9a-fA-F]{1,2})|([^]))/g, (_, hex: string | undefined, character: string) =>
    hex === undefined ? (escapes.get(character) ?? character) : String.fromCharCode(parseInt(hex, 16)),
  );
}
