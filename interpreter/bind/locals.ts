/** The names of a function's own: parameters and variables, block by block as in C. */
import type { Span } from "../../grammar/span.ts";
import type { Local } from "./expression.ts";
import type { Type } from "./types.ts";

export class Locals {
  /** All of them, by number; those of blocks that are over included. */
  readonly all: Local[] = [];
  /** Innermost last. */
  private readonly blocks: Map<string, Local>[] = [new Map()];

  enter(): void {
    this.blocks.push(new Map());
  }
  leave(): void {
    this.blocks.pop();
  }
  find(name: string): Local | undefined {
    return this.blocks.findLast((block) => block.has(name))?.get(name);
  }
  /** Whether this block has one of that name already. */
  isTaken(name: string): boolean {
    return this.blocks.at(-1)?.has(name) ?? false;
  }
  declare(name: string, type: Type, at: Span, options: { isTyped?: boolean; owns?: boolean } = {}): Local {
    return this.add(name, type, at, options, this.blocks.length - 1);
  }
  /** One that an assignment makes: it is there in the whole function from then on. */
  assign(name: string, type: Type, at: Span): Local {
    return this.find(name) ?? this.add(name, type, at, {}, 0);
  }
  names(): string[] {
    return this.blocks.flatMap((block) => [...block.keys()]).filter((name) => !name.startsWith("$"));
  }
  private add(
    name: string,
    type: Type,
    at: Span,
    { isTyped = false, owns = false }: { isTyped?: boolean; owns?: boolean },
    block: number,
  ): Local {
    const local: Local = { index: this.all.length, name, type, isTyped, at, owns };
    this.all.push(local);
    this.blocks[block]?.set(name, local);
    return local;
  }
}
