/** Words that are objects of their own: arrays, and the locks and counters of a body. */
import { memberKey, Special, Struct, words, type Member, type StructClass } from "../../runtime/machine/struct.ts";

/** How many words an array can have. */
export const ARRAY_MAX = 1024;

const arrays = new Map<string, StructClass>();

/** `name`: of the variable that it is; one that was allocated has none. */
export function arrayClass(n: number, name = "array"): StructClass {
  const key = `${name} ${n}`;
  let cls = arrays.get(key);
  if (cls === undefined) {
    const made = class extends Struct {
      static readonly short = name;
      static readonly elements = true;
      slots = words(n);
    };
    arrays.set(key, (cls = Object.defineProperty(made, "name", { value: `u64[${n}]` })));
  }
  return cls;
}
export function isArrayClass(cls: StructClass): boolean {
  return [...arrays.values()].includes(cls);
}

const wordClasses = new Map<string, StructClass>();

/** What holds a lock or a counter that is local to a body: one member, that goes by the name of the variable. */
export function localWordClass(kind: string, name: string, make: () => Member): StructClass {
  const key = `${kind} ${name}`;
  let cls = wordClasses.get(key);
  if (cls === undefined) {
    const made = class extends Struct {
      static readonly variables = true;
      static readonly short = name;
      constructor(addr: number) {
        super(addr);
        Object.assign(this, { [memberKey(name)]: make() });
      }
    };
    wordClasses.set(key, (cls = Object.defineProperty(made, "name", { value: key })));
  }
  return cls;
}
/** The word in an object of such a class. */
export function wordIn(object: Struct): Special {
  return Object.values(object).find((member) => member instanceof Special) as Special;
}
