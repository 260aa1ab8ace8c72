/** A machine set up for a program, and the director that leads it. */
import { Machine } from "../runtime/machine/machine.ts";
import type { Mutation } from "../runtime/machine/mutation.ts";
import { Director } from "./director.ts";
import type { Program } from "./program.ts";

export function simulate(program: Program, mutations: readonly Mutation[] = []): Director {
  const machine = new Machine({ ...program.machine, mutations });
  program.setUp(machine);
  return new Director(machine, program);
}
