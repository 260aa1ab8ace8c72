/** Eras and patches: which body each kernel function has in a given kernel. */
import type { FunctionBody } from "./machine/automaton.ts";
import { ERAS, existsIn, type Era, type Life } from "./machine/era.ts";
import type { Callable } from "./machine/step.ts";
import { allFunctions, functionById, type AnyBody, type KernelFunction, type Replacement } from "./machine/function.ts";

export { ERAS, erasOf, erasText, existsIn, lifeText, type Era, type Life } from "./machine/era.ts";

/** What a script runs on that does not say: mirrors, which most scripts are about, are of 5.2. */
export const DEFAULT_ERA: Era = "v5.2";

/** A named set of replacement bodies, as one mail or commit brings them. */
export interface Patch {
  readonly name: string;
  /** Subject of the commit or mail. */
  readonly subject: string;
  readonly source: string;
  /** Eras it applies to. */
  readonly eras: readonly Era[];
  /** Eras that have its bodies as they are: since it was merged, or, if it is the state before a fix, until then. */
  readonly builtIn?: Life;
  /** Patches that must stand before it. */
  readonly needs: readonly string[];
  readonly replacements: readonly Replacement[];
}

/** Whether an era has what the patch brings. */
export const isBuiltIn = ({ builtIn }: Patch, era: Era): boolean => builtIn !== undefined && existsIn(builtIn, era);

/** The function of that name that an era has, if it is one that somebody who reads knows. */
export function functionIn(name: string, era: Era): KernelFunction<never, unknown> | undefined {
  const fits = allFunctions().filter((fn) => fn.name === name && fn.info.internal !== true && existsIn(fn.info, era));
  return fits.find((fn) => fn.info.summary !== undefined) ?? fits[0];
}

/** The body of every function in `era` with `patches` applied in their order. */
export function resolveBodies(era: Era, patches: readonly Patch[]): { readonly bodies: Map<number, FunctionBody> } {
  const bodies = new Map<number, FunctionBody>();
  for (const fn of allFunctions()) {
    if (!existsIn(fn.info, era)) continue;
    const fitting = newestIn(era, fn.bodies);
    if (fitting !== undefined) enter(bodies, fn, fitting.body, fitting.facts);
  }
  for (const patch of patches) applyPatch(bodies, patch, era);
  return { bodies };
}
/** Of bodies in no order, each of which holds from an era on. */
function newestIn<B extends { readonly since: string | null }>(era: Era, bodies: readonly B[]): B | undefined {
  const fitting = bodies.filter(({ since }) => existsIn({ since }, era));
  return fitting.sort((a, b) => age(a.since) - age(b.since)).at(-1);
}
const age = (since: string | null): number => (since === null ? -1 : ERAS.indexOf(since as Era));

export function applyPatch(bodies: Map<number, FunctionBody>, patch: Patch, era: Era): void {
  const fitting = patch.replacements.filter((one) => existsIn(one, era));
  for (const { fn, body, facts } of fitting) enter(bodies, fn, body, facts);
}
function enter(bodies: Map<number, FunctionBody>, fn: Callable, body: unknown, facts: string | undefined): void {
  const info = functionById(fn.id)?.info ?? {};
  bodies.set(fn.id, { name: fn.name, body: body as AnyBody, info, ...(facts === undefined ? {} : { facts }) });
}
