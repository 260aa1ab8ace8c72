/** A process with notifiers that write down what they hear, in any era. */
import * as assert from "uvu/assert";
import { load, loadPrivate, store } from "../../runtime/machine/access.ts";
import { existsIn, type Era } from "../../runtime/machine/era.ts";
import { kernelFunction, type KernelFunction } from "../../runtime/machine/function.ts";
import { LIST_POISON2 } from "../../runtime/machine/list.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { rcu } from "../../runtime/machine/rcu.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { container_of, embed, int, Struct, WORD } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { srcu } from "../../runtime/mm/mmu_notifier_hlist.ts";
import { mmu_notifier_register } from "../../runtime/mm/mmu_notifier_register.ts";
import {
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_range_init,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { World } from "./world.ts";

class diary extends Struct {
  /** Two digits for each call: whose notifier, and which callback. */
  text = int();
}
export const seen = staticObject(diary);
class client extends Struct {
  mn = embed(mmu_notifier);
  id = int();
  /** What its invalidate_range_start() answers. */
  answer = int();
}
type Callback = KernelFunction<[mmu_notifier], Value>;
/** What callbacks are given is not looked at: it differs from era to era. */
const noting = (name: string, digit: number): Callback =>
  kernelFunction(
    name,
    function* (mn: mmu_notifier): Kernel<Value> {
      const mine = container_of(mn, client, "mn");
      const text = yield* load(seen.text);
      yield* store(seen.text, text * 100 + (yield* loadPrivate(mine.id)) * 10 + digit);
      return yield* loadPrivate(mine.answer);
    },
    { params: ["mn"] },
  );
const noteStart = noting("noteStart", 1);
const noteEnd = noting("noteEnd", 2);
const noteFlush = noting("noteFlush", 3);
const noteRelease = noting("noteRelease", 4);

type Parts = "start" | "end" | "flush";
const EVERYTHING: readonly Parts[] = ["start", "end", "flush"];

/** A process, and notifiers that are numbered as they come. */
export class Scene extends World {
  readonly clients: client[] = [];
  constructor(era: Era, mutations: readonly Mutation[] = [], patches: readonly string[] = []) {
    super(patches, mutations, era);
  }
  make(parts = EVERYTHING, answer = 0): mmu_notifier {
    const ops = this.object(mmu_notifier_ops);
    this.poke(ops.release, noteRelease.id);
    if (parts.includes("start")) this.poke(ops.invalidate_range_start, noteStart.id);
    if (parts.includes("end")) this.poke(ops.invalidate_range_end, noteEnd.id);
    if (parts.includes("flush") && this.hasFlush) this.poke(ops.invalidate_range, noteFlush.id);
    const one = this.object(client);
    this.clients.push(one);
    this.poke(one.id, this.clients.length);
    this.poke(one.answer, answer);
    this.poke(one.mn.ops, ops.addr);
    return one.mn;
  }
  private get hasFlush(): boolean {
    const era = this.machine.era ?? "";
    return [{ until: "v2.6.27" }, { since: "v4.19" }].some((life) => existsIn(life, era));
  }
  register(parts = EVERYTHING, answer = 0): mmu_notifier {
    const mn = this.make(parts, answer);
    assert.is(this.run(mmu_notifier_register, mn, this.mm), 0);
    return mn;
  }
  get range(): mmu_notifier_range {
    return mmu_notifier_range_init("MMU_NOTIFY_CLEAR", this.mm, 0, 0x1000);
  }
  get told(): number {
    return this.peek(seen.text);
  }
  get references(): number {
    return this.peek(this.mm.mm_count);
  }
  /** What an actor reads inside of. */
  reads(actor: number): "rcu" | "srcu" | "nothing" {
    const depth = (nesting: { addr: number }): number => this.peek({ addr: nesting.addr + actor * WORD });
    return depth(rcu.nesting) > 0 ? "rcu" : depth(srcu.nesting) > 0 ? "srcu" : "nothing";
  }
  isLinked(mn: mmu_notifier): boolean {
    const pprev = this.peek(mn.hlist.pprev);
    return pprev !== 0 && pprev !== LIST_POISON2;
  }
  /** Whether an actor that goes on alone gets to its end. */
  waits(actor: number): boolean {
    try {
      this.finish(actor);
      return false;
    } catch (error) {
      if (!/is blocked/.test(String(error))) throw error;
      return true;
    }
  }
}
export const atDraft = (era: Era): boolean => era === "mmu-notifier-v3";
