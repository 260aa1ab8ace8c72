/** Eras and patches: which body each kernel function has in a given kernel. */
import type { FunctionBody } from "./machine/automaton.ts";
import type { Callable } from "./machine/step.ts";
import { allFunctions, functionById, type AnyBody, type Replacement } from "./machine/function.ts";

/** The kernels of the model, oldest first. */
export const ERAS = ["v5.2"] as const;
export type Era = (typeof ERAS)[number];

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

/** The body of every function in `era` with `patches` applied in their order. */
export function resolveBodies(era: Era, patches: readonly Patch[]): { readonly bodies: Map<number, FunctionBody> } {
  const age = (e: string): number => ERAS.indexOf(e as Era);
  const isThere = (since: string | null): boolean => since === null || (age(since) >= 0 && age(since) <= age(era));
  const bodies = new Map<number, FunctionBody>();
  for (const fn of allFunctions()) {
    const fitting = fn.bodies.filter((b) => isThere(b.since)).at(-1);
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
