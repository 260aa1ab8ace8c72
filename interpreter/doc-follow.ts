/**
 * Follows a body from one request to the next in one made-up situation, handing it results that somebody else chooses.
 * Helpers of ours are followed into; calls of kernel functions are where it stops, as at steps.
 */
import type { FunctionBody } from "../runtime/machine/automaton.ts";
import { functionById } from "../runtime/machine/function.ts";
import { Op, type Call, type Callable, type Request, type Step, type Value } from "../runtime/machine/step.ts";
import { World, type Known } from "./doc-world.ts";

/** What a body waits for, or that it is over. */
export type Stop =
  | { readonly kind: "step"; readonly step: Step }
  | { readonly kind: "call"; readonly fn: Callable; readonly args: readonly Value[]; readonly tail: boolean }
  | { readonly kind: "return"; readonly value: Value }
  /** A body begins that something will come back to, as often as it takes: its arguments are variables. */
  | { readonly kind: "loop"; readonly fn: number; readonly args: readonly Value[]; readonly tail: boolean }
  /** Round again: to where the body of `fn` began, with these arguments. */
  | { readonly kind: "again"; readonly fn: number; readonly args: readonly Value[]; readonly before: readonly Value[] }
  /** The body cannot go on in this situation: it never happens, or the kernel would have crashed. */
  | { readonly kind: "dead"; readonly why: "null" | "fault" };

/** What is followed: bodies, and which arguments of which of them have turned out to be variables of a loop. */
export interface Code {
  readonly bodies: ReadonlyMap<number, FunctionBody>;
  readonly loops: ReadonlyMap<number, unknown>;
  /** Of functions that are not the kernel's, the names of their parameters. */
  readonly params: ReadonlyMap<number, readonly string[]>;
}
export function paramsOf(code: Code, fn: number): readonly string[] {
  return code.params.get(fn) ?? functionById(fn)?.info.params ?? [];
}

/** Of a page-table entry: its value, or which of the kinds of values that there are it may have. */
export interface Held {
  readonly value: number | undefined;
  readonly kinds: readonly number[];
}
type Running = Generator<Request, unknown, unknown>;
interface Frame {
  /** Whose body runs now; the functions it went on to by tail calls, with the arguments they began with. */
  fn: number;
  args: readonly Value[];
  readonly begun: Map<number, readonly Value[]>;
  /** The results it was handed; null where the generator has yet to be brought there. */
  fed: unknown[];
  running: Running | null;
}

const DEPTH_MAX = 12;
const SILENT_MAX = 2000;
/** Below this there are no objects: a member of NULL. */
const FIRST_PAGE = 2 ** 20;

/** One situation, and how far the body has come in it. */
export class Situation {
  readonly world: World;
  /** All that the body has learnt, oldest first. */
  known: Known[];
  /** Locks that it holds, in the order of taking; those it has given up that its caller held. */
  locks: string[];
  given: string[];
  /** By which step each of the known was learnt. */
  readonly sources: Map<string, string>;
  /** Words that only this CPU touches, and what it knows of them: a word of memory, or the value it stood for. */
  readonly own: Map<number, { readonly word: number } | { readonly value: unknown }>;
  /** What it knows of page-table entries that it has locked. */
  readonly entries: Map<number, Held>;
  private readonly frames: Frame[];
  stop: Stop = { kind: "dead", why: "fault" };
  /** What the outermost body was called with. */
  origin: readonly Value[] = [];

  constructor(world: World, known: readonly Known[], from?: Situation) {
    this.world = world;
    this.known = [...known];
    this.locks = [...(from?.locks ?? [])];
    this.given = [...(from?.given ?? [])];
    this.sources = new Map(from?.sources);
    this.own = new Map(from?.own);
    this.entries = new Map(from?.entries);
    this.frames = (from?.frames ?? []).map((frame) => ({
      ...frame,
      begun: new Map(frame.begun),
      fed: [...frame.fed],
      running: null,
    }));
    if (from !== undefined) [this.stop, this.origin] = [from.stop, from.origin];
  }
  copy(): Situation {
    return new Situation(new World(this.world), this.known, this);
  }
  /** The arguments of the innermost body. */
  get args(): readonly Value[] {
    return this.frames.at(-1)?.args ?? [];
  }

