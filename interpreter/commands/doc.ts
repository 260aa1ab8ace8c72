/** `hmm doc`. */
import { shaped } from "../doc-shape.ts";
import { bodyText } from "../doc-text.ts";
import { Unroller } from "../doc-unroll.ts";
import type { ExitCode, Io } from "../io.ts";
import { patches } from "../../runtime/kernel.ts";
import { allFunctions } from "../../runtime/machine/function.ts";
import { resolveBodies } from "../../runtime/patch.ts";

export function doc(words: readonly string[], io: Io): ExitCode {
  const { bodies } = resolveBodies("v5.2", []);
  void patches;
  for (const word of words) {
    const fn = allFunctions().find((f) => f.name === word && f.info.internal !== true);
    if (fn === undefined) return 2;
    const unroller = new Unroller(bodies);
    const { lines, cut } = unroller.tree(fn.id);
    io.out(`${word}(${fn.info.params?.join(", ")})\n${bodyText(shaped(lines)).join("\n")}\n${cut ? "CUT\n" : ""}\n`);
  }
  return 0;
}
