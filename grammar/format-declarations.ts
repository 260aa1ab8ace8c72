/** Declarations as text: types stay, and objects go by the names of theirs. */
import type { Declarator, Declare, Enum, Expr, Init, InitField } from "./ast.ts";
import { ExpressionFormatter, typeText } from "./format-expressions.ts";
import { isMistakable } from "./format-heads.ts";
import type { SourceText } from "./span.ts";

/** Shared by all CPUs at the top of a script, local to what runs, or in the head of a `for`. */
export type Where = "shared" | "local" | "head";

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
    if (type === undefined) return `var ${this.declarators(names, alone)}`;
    // A `static` in a body is no local: whoever reads on must see it.
    const storage = where === "local" && /^static\b/.test(this.source.slice(declare.at)) ? "static " : "";
    const head = where !== "head" && isObject(declare) ? type.name : typeText(type);
    return `${storage}${head} ${this.declarators(names, alone)}`;
  }

  /** In a struct types matter, also those of numbers. */
  field({ type, names }: Declare): string {
    if (type === undefined) return `var ${this.declarators(names, false)}`;
    const byValue = type.struct && names.every(({ pointer }) => !pointer);
    return `${byValue ? type.name : typeText(type)} ${this.declarators(names, false)}`;
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
    return value.kind === "init" ? this.init(value) : this.expression(value);
  }

  private declarators(names: readonly Declarator[], alone: boolean): string {
    return names.map((declarator) => this.declarator(declarator, alone)).join(", ");
  }

  private declarator({ name, pointer, size, value }: Declarator, alone: boolean): string {
    const array = size === undefined ? "" : `[${this.expression(size)}]`;
    const declared = `${pointer ? "*" : ""}${name.name}${array}`;
    if (value === undefined) return declared;
    if (value.kind === "init") return `${declared} = ${this.init(value)}`;
    return `${declared} = ${alone ? this.value(value) : this.expression(value)}`;
  }
}
