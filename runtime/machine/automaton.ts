/**
 * Kernel functions unrolled lazily into automata.
 *
 * A node is a place in a body: the body, its arguments and the results it was handed so far. The generator runs only
 * when an edge is walked for the first time; afterwards a step of a CPU is a look-up. A local state is a stack of
 * nodes, interned into one small integer: (caller's local state, node). Integers are private to this object; what is
 * hashed is the content key beside them.
 */
import { combine, keyOfNumber, keyOfText, type Key } from "./hash.ts";
import { Op, type Call, type Request, type Step, type Value } from "./step.ts";
import { headerAddress, Ref, SLOT, Special, Struct } from "./struct.ts";
import { ALWAYS_LIVE, type Memory } from "./memory.ts";
import { ModelFault } from "./fault.ts";
import type { AnyBody, FunctionInfo } from "./function.ts";
import type { Frame } from "./report.ts";
import { mutated, type Mutation } from "./mutation.ts";

/** The local state of a CPU that has nothing to do. */
export const FINISHED = 0;
/** No local state: the statements of a script go round for ever without a step. */
export const GONE_ROUND = -1;
/** No local state either: more calls inside one another than a kernel stack holds. */
export const TOO_DEEP = -2;
/** Calls, returns and tail calls in a row without a step, after which a body is taken for endless. */
const SILENT_MAX = 300_000;
/** How many calls can be under way on one CPU. The kernel's own go thirty deep; recursion of a script ends here. */
export const STACK_MAX = 100;

export interface FunctionBody {
  readonly name: string;
  readonly body: AnyBody;
  /** Under which name its steps are described. */
  readonly facts?: string;
  readonly info?: FunctionInfo;
  /** The statements of a CPU rather than a function of the kernel. */
  readonly script?: boolean;
  /** A function of the script: its first argument is no parameter but says where in it a CPU stands. */
  readonly own?: boolean;
}

interface Root {
  readonly fn: number;
  readonly args: readonly Value[];
}
interface Node {
  readonly id: number;
  readonly root: Root;
  readonly parent: Node | null;
  /** What the parent's step gave: as the body saw it. */
  readonly via: unknown;
  /** Null: the body returned `value`. */
  readonly request: Request | null;
  readonly value: Value;
  readonly key: Key;
  readonly depth: number;
  readonly edges: Map<number | string, Node>;
  /** Slots of objects that its arguments and results point into: they must not be handed out again. */
  readonly mentions: readonly number[];
}

/** What a transition passed through between two steps. */
export type ControlEvent =
  | { readonly kind: "call" | "tailCall"; readonly fn: number; readonly args: readonly Value[]; readonly fact?: string }
  | { readonly kind: "return"; readonly fn: number; readonly value: Value }
  /** Not between two steps but one that is none for others: memory was allocated. */
  | { readonly kind: "allocate"; readonly addr: number; readonly step: Step };

export class Automaton {
  private readonly nodes: Node[] = [];
  private readonly roots = new Map<string, Node>();
  private readonly parked = new Map<Node, Generator<Request, unknown, unknown>>();
  // Local states, column by column; 0 is FINISHED.
  private readonly localParent: number[] = [-1];
  private readonly localNode: (Node | null)[] = [null];
  private readonly localIndex = new Map<number, number>();
  private readonly localDepth: number[] = [0];
  /** The local state from which a call went too deep, the last time one did. */
  deepest = FINISHED;
  localOp = new Int32Array(256).fill(-1);
  localWord = new Int32Array(256);
  localHeader = new Int32Array(256);
  localA = new Float64Array(256);
  localB = new Float64Array(256);
  localChoices = new Int32Array(256);
  /** 1: an actor waits there for its word to become non-zero. */
  localIdle = new Uint8Array(256);
  localLo = new Int32Array(256);
  localHi = new Int32Array(256);
  // (local state, result) -> local state
  private slotLocal = new Int32Array(1024).fill(-1);
  private slotResult = new Float64Array(1024);
  private slotTo = new Int32Array(1024);
  private slotsUsed = 0;

