/**
 * `hmm explain`: what a script can call. `hmm explain mmput`: more about one of these. `hmm explain E105`: what a code
 * means, with a wrong and a right example.
 */
import { codes, explain as explanation } from "../../grammar/codes.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable, Param } from "../../runtime/callable.ts";
import { callables, declarableTypes } from "../../runtime/kernel.ts";
import type { FunctionInfo } from "../../runtime/machine/function.ts";
import { signature, written } from "../bind/signature.ts";
import { inLines } from "../columns.ts";
import type { ExitCode, Io } from "../io.ts";

export function explain(words: readonly string[], io: Io): ExitCode {
  const [code, ...more] = words;
  if (code === undefined) {
    io.out(overview());
    return 0;
  }
  if (more.length > 0) {
    io.err("hmm: explain takes one word: a function, such as mmput, or a code, such as E105\n");
    return 2;
  }
  const entries = callables.filter((entry) => entry.name === code);
  if (entries.length > 0) {
    io.out(entries.map(entryText).join("\n"));
    return 0;
  }
  const text = explanation(code);
  if (text === undefined) {
    const isCode = /^[eE]\d/.test(code);
    const meant = isCode
      ? nearest(code.toUpperCase(), Object.keys(codes))
      : nearest(
          code,
          callables.map((entry) => entry.name),
        );
    const help = meant === undefined ? "" : `; did you mean ${meant}?`;
    io.err(`hmm: there is no ${isCode ? "error" : "function"} ${code}${help}\n`);
    return 2;
  }
  io.out(`${text}\n`);
  return 0;
}

/** Everything in one page: a script's words by what they are for. */
function overview(): string {
  const all = callables.filter((entry) => entry.synonymOf === undefined);
  const width = Math.max(...all.map((entry) => signature(entry).length));
  const seen = new Set<string>();
  const lines = all.flatMap((entry) => {
    const text = signature(entry);
    if (seen.has(text)) return [];
    seen.add(text);
    const patch = entry.patch === undefined ? "" : ` (with ${entry.patch})`;
    return `  ${text.padEnd(width)}  ${entry.summary}${patch}`;
  });
  return [
    "What a CPU can call: `cpu0: NAME ARGUMENT ARGUMENT` or `cpu0: NAME(ARGUMENT, ARGUMENT)`",
    ...lines,
    "",
    "Other names for some of these:",
    ...inLines(
      callables.filter((entry) => entry.synonymOf !== undefined).map(({ name }) => name),
      100,
      "  ",
    ),
    "",
    "Objects to declare: `TYPE NAME`",
    ...inLines(Object.keys(declarableTypes), 100, "  "),
    "",
    "`hmm explain NAME` and `hmm explain CODE` say more about one.",
    "",
  ].join("\n");
}
function entryText(entry: Callable): string {
  const info: FunctionInfo = "info" in entry.run ? (entry.run.info as FunctionInfo) : {};
  const lines = [signature(entry), `  ${entry.summary}`];
  if (entry.synonymOf !== undefined) lines.push(`  the same as ${entry.synonymOf}`);
  for (const param of written(entry)) lines.push(`  ${param.name}: ${kindText(param)}`);
  lines.push(`  result: ${resultText(entry)}`, `  source: ${entry.source}`);
  if (entry.patch !== undefined) lines.push(`  only with the patch ${entry.patch}`);
  if (info.differs !== undefined) lines.push(...inLines(`differs: ${info.differs}`.split(" "), 100, "  ", " "));
  return `${lines.join("\n")}\n`;
}
function kindText({ of, otherwise }: Param): string {
  const left = otherwise === undefined ? "" : ", or nothing";
  switch (of.kind) {
    case "object":
      return `a struct ${of.type().name}${left}`;
    case "flags":
      return `any of ${Object.keys(of.words).join(", ")}, or nothing`;
    case "lock":
      return `${of.lock === "any" ? "a spinlock, mutex or rw_semaphore" : `a ${of.lock}`}${left}`;
    case "range":
      return `START..END (END excluded), or START.. for one page${left}`;
    case "address":
      return `an address of user space${left}`;
    case "atomic":
      return `an atomic counter${left}`;
    case "refcount":
      return `a reference count${left}`;
    case "ignored":
      return `anything, for nobody looks at it${left}`;
    default:
      return `a number${left}`;
  }
}
function resultText({ result }: Callable): string {
  if (result.kind === "object") return `a struct ${result.type().name}, or NULL`;
  if (result.kind === "void") return "nothing";
  return result.kind === "boolean" ? "true or false" : "a number; below 0 it is an error";
}
