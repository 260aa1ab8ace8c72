/** `hmm explain E105`: what a code means, with a wrong and a right example. */
import { codes, explain as explanation } from "../../grammar/codes.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { ExitCode, Io } from "../io.ts";

export function explain(words: readonly string[], io: Io): ExitCode {
  const [code, ...more] = words;
  if (code === undefined || more.length > 0) {
    io.err("hmm: explain takes one code, such as E105\n");
    return 2;
  }
  const text = explanation(code);
  if (text === undefined) {
    const meant = nearest(code.toUpperCase(), Object.keys(codes));
    io.err(`hmm: there is no error ${code}${meant === undefined ? "" : `; did you mean ${meant}?`}\n`);
    return 2;
  }
  io.out(`${text}\n`);
  return 0;
}