  begin(code: Code, fn: number, args: readonly Value[]): void {
    this.origin = args;
    this.guarded(() => {
      this.push(fn, args);
      this.settle(code, this.next(code));
    });
  }
  /** Hands the body a result and goes on to where it stops next. */
  go(code: Code, result: unknown): void {
    this.guarded(() => {
      const { stop } = this;
      if (stop.kind === "loop") {
        if (stop.tail) this.replace(stop.fn, result as readonly Value[]);
        else this.push(stop.fn, result as readonly Value[]);
        this.settle(code, this.next(code));
      } else if (stop.kind === "call" && stop.tail) this.settle(code, { done: true, value: result });
      else this.settle(code, this.next(code, result));
    });
  }
  /** A body is not made for what never happens: what it throws then says just that. */
  private guarded(run: () => void): void {
    try {
      run();
    } catch {
      this.stop = { kind: "dead", why: "fault" };
    }
  }
  private push(fn: number, args: readonly Value[]): void {
    this.frames.push({ fn, args, begun: new Map([[fn, args]]), fed: [], running: null });
  }
  private next(code: Code, ...result: unknown[]): IteratorResult<Request, unknown> {
    const frame = this.frames.at(-1) as Frame;
    if (frame.running === null) {
      frame.running = generate(code, frame);
      let item = frame.running.next();
      for (const fed of frame.fed) item = frame.running.next(fed);
      if (result.length === 0) return item;
    }
    if (result.length === 0) return frame.running.next();
    frame.fed.push(result[0]);
    return frame.running.next(result[0]);
  }

  private settle(code: Code, first: IteratorResult<Request, unknown>): void {
    let item = first;
    for (let turns = 0; turns < SILENT_MAX; turns++) {
      if (item.done === true) {
        this.frames.pop();
        if (this.frames.length === 0) {
          this.stop = { kind: "return", value: item.value as Value };
          return;
        }
        item = this.next(code, item.value);
        continue;
      }
      const request = item.value;
      if (request.op === Op.call || request.op === Op.tailCall) {
        const stopped = this.meetCall(code, request as Call);
        if (stopped !== undefined) {
          this.stop = stopped;
          return;
        }
        item = this.next(code);
      } else {
        const step = request as Step;
        if (touchesNull(step)) this.stop = { kind: "dead", why: "null" };
        else this.stop = neverMeant(step, this.world) ? { kind: "dead", why: "fault" } : { kind: "step", step };
        return;
      }
    }
    this.stop = { kind: "dead", why: "fault" };
  }
  /** Where a call stops the body; undefined if it is followed into. */
  private meetCall({ loops }: Code, { op, fn, args }: Call): Stop | undefined {
    const frame = this.frames.at(-1) as Frame;
    if (op === Op.call) {
      const onStack = this.frames.some((f) => f.begun.has(fn.id));
      if (!isOurs(fn.id) || onStack || this.frames.length >= DEPTH_MAX) return { kind: "call", fn, args, tail: false };
      if (loops.has(fn.id)) return { kind: "loop", fn: fn.id, args, tail: false };
      this.push(fn.id, args);
      return undefined;
    }
    const before = frame.begun.get(fn.id);
    if (before !== undefined) return { kind: "again", fn: fn.id, args, before };
    if (!isOurs(fn.id) && functionById(fn.id)?.name !== functionById(frame.fn)?.name)
      return { kind: "call", fn, args, tail: true };
    if (loops.has(fn.id)) return { kind: "loop", fn: fn.id, args, tail: true };
    this.replace(fn.id, args);
    return undefined;
  }
  private replace(fn: number, args: readonly Value[]): void {
    const frame = this.frames.at(-1) as Frame;
    frame.fn = fn;
    frame.args = args;
    frame.begun.set(fn, args);
    frame.fed = [];
    frame.running = null;
  }
}

/** A helper of ours is a part of whoever calls it. */
function isOurs(fn: number): boolean {
  return functionById(fn)?.info.internal === true;
}
function generate({ bodies }: Code, { fn, args }: Frame): Running {
  const entry = bodies.get(fn);
  if (entry === undefined) throw new Error("no body");
  return entry.body(...(args as never[])) as Running;
}
function touchesNull({ op, addr }: Step): boolean {
  if (op === Op.allocate || op === Op.choose || op === Op.silentPrimitive) return false;
  return addr < FIRST_PAGE;
}
/** Steps on what is no address at all, and the end of a path into what is no page table: nobody writes those in C. */
function neverMeant(step: Step, world: World): boolean {
  if (typeof step.addr !== "number" || Number.isNaN(step.addr) || Number.isNaN(step.a)) return true;
  step.decode(0); // throws for what is no word
  return /\w_offset\(\) of a/.test(step.text(world));
}
