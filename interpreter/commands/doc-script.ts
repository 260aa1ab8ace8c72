/** How a script calls a function: its arguments, and what comes back. */
import type { Callable, Param } from "../../runtime/callable.ts";
import { lifeText } from "../../runtime/patch.ts";
import { signature, written } from "../bind/signature.ts";
import { inLines } from "../columns.ts";

const WIDTH = 80;

export function scriptText(entries: readonly Callable[]): string[] {
  return entries.flatMap((entry) => [
    `  In a script: ${signature(entry)}`,
    ...inLines(entry.summary.split(" "), WIDTH, "    ", " "),
    ...written(entry).map((param) => `    ${param.name}: ${kindText(param)}`),
    `    result: ${resultText(entry)}`,
    ...(entry.synonymOf === undefined ? [] : [`    the same as ${entry.synonymOf}`]),
    ...(lifeText(entry) === "" ? [] : [`    kernels: ${lifeText(entry)}`]),
    ...(entry.patch === undefined ? [] : [`    only with the patch ${entry.patch}`]),
  ]);
}
function kindText({ of, otherwise }: Param): string {
  const left = otherwise === undefined ? "" : ", or nothing";
  switch (of.kind) {
    case "object":
      return `a struct ${of.type().name}${left}`;
    case "flags":
      return `any of ${Object.keys(of.words).join(", ")}, or nothing`;
    case "mapping":
      return `${Object.keys(of.words).join(" ")}, file NAME [+OFFSET], dax NAME`;
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
    case "function":
      return `a function of the script that takes ${of.params.map((type) => `a struct ${type().name}`).join(", ")}`;
    default:
      return `a number${left}`;
  }
}
function resultText({ result }: Callable): string {
  if (result.kind === "object") return `a struct ${result.type().name}, or NULL`;
  if (result.kind === "void") return "nothing";
  return result.kind === "boolean" ? "true or false" : "a number; below 0 it is an error";
}
