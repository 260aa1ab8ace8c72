/**
 * `hmm explain`: every code that an error can have. `hmm explain E105`: what one means, with a wrong and a right
 * example. A name instead of a code is `hmm doc`'s business, and goes there.
 */
import { codes, explain as explanation } from "../../grammar/codes.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { ExitCode, Io } from "../io.ts";
import { doc } from "./doc.ts";

export function explain(words: readonly string[], io: Io): ExitCode {
  const [code, ...more] = words;
  if (code === undefined) {
    io.out(overview());
    return 0;
  }
  if (more.length > 0) {
    io.err("hmm: explain takes one word: a code, such as E105, or a function, such as mmput\n");
    return 2;
  }
  const text = explanation(code);
  if (text !== undefined) {
    io.out(`${text}\n`);
    return 0;
  }
  if (!/^[eE]\d/.test(code)) return doc([code], { kernel: undefined, diff: undefined }, io);
  const meant = nearest(code.toUpperCase(), Object.keys(codes));
  io.err(`hmm: there is no error ${code}${meant === undefined ? "" : `; did you mean ${meant}?`}\n`);
  return 2;
}
function overview(): string {
  const rows = Object.entries(codes).map(([code, { summary }]) => `  ${code}  ${summary}`);
  return [
    "What can be wrong with a script, as in error[E105]:",
    ...rows,
    "",
    "`hmm explain CODE` says more about one; `hmm doc NAME` says what a function does.",
    "",
  ].join("\n");
}
