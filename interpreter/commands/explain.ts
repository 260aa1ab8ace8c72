/** `hmm explain E105`: what a code means, with a wrong and a right example. */
import { codes } from "../../grammar/codes.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { ExitCode, Io } from "../io.ts";

export function explain(words: readonly string[], io: Io): ExitCode {
  const [word] = words;
  if (word === undefined || words.length > 1) {
    io.err("hmm: explain takes one code, such as E105\n");
    return 2;
  }
  const code = word.toUpperCase();
  const info = codes[code];
  if (info === undefined) {
    const meant = nearest(code, Object.keys(codes));
    io.err(`hmm: there is no error ${code}${meant === undefined ? "" : `; did you mean ${meant}?`}\n`);
    return 2;
  }
  const indented = (example: string): string =>
    example
      .split("\n")
      .map((line) => `    ${line}`.trimEnd())
      .join("\n");
  io.out(
    `${code}: ${info.summary}\n\n${info.explanation}\n\nWrong:\n\n${indented(info.wrong)}\n\nRight:\n\n${indented(info.right)}\n`,
  );
  return 0;
}
