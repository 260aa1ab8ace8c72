/** The words of mmap: protection, flags, and the file that is mapped, which begins to exist where it is first named. */
import type { Argument, Expr } from "../../grammar/ast.ts";
import type { ParamKind } from "../../runtime/callable.ts";
import { imageWriter } from "../../runtime/kernel.ts";
import { at, GIANT_ARENA, NULL, slotSize, Struct, WORD } from "../../runtime/machine/struct.ts";
import { typeNumber } from "../../runtime/machine/types.ts";
import { fileImage } from "../../runtime/mm/file.ts";
import { address_space } from "../../runtime/mm/mm_types.ts";
import { dax_memory, PAGE_SIZE } from "../../runtime/mm/pgtable.ts";
import { numeric, run, type Bound } from "./expression.ts";
import { misfit, TOLD, type Misfit, type Source } from "./fit.ts";
import type { ExpressionBinder } from "./names.ts";
import type { Scope } from "./scope.ts";

type Mapping = Extract<ParamKind, { kind: "mapping" }>;
const HUGE_HELP = "`huge` asks for transparent huge pages, `dax NAME` maps a device by large entries";
const FILE_WORDS = ["file", "dax"];

export function fitMapping(binder: ExpressionBinder, of: Mapping, queue: Argument[]): Source | Misfit {
  let flags: number | undefined;
  let dax = 0;
  let file: address_space = NULL(address_space);
  let offset: Bound | undefined;
  for (;;) {
    const arg = queue[0]?.value;
    if (arg?.kind !== "name") break;
    if (arg.name === "hugetlb") return misfit("E290", arg.at, "this version does not model `hugetlb`", 1, HUGE_HELP);
    if (FILE_WORDS.includes(arg.name) && queue[1] !== undefined) {
      const named = fileNamed(binder.scope, queue[1], arg.name === "dax");
      if ("fitted" in named) return named;
      file = named;
      dax = arg.name === "dax" ? of.dax : 0;
      queue.splice(0, 2);
      const at = offsetIn(queue[0]?.value);
      if (at !== undefined) {
        offset = binder.bindNumber(at, "an offset is a number of bytes");
        if (offset === undefined) return TOLD;
        if (offset.kind === "constant" && numeric(offset.value) % PAGE_SIZE !== 0)
          return misfit("E307", at.at, "a file is mapped from a page boundary on", 1, "pages have 4096 (0x1000) bytes");
        queue.shift();
      }
    } else if (Object.hasOwn(of.words, arg.name)) {
      flags = (flags ?? 0) | (of.words[arg.name] as number);
      queue.shift();
    } else break;
  }
  if (queue[0]?.value.kind === "defaults") queue.length = 1;
  const all = (flags ?? of.initial) | dax;
  const at = offset;
  return {
    *values(frame) {
      return [all, file, at === undefined ? 0 : numeric(yield* run(at, frame)) / PAGE_SIZE];
    },
    from: at === undefined ? [] : [at],
  };
}
function offsetIn(value: Expr | undefined): Expr | undefined {
  return value?.kind === "unary" && value.op === "+" ? value.operand : undefined;
}

/** The file of that name: there from the start, whoever maps it first. */
function fileNamed(scope: Scope, { value, at: place }: Argument, dax: boolean): address_space | Misfit {
  if (value.kind !== "name") return misfit("E316", place, "a file has a name", 1, "write `file data` or `dax pmem0`");
  const there = scope.findObject(value.name);
  if (there === undefined) return newFile(scope, value.name, dax);
  if (isFile(there)) return there;
  return misfit("E301", place, `\`${value.name}\` is no file`, 1, "a file has a name that nothing else has");
}
const isFile = (object: Struct): object is address_space => object.constructor === address_space;

function newFile(scope: Scope, name: string, dax: boolean): address_space {
  const file = scope.addObject(name, address_space);
  const size = slotSize(GIANT_ARENA);
  const memory = at(dax_memory, GIANT_ARENA + scope.nextDevice(dax) * size + WORD);
  scope.onSetUp((machine) => {
    if (dax) {
      machine.makeStatic(memory.addr, typeNumber(dax_memory));
      machine.nameObject(memory.addr, `${name}[]`);
    }
    fileImage(imageWriter(machine), file, dax ? memory : NULL(dax_memory));
  });
  return file;
}
