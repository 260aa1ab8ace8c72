/** What the kernel image says about static objects before the first instruction runs. */
import type { Value } from "./machine/step.ts";

/** Sets a member of a static object. */
export type ImageWriter = (member: { readonly addr: number }, value: Value) => void;
