/** Eras and patches: which body each kernel function has in a given kernel. */
import type { FunctionBody } from "./machine/automaton.ts";
import type { Callable } from "./machine/step.ts";
import { allFunctions, functionById, type AnyBody, type KernelFunction, type Replacement } from "./machine/function.ts";

/** The kernels of the model, oldest first. */
export const ERAS = ["v5.2", "v5.6"] as const;
export type Era = (typeof ERAS)[number];
/** What a script runs on that does not say: mirrors, which most scripts are about, are of 5.2. */
export const DEFAULT_ERA: Era = "v5.2";

/** First and first-no-more era of something; absent: no bound. */
export interface Life {
  readonly since?: string | null;
  readonly until?: string;
}
const age = (era: string): number => ERAS.indexOf(era as Era);
export function existsIn({ since, until }: Life, era: string): boolean {
  const begun = since === undefined || since === null || (age(since) >= 0 && age(since) <= age(era));
  return begun && (until === undefined || age(era) < age(until));
}
/** The eras of something, oldest first. */
export const erasOf = (life: Life): readonly Era[] => ERAS.filter((era) => existsIn(life, era));

/** A named set of replacement bodies, as one mail or commit brings them. */
export interface Patch {
  readonly name: string;
  /** Subject of the commit or mail. */
  readonly subject: string;
  readonly source: string;
  /** Eras it applies to. */
  readonly eras: readonly Era[];
  /** Patches that must stand before it. */
  readonly needs: readonly string[];
  readonly replacements: readonly Replacement[];
}

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
    const fitting = fn.bodies.filter(({ since }) => existsIn({ since }, era)).at(-1);
    if (fitting !== undefined) enter(bodies, fn, fitting.body, fitting.facts);
  }
  for (const patch of patches) applyPatch(bodies, patch);
  return { bodies };
}
export function applyPatch(bodies: Map<number, FunctionBody>, patch: Patch): void {
  for (const { fn, body, facts } of patch.replacements) enter(bodies, fn, body, facts);
}
function enter(bodies: Map<number, FunctionBody>, fn: Callable, body: unknown, facts: string | undefined): void {
  const info = functionById(fn.id)?.info ?? {};
  bodies.set(fn.id, { name: fn.name, body: body as AnyBody, info, ...(facts === undefined ? {} : { facts }) });
}
