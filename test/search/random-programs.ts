/**
 * Small random programs for the searches to agree about. Each is one race of two or three CPUs on a handful of shared
 * words, locks and objects, put together from roles: pieces of code that go wrong in some order, or nearly.
 */
import { SourceText } from "../../grammar/span.ts";
import type { Program } from "../../interpreter/program.ts";
import type { FunctionBody } from "../../runtime/machine/automaton.ts";
import { storePrivate } from "../../runtime/machine/access.ts";
import { allFunctions, type AnyBody } from "../../runtime/machine/function.ts";
import type { Machine } from "../../runtime/machine/machine.ts";
import { Op, type Callable, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { at, SLOT, WORD, type Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { arenaOf, firstFreeStatic, STATIC_ARENA, typeNumber } from "../../runtime/machine/types.ts";
import { resolveBodies } from "../../runtime/patch.ts";
import { outcome_words, shared_words, thing } from "./random-types.ts";
import { roles, type Role, type RoleMaker } from "./random-roles.ts";
import { do_work } from "./random-waits.ts";

/** mulberry32: the same numbers for the same seed. */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  /** 0 <= result < n */
  below(n: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

/** A function of one program only: it has a number and a body, but no place in the table of all functions. */
export interface LocalFunction {
  (...args: readonly Value[]): Kernel<Value>;
  restart(...args: readonly Value[]): Kernel<Value>;
  readonly id: number;
}
export class LocalFunctions {
  readonly bodies = new Map<number, FunctionBody>();
  private next = allFunctions().length + 1;

  add(name: string, body: (...args: never[]) => Kernel<Value>, script = false): LocalFunction {
    const id = this.next++;
    const target: Callable = { id, name };
    const call = function* (...args: readonly Value[]): Kernel<Value> {
      return (yield { op: Op.call, fn: target, args }) as Value;
    };
    const restart = function* (...args: readonly Value[]): Kernel<Value> {
      return (yield { op: Op.tailCall, fn: target, args }) as Value;
    };
    this.bodies.set(id, { name, body: body as AnyBody, script });
    return Object.defineProperties(call, {
      id: { value: id },
      restart: { value: restart },
    }) as unknown as LocalFunction;
  }
}

/** What roles act on. */
export interface Scene {
  readonly shared: shared_words;
  readonly object: thing;
  readonly functions: LocalFunctions;
  readonly random: Random;
  /** Readers and writers agree about the domain: RCU or SRCU. */
  readonly srcuSide: boolean;
}
export interface RandomProgram {
  readonly program: Program;
  readonly scene: Scene;
  readonly cpus: readonly number[];
  /** What each CPU does, for reading when something disagrees. */
  readonly text: string;
}

const NOWHERE = { start: 0, end: 0 };
const CPUS_MAX = 3;
const NOBODY = 15; // an actor that has nothing to do

export function randomProgram(seed: number): RandomProgram {
  const random = new Random(seed);
  const functions = new LocalFunctions();
  const place = <S extends Struct>(cls: StructClass<S>, n: number): S =>
    at(cls, STATIC_ARENA + (firstFreeStatic() + n) * SLOT + WORD);
  const outcome = place(outcome_words, 1);
  const object = at(thing, arenaOf(NOBODY) + WORD); // allocated like any other, so that it can leak
  const scene: Scene = { shared: place(shared_words, 0), object, functions, random, srcuSide: random.chance(40) };
  const parts = deal(scene);
  const programs = parts.map((mine, cpu) => {
    const calls = mine.map((role) => functions.add(role.name, role.body));
    const body = function* (): Kernel<void> {
      for (const [i, call] of calls.entries()) {
        const value = yield* call();
        if (typeof value === "number") yield* storePrivate(outcome.values.at(cpu * 2 + i), value);
      }
    };
    const { id } = functions.add(`cpu${cpu}`, body, true);
    return { cpu, code: { fn: id, places: [NOWHERE], statements: [0] }, resumes: false };
  });
  const startsWithObject = random.chance(80);
  const setUp = (machine: Machine): void => {
    for (const object of [scene.shared, scene.object, outcome])
      machine.makeStatic(object.addr, typeNumber(object.constructor as StructClass));
    prepare(machine, scene, startsWithObject);
  };
  const number = (_: Machine, word: number): string => String(word);
  const words = [scene.shared.x, scene.shared.y, ...[0, 1, 2, 3, 4, 5].map((i) => outcome.values.at(i))];
  const source = new SourceText("random.hmm", "");
  const program: Program = {
    name: `random ${seed}`,
    source,
    kernel: { era: "v5.2", patches: [] },
    items: [{ kind: "race", programs, at: NOWHERE, from: source }],
    invariants: [],
    barriers: 0,
    outcomeWords: words.map((word, i) => ({ name: `word${i}`, addr: word.addr, show: number })),
    cpus: parts.length,
    machine: { bodies: new Map([...resolveBodies("v5.2", []).bodies, ...functions.bodies]) },
    setUp,
  };
  const text = parts.map((mine, cpu) => `cpu${cpu}: ${mine.map((role) => role.text).join(" | ")}`).join("\n");
  return { program, scene, cpus: parts.map((_, cpu) => cpu), text };
}

/** Who plays what: one piece, its roles dealt out in turn, and now and then a role of another piece on top. */
function deal(scene: Scene): Role[][] {
  const { random } = scene;
  const cpus = random.chance(40) ? CPUS_MAX : 2;
  const [piece, other] = [random.pick(roles), random.pick(roles)];
  const first = random.below(piece.length);
  const parts: Role[][] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    const inTurn = piece[(first + cpu) % piece.length] as RoleMaker;
    const mine = [(random.chance(75) ? inTurn : random.pick(piece))(scene)];
    // Three CPUs with two roles each are often too many states for a naive enumerator.
    if (random.chance(cpus === 2 ? 60 : 20)) mine.push(random.pick(random.chance(60) ? piece : other)(scene));
    parts.push(mine);
  }
  return parts;
}

function prepare(machine: Machine, { shared, object }: Scene, withObject: boolean): void {
  const { memory } = machine;
  const put = (word: { addr: number }, value: number): void => memory.set(memory.wordAt(word.addr), value);
  const empty = (list: { next: { addr: number }; prev: { addr: number }; addr: number }): void => {
    put(list.next, list.addr);
    put(list.prev, list.addr);
  };
  empty(shared.list);
  empty(shared.node);
  put(object.ref, 1);
  put(shared.work.func, do_work.id);
  if (withObject) put(shared.ptr, object.addr);
}