  private readonly memory: Memory;
  private readonly bodies: ReadonlyMap<number, FunctionBody>;
  private readonly mutations: readonly Mutation[];

  constructor(memory: Memory, bodies: ReadonlyMap<number, FunctionBody>, mutations: readonly Mutation[]) {
    this.memory = memory;
    this.bodies = bodies;
    this.mutations = mutations;
  }

  functionName(fn: number): string {
    return this.bodies.get(fn)?.name ?? `function ${fn}`;
  }

  /** Under which name the steps of a function's body are described; "" if they are not. */
  factsOf(fn: number): string {
    return this.bodies.get(fn)?.facts ?? "";
  }
  isScript(fn: number): boolean {
    return this.bodies.get(fn)?.script ?? false;
  }
  infoOf(fn: number): FunctionInfo {
    return this.bodies.get(fn)?.info ?? {};
  }
  /** The arguments of a call as its caller gave them. */
  givenArgs(fn: number, args: readonly Value[]): readonly Value[] {
    return this.bodies.get(fn)?.own === true ? args.slice(1) : args;
  }

  /** The local state at the first step of a call of `fn`, run on an empty stack. */
  start(fn: number, args: readonly Value[], events?: ControlEvent[]): number {
    events?.push({ kind: "call", fn, args });
    return this.settle(FINISHED, this.root(fn, args), events);
  }

  /** The local state at a call of `fn` that has itself begun with a call: `local` is what it is in the middle of. */
  startUnder(local: number, fn: number, args: readonly Value[]): number {
    const base = this.intern(FINISHED, this.root(fn, args));
    const onto = (l: number): number =>
      l === FINISHED ? base : this.intern(onto(this.localParent[l] as number), this.localNode[l] as Node);
    return onto(local);
  }

  /** Where a CPU in `local` stands after its step gave `result`. The only look-up on the hot path. */
  next(local: number, result: number): number {
    const mask = this.slotLocal.length - 1;
    let i = (Math.imul(local, 0x9e3779b1) ^ Math.imul(result, 0x85ebca6b)) >>> 7;
    for (;;) {
      i &= mask;
      const found = this.slotLocal[i] as number;
      if (found === local && this.slotResult[i] === result) return this.slotTo[i] as number;
      if (found === -1) return this.addTransition(local, result);
      i++;
    }
  }
  private addTransition(local: number, result: number): number {
    const to = this.follow(local, result);
    if (++this.slotsUsed * 2 > this.slotLocal.length) this.growTransitions();
    this.insertTransition(local, result, to);
    return to;
  }
  private insertTransition(local: number, result: number, to: number): void {
    const mask = this.slotLocal.length - 1;
    let i = ((Math.imul(local, 0x9e3779b1) ^ Math.imul(result, 0x85ebca6b)) >>> 7) & mask;
    while (this.slotLocal[i] !== -1) i = (i + 1) & mask;
    this.slotLocal[i] = local;
    this.slotResult[i] = result;
    this.slotTo[i] = to;
  }
  private growTransitions(): void {
    const { slotLocal, slotResult, slotTo } = this;
    this.slotLocal = new Int32Array(slotLocal.length * 2).fill(-1);
    this.slotResult = new Float64Array(slotLocal.length * 2);
    this.slotTo = new Int32Array(slotLocal.length * 2);
    for (let i = 0; i < slotLocal.length; i++)
      if (slotLocal[i] !== -1)
        this.insertTransition(slotLocal[i] as number, slotResult[i] as number, slotTo[i] as number);
  }

  /** As `next`, and says which calls and returns lie in between. */
  follow(local: number, result: number, events?: ControlEvent[]): number {
    const node = this.localNode[local] as Node;
    const step = node.request as Step;
    return this.settle(this.localParent[local] as number, this.edge(node, result, step.decode(result)), events);
  }

