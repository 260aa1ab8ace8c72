/** Declarations as text: `var` for the numbers and pointers of C, objects by the names of their types. */
import type { CType, Declarator, Declare, Enum, Expr, Init, InitField } from "./ast.ts";
import { ExpressionFormatter, typeText, withoutAddress } from "./format-expressions.ts";
import { isMistakable } from "./format-heads.ts";
import type { SourceText } from "./span.ts";
import { typeWords } from "./words.ts";

/** Kernel names for plain numbers; other names in `_t` may be objects. */
const numberTypes: ReadonlySet<string> = new Set(
  ["size", "ssize", "loff", "pgoff", "gfp", "dma_addr", "phys_addr", "vm_fault", "uintptr", "intptr"]
    .concat(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
    .map((name) => `${name}_t`),
);

/** Shared by all CPUs at the top of a script, local to what runs, or in the head of a `for`. */
export type Where = "shared" | "local" | "head";

function isNumberType({ struct, name }: CType): boolean {
  return !struct && (numberTypes.has(name) || name.split(" ").every((word) => typeWords.has(word)));
}

/** Whether `struct gpu g` can do without its `struct`. */
function isObject({ type, names }: Declare): boolean {
  const [only, ...more] = names;
  if (type?.struct !== true || only === undefined || more.length > 0) return false;
  if (only.pointer || only.size !== undefined || isMistakable(`${type.name} ${only.name.name}`)) return false;
  return only.value === undefined || only.value.kind === "init";
}

export class DeclarationFormatter extends ExpressionFormatter {
  constructor(source: SourceText) {
    super(source);
  }

  declaration(declare: Declare, where: Where): string {
    const { type, names } = declare;
    const alone = names.length === 1 && where !== "head";
    if (type === undefined || this.isVar(type, names, where)) return `var ${this.declarators(names, false, alone)}`;
    const head = where !== "head" && isObject(declare) ? type.name : typeText(type);
    return `${head} ${this.declarators(names, true, alone)}`;
  }

  /** Whether the type says nothing that `var` does not say. What a pointer points to, list walks and `sizeof` ask. */
  private isVar(type: CType, names: readonly Declarator[], where: Where): boolean {
    if (names.some(({ size }) => size !== undefined)) return false;
    const isUntold = ({ pointer }: Declarator): boolean =>
      pointer ? where !== "shared" && !type.struct : isNumberType(type);
    return names.every(isUntold);
  }

  /** In a struct types matter, also those of numbers. */
  field({ type, names }: Declare): string {
    if (type === undefined) return `var ${this.declarators(names, false, false)}`;
    const byValue = type.struct && names.every(({ pointer }) => !pointer);
    return `${byValue ? type.name : typeText(type)} ${this.declarators(names, true, false)}`;
  }

  enumeration({ items }: Enum): string {
    const texts = items.map(({ name, value }) =>
      value === undefined ? name.name : `${name.name} = ${this.expression(value)}`,
    );
    return texts.length === 0 ? "enum {}" : `enum { ${texts.join(", ")} }`;
  }

  /** All on one line. */
  init({ fields }: Init): string {
    if (fields.length === 0) return "{}";
    return `{ ${fields.map((field) => this.fieldHead(field) + this.fieldValue(field.value)).join(", ")} }`;
  }
  /** `.start = `, `[2] = `, or nothing for just the next one. */
  fieldHead({ name, index }: InitField): string {
    if (name !== undefined) return `.${name.name} = `;
    return index === undefined ? "" : `[${this.expression(index)}] = `;
  }

  fieldValue(value: Expr | Init): string {
    return value.kind === "init" ? this.init(value) : this.expression(withoutAddress(value));
  }

  private declarators(names: readonly Declarator[], typed: boolean, alone: boolean): string {
    return names.map((declarator) => this.declarator(declarator, typed, alone)).join(", ");
  }

  private declarator({ name, pointer, size, value }: Declarator, typed: boolean, alone: boolean): string {
    const array = size === undefined ? "" : `[${this.expression(size)}]`;
    const declared = `${typed && pointer ? "*" : ""}${name.name}${array}`;
    if (value === undefined) return declared;
    if (value.kind === "init") return `${declared} = ${this.init(value)}`;
    return `${declared} = ${alone ? this.value(value) : this.expression(value)}`;
  }
}
