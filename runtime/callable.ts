/**
 * What a script can call: the one table behind binding, diagnostics and `hmm explain`. An entry says how a
 * function looks to a script; what it does is a kernel function or a primitive of the machine.
 */
import type { ImageWriter } from "./image.ts";
import type { Kernel, Value } from "./machine/step.ts";
import type { StructClass } from "./machine/struct.ts";

/** Kinds of parameter. Each takes one argument of `run`, but a range, which takes two: start and end (excluded). */
export type ParamKind =
  /** A pointer to a kernel object of this type (or of a type embedded in it). */
  | { readonly kind: "object"; readonly type: () => StructClass }
  | { readonly kind: "number" }
  /** A user-space address. */
  | { readonly kind: "address" }
  /** `second`: what C's two arguments say it with, the end (excluded) or the length. */
  | { readonly kind: "range"; readonly second: "end" | "length" }
  /** Any number of these words, ORed together; `initial` if there is none. `orNumber`: C's flags will do too. */
  | {
      readonly kind: "flags";
      readonly words: Readonly<Record<string, number>>;
      readonly initial: number;
      readonly orNumber?: boolean;
    }
  /**
   * As flags, and among them `file NAME [+OFFSET]` or `dax NAME`: three arguments of `run`: flags, file, page offset.
   */
  | {
      readonly kind: "mapping";
      readonly words: Readonly<Record<string, number>>;
      readonly initial: number;
      readonly dax: number;
    }
  | { readonly kind: "lock"; readonly lock: LockKind }
  | { readonly kind: "atomic" }
  | { readonly kind: "refcount" }
  /** Whatever stands there: nobody looks at it, so it need not even mean anything. */
  | { readonly kind: "ignored" }
  /** A function of the script's own, called with objects of these types. */
  | { readonly kind: "function"; readonly params: readonly (() => StructClass)[] }
  /** The mm of the process that the CPU runs in: never written, always passed. */
  | { readonly kind: "current-mm" };

export type LockKind = "spinlock" | "mutex" | "rwsem" | "any";

export interface Param {
  readonly name: string;
  readonly of: ParamKind;
  /** May be left out; the value then. */
  readonly otherwise?: Value;
}

export type ResultKind =
  | { readonly kind: "void" }
  | { readonly kind: "boolean" }
  /** A number; small negative ones are error codes. */
  | { readonly kind: "number" }
  | { readonly kind: "object"; readonly type: () => StructClass };

export interface Callable {
  readonly name: string;
  readonly params: readonly Param[];
  readonly result: ResultKind;
  /** One line: what it does. */
  readonly summary: string;
  /** Kernel file or mail. */
  readonly source: string;
  /** First and first-no-more era in which it exists so; absent: no bound. */
  readonly since?: string;
  readonly until?: string;
  /** Only with this patch. */
  readonly patch?: string;
  /** A system call or a CPU's own access: calling it on a CPU whose mm has no users is an error of the script. */
  readonly needsUsers?: boolean;
  /** Name of the parameter whose range a later `...` stands for: this call maps it. */
  readonly maps?: string;
  /** Name of the parameter whose object a later `...` stands for: this call registers it. */
  readonly registers?: string;
  /** The function that this is another name of. */
  readonly synonymOf?: string;
  /** What must be in the memory of a machine from the start if its script calls this. */
  readonly image?: (write: ImageWriter) => void;
  readonly run: (...args: never[]) => Kernel<Value>;
}

export const object = (name: string, type: () => StructClass): Param => ({ name, of: { kind: "object", type } });
export const number = (name: string): Param => ({ name, of: { kind: "number" } });
export const address = (name: string): Param => ({ name, of: { kind: "address" } });
export const range = (name = "range", second: "end" | "length" = "end"): Param => ({
  name,
  of: { kind: "range", second },
});
export const callback = (name: string, ...params: readonly (() => StructClass)[]): Param => ({
  name,
  of: { kind: "function", params },
});
export const flags = (
  name: string,
  words: Readonly<Record<string, number>>,
  initial: number,
  orNumber = false,
): Param => ({ name, of: { kind: "flags", words, initial, orNumber } });
export const mapping = (
  name: string,
  words: Readonly<Record<string, number>>,
  initial: number,
  dax: number,
): Param => ({ name, of: { kind: "mapping", words, initial, dax } });
export const boolean = (name: string): Param => ({ name, of: { kind: "number" } });
export const ignored = (name: string): Param => ({ name, of: { kind: "ignored" } });
export const lock = (name: string, kind: LockKind): Param => ({
  name,
  of: { kind: "lock", lock: kind },
});
export const currentMm: Param = { name: "mm", of: { kind: "current-mm" } };
export const optional = (param: Param, otherwise: Value): Param => ({ ...param, otherwise });

export const returnsNothing: ResultKind = { kind: "void" };
export const returnsBoolean: ResultKind = { kind: "boolean" };
export const returnsNumber: ResultKind = { kind: "number" };
export const returnsObject = (type: () => StructClass): ResultKind => ({ kind: "object", type });

/** What `...` stands for when a script has registered no object of this type: how one is made. */
export interface DefaultObject {
  readonly type: () => StructClass;
  /** The name it goes by in what is printed. */
  readonly name: string;
  /** Said in the trace, after the name: "registered over the whole address space". */
  readonly note: string;
  /** Registers it, with the locks that takes; `range` is what the script has mapped last, or all that it can. */
  readonly prepare: (
    mm: { readonly addr: number },
    object: { readonly addr: number },
    range: readonly [start: number, end: number],
  ) => Kernel<Value>;
}