  private settle(parent: number, node: Node, events?: ControlEvent[]): number {
    for (let turns = 0; ; turns++) {
      if (turns > SILENT_MAX) {
        const body = this.bodies.get(node.root.fn);
        if (body?.script === true || body?.own === true) return GONE_ROUND;
        throw new ModelFault(`${this.functionName(node.root.fn)} goes round without taking a step`);
      }
      const { request } = node;
      if (request === null) {
        events?.push({ kind: "return", fn: node.root.fn, value: node.value });
        if (parent === FINISHED) return FINISHED;
        const caller = this.localNode[parent] as Node;
        parent = this.localParent[parent] as number;
        node = this.edge(caller, valueKey(node.value), node.value);
      } else if (request.op === Op.call || request.op === Op.tailCall) {
        const { fn, args, fact } = request as Call;
        const kind = request.op === Op.call ? "call" : "tailCall";
        events?.push({ kind, fn: fn.id, args, ...(fact === undefined ? {} : { fact }) });
        if (request.op === Op.call) parent = this.intern(parent, node);
        if ((this.localDepth[parent] as number) > STACK_MAX) {
          this.deepest = parent;
          return TOO_DEEP;
        }
        node = this.root(fn.id, args);
      } else return this.intern(parent, node);
    }
  }

  private root(fn: number, args: readonly Value[]): Node {
    const key = `${fn}(${args.map(valueKey).join(",")})`;
    let node = this.roots.get(key);
    if (node === undefined) {
      const root = { fn, args };
      const generator = this.generate(root);
      const content = keyOfText(`${this.functionName(fn)}/${key}`);
      node = this.addNode(null, undefined, root, generator, generator.next(), content, args);
      this.roots.set(key, node);
    }
    return node;
  }
  private generate(root: Root): Generator<Request, unknown, unknown> {
    const entry = this.bodies.get(root.fn);
    if (entry === undefined) throw new ModelFault(`kernel function ${root.fn} has no body in this kernel`);
    const make = () => entry.body(...(root.args as never[])) as Generator<Request, unknown, unknown>;
    return mutated(entry.name, make, this.mutations, (fn) => this.functionName(fn));
  }
  private edge(node: Node, key: number | string, value: unknown): Node {
    let to = node.edges.get(key);
    if (to === undefined) {
      const generator = this.generatorAt(node);
      const content = combine(node.key, typeof key === "number" ? keyOfNumber(key) : keyOfText(key));
      to = this.addNode(node, value, node.root, generator, generator.next(value), content, [value as Value]);
      node.edges.set(key, to);
    }
    return to;
  }
  private addNode(
    parent: Node | null,
    via: unknown,
    root: Root,
    generator: Generator<Request, unknown, unknown>,
    item: IteratorResult<Request, unknown>,
    key: Key,
    learnt: readonly Value[],
  ): Node {
    const node: Node = {
      id: this.nodes.length,
      root,
      parent,
      via,
      request: item.done === true ? null : item.value,
      value: item.done === true ? (item.value as Value) : undefined,
      key,
      depth: parent === null ? 0 : parent.depth + 1,
      edges: new Map(),
      mentions: withMentions(parent?.mentions ?? [], learnt),
    };
    this.nodes.push(node);
    if (item.done !== true) this.parked.set(node, generator);
    return node;
  }
  /** A generator that stands exactly at `node`: the parked one, or a fresh one fed the same results again. */
  private generatorAt(node: Node): Generator<Request, unknown, unknown> {
    const parked = this.parked.get(node);
    if (parked !== undefined) {
      this.parked.delete(node);
      return parked;
    }
    return this.replay(node).generator;
  }
  private replay(node: Node): {
    generator: Generator<Request, unknown, unknown>;
    requests: Request[];
    item: IteratorResult<Request, unknown>;
  } {
    const path: Node[] = [];
    for (let n: Node = node; n.parent !== null; n = n.parent) path.push(n);
    const generator = this.generate(node.root);
    const requests: Request[] = [];
    let item = generator.next();
    if (item.done !== true) requests.push(item.value);
    for (let n = path.pop(); n !== undefined; n = path.pop()) {
      item = generator.next(n.via);
      if (item.done !== true) requests.push(item.value);
    }
    return { generator, requests, item };
  }

  private intern(parent: number, node: Node): number {
    const key = parent * 2 ** 22 + node.id;
    let local = this.localIndex.get(key);
    if (local === undefined) {
      local = this.localParent.push(parent) - 1;
      this.localNode.push(node);
      this.localDepth.push((this.localDepth[parent] as number) + 1);
      this.localIndex.set(key, local);
      if (local >= this.localOp.length) this.growLocals();
      const { request } = node;
      const step = request as Step;
      const isStep = request !== null && request.op !== Op.call && request.op !== Op.tailCall;
      const word = isStep && touchesWord(step) ? this.memory.wordAt(step.addr) : 0;
      this.localOp[local] = isStep ? step.op : -1;
      this.localWord[local] = word;
      this.localHeader[local] = word === 0 ? ALWAYS_LIVE : (this.memory.headers[word] as number);
      this.localA[local] = isStep ? step.a : 0;
      this.localB[local] = isStep ? step.b : 0;
      this.localChoices[local] = isStep ? step.choices : 1;
      this.localIdle[local] = isStep && step.primitive?.idle === true ? 1 : 0;
      const content = combine(node.key, {
        lo: parent === FINISHED ? 0 : (this.localLo[parent] as number),
        hi: parent === FINISHED ? 0 : (this.localHi[parent] as number),
      });
      this.localLo[local] = content.lo;
      this.localHi[local] = content.hi;
    }
    return local;
  }
  private growLocals(): void {
    const size = this.localOp.length * 2;
    const grown = <A extends Int32Array | Float64Array | Uint8Array>(to: A, from: A): A => {
      to.set(from);
      return to;
    };
    this.localOp = grown(new Int32Array(size).fill(-1), this.localOp);
    this.localWord = grown(new Int32Array(size), this.localWord);
    this.localHeader = grown(new Int32Array(size), this.localHeader);
    this.localA = grown(new Float64Array(size), this.localA);
    this.localB = grown(new Float64Array(size), this.localB);
    this.localChoices = grown(new Int32Array(size), this.localChoices);
    this.localIdle = grown(new Uint8Array(size), this.localIdle);
    this.localLo = grown(new Int32Array(size), this.localLo);
    this.localHi = grown(new Int32Array(size), this.localHi);
  }

  /** The step a CPU in `local` takes next. */
  stepOf(local: number): Step {
    return (this.localNode[local] as Node).request as Step;
  }
  /** The same, or nothing where it is in the middle of a call. */
  stepAt(local: number): Step | undefined {
    const request = (this.localNode[local] as Node).request;
    return request === null || request.op === Op.call || request.op === Op.tailCall ? undefined : (request as Step);
  }
  /** The functions on the stack, innermost first, with their arguments. */
  stack(local: number): Frame[] {
    const frames: Frame[] = [];
    for (let l = local; l > FINISHED; l = this.localParent[l] as number) {
      const { fn, args } = (this.localNode[l] as Node).root;
      const script = this.isScript(fn);
      const hidden = script || (this.infoOf(fn).internal ?? false);
      const given = script ? args : this.givenArgs(fn, args);
      frames.push({ fn, name: this.functionName(fn), args: given, at: args[0], hidden, script });
    }
    return frames;
  }
  /** The calls that led there as they were made, innermost first: a body that went round has other arguments since. */
  calls(local: number): Root[] {
    const calls: Root[] = [];
    for (let l = this.localParent[local] as number; l > FINISHED; l = this.localParent[l] as number) {
      const { fn, args } = (this.localNode[l] as Node).request as Call;
      calls.push({ fn: fn.id, args: this.givenArgs(fn.id, args) });
    }
    return calls;
  }
  innermost(local: number): number {
    return (this.localNode[local] as Node).root.fn;
  }
  /** Whether a frame of the stack remembers a pointer into one of these slots. */
  mentions(local: number, slot: number): boolean {
    for (let l = local; l > FINISHED; l = this.localParent[l] as number)
      if ((this.localNode[l] as Node).mentions.includes(slot)) return true;
    return false;
  }

  /** How far the model has been unrolled: nodes per function, and the longest frame of each. */
  statistics(): { nodes: number; locals: number; byFunction: Map<string, { nodes: number; deepest: number }> } {
    const byFunction = new Map<string, { nodes: number; deepest: number }>();
    for (const node of this.nodes) {
      const name = this.functionName(node.root.fn);
      const entry = byFunction.get(name) ?? { nodes: 0, deepest: 0 };
      byFunction.set(name, { nodes: entry.nodes + 1, deepest: Math.max(entry.deepest, node.depth) });
    }
    return { nodes: this.nodes.length, locals: this.localNode.length - 1, byFunction };
  }

  /** Runs every body again along every path walked so far; names the first that does not do the same again. */
  impureFunction(): string | null {
    for (const node of this.nodes) {
      const { requests, item } = this.replay(node);
      if (item.done === true && node.request === null && valueKey(item.value as Value) !== valueKey(node.value))
        return this.functionName(node.root.fn);
      let n: Node | null = node.request === null ? node.parent : node;
      for (let i = requests.length - 1; n !== null; i--, n = n.parent)
        if (!sameRequest(requests[i], n.request)) return this.functionName(node.root.fn);
    }
    return null;
  }
}

/** Address 0 is NULL's first member, except to a primitive: there it says that there is no word. */
function touchesWord({ op, addr }: Step): boolean {
  if (op === Op.primitive || op === Op.silentPrimitive) return addr !== 0;
  return op !== Op.allocate && op !== Op.free && op !== Op.choose;
}

function sameRequest(a: Request | undefined, b: Request | null): boolean {
  if (a === undefined || b === null || a.op !== b.op) return false;
  if (a.op === Op.call || a.op === Op.tailCall) {
    const [x, y] = [a as Call, b as Call];
    return x.fn.id === y.fn.id && x.args.map(valueKey).join() === y.args.map(valueKey).join();
  }
  const [x, y] = [a as Step, b as Step];
  return x.addr === y.addr && x.a === y.a && x.b === y.b && x.args.join() === y.args.join();
}

/** Equal values have equal keys, others do not. */
function valueKey(value: Value): string | number {
  if (typeof value === "number") return value;
  if (value === null || value === undefined) return String(value);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Struct) return `${value.constructor.name}@${value.addr}`;
  if (value instanceof Ref || value instanceof Special) return `&${value.constructor.name}@${value.addr}`;
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(valueKey).join(",")}]`;
  if (typeof value === "function" || "id" in value) return `fn${(value as { id: number }).id}`;
  return `&${(value as { addr: number }).addr}`;
}

function withMentions(known: readonly number[], learnt: readonly Value[]): readonly number[] {
  const fresh = learnt.flatMap(slotsIn).filter((slot) => !known.includes(slot));
  return fresh.length === 0 ? known : [...known, ...fresh];
}
function slotsIn(value: Value): number[] {
  if (Array.isArray(value)) return (value as readonly Value[]).flatMap(slotsIn);
  const addr =
    typeof value === "number" ? value : typeof value === "object" && value !== null && "addr" in value ? value.addr : 0;
  return addr >= 2 ** 52 ? [headerAddress(addr) / SLOT] : [];
}
