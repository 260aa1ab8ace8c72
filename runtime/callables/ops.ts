/** Tables of callbacks that a driver fills: what the kernel hands to each, and what it expects back. */
import { returnsBoolean, returnsNothing, returnsNumber, returnsObject, type ResultKind } from "../callable.ts";
import { existsIn, type Life } from "../machine/era.ts";
import type { StructClass } from "../machine/struct.ts";
import { hmm_mirror, hmm_mirror_ops } from "../mm/hmm_types.ts";
import { mm_struct } from "../mm/mm_types.ts";
import { mm_walk, mm_walk_ops } from "../mm/pagewalk_types.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
} from "../mm/mmu_notifier_types.ts";

/** A parameter of a callback: an object, a number, or a tuple with fields that have names. */
export type CallbackParam = { readonly name: string } & (
  | { readonly kind: "object"; readonly type: () => StructClass }
  | { readonly kind: "number" }
  | { readonly kind: "boolean" }
  /** The address of a word. */
  | { readonly kind: "word" }
  | { readonly kind: "record"; readonly struct: string; readonly fields: readonly RecordField[] }
);
/** Fields stand in the tuple in this order. */
export interface RecordField {
  readonly name: string;
  readonly kind: "number" | "boolean" | "event" | (() => StructClass);
  /** First era that has it. */
  readonly since?: string;
}
/** In the eras that have it so. */
export interface CallbackSignature extends Life {
  /** Only with this patch. */
  readonly patch?: string;
  readonly params: readonly CallbackParam[];
  readonly result: ResultKind;
}

const object = (name: string, type: () => StructClass): CallbackParam => ({ name, kind: "object", type });
const number = (name: string): CallbackParam => ({ name, kind: "number" });
const truth = (name: string): CallbackParam => ({ name, kind: "boolean" });

const word = (name: string): CallbackParam => ({ name, kind: "word" });

/** struct mmu_notifier_range, as mmu_notifier_range_init() makes it. */
const range: CallbackParam = {
  name: "range",
  kind: "record",
  struct: "mmu_notifier_range",
  fields: [
    { name: "mm", kind: () => mm_struct },
    { name: "start", kind: "number" },
    { name: "end", kind: "number" },
    { name: "event", kind: "event", since: "v5.2" },
    { name: "blockable", kind: "boolean" },
  ],
};
const update: CallbackParam = {
  name: "update",
  kind: "record",
  struct: "hmm_update",
  fields: [
    { name: "start", kind: "number" },
    { name: "end", kind: "number" },
    { name: "event", kind: "event" },
    { name: "blockable", kind: "boolean" },
  ],
};
const sub = object("sub", () => mmu_interval_notifier);
const mn = object("mn", () => mmu_notifier);
const mm = object("mm", () => mm_struct);
const mirror = object("mirror", () => hmm_mirror);
/** What callbacks were given before there was a struct mmu_notifier_range, and some still are. */
const OVER = [mn, mm, number("start"), number("end")];

const walk = object("walk", () => mm_walk);
const WALKED = [number("addr"), number("next"), walk];

/** By name; several, of which each era has one at most. */
type Table = Readonly<Record<string, CallbackSignature | readonly CallbackSignature[]>>;

interface CallbackTable extends Life {
  readonly cls: () => StructClass;
  readonly callbacks: Table;
}
/** The callbacks of a table in an era. */
export function callbacksIn({ callbacks }: CallbackTable, era: string): Readonly<Record<string, CallbackSignature>> {
  const there: Record<string, CallbackSignature> = {};
  for (const [name, known] of Object.entries(callbacks))
    for (const one of [known].flat() as CallbackSignature[]) if (existsIn(one, era)) there[name] = one;
  return there;
}
/** By type of table and name of callback. */
export const callbackTables: Readonly<Record<string, CallbackTable>> = {
  mmu_notifier_ops: {
    cls: () => mmu_notifier_ops,
    callbacks: {
      release: { params: [mn, mm], result: returnsNothing },
      invalidate_range_start: [
        { params: OVER, result: returnsNothing, since: "v2.6.27", until: "v4.19" },
        { params: [...OVER, truth("blockable")], result: returnsNumber, since: "v4.19", until: "v5.1" },
        { params: [mn, range], result: returnsNumber, since: "v5.1" },
      ],
      invalidate_range_end: [
        { params: OVER, result: returnsNothing, until: "v5.1" },
        { params: [mn, range], result: returnsNothing, since: "v5.1" },
      ],
      invalidate_range: [
        { params: OVER, result: returnsNothing, until: "v2.6.27" },
        { params: OVER, result: returnsNothing, since: "v4.19" },
      ],
      invalidate_page: {
        params: [mn, mm, number("address")],
        result: returnsNothing,
        since: "v2.6.27",
        until: "v4.19",
      },
      change_pte: { params: [mn, mm, number("address"), number("pte")], result: returnsNothing, since: "v3.6" },
      clear_flush_young: [
        { params: [mn, mm, number("address")], result: returnsBoolean, since: "v2.6.27", until: "v4.19" },
        { params: OVER, result: returnsBoolean, since: "v4.19" },
      ],
      clear_young: { params: OVER, result: returnsBoolean, since: "v4.19" },
      test_young: { params: [mn, mm, number("address")], result: returnsBoolean, since: "v3.6" },
      alloc_notifier: { params: [mm], result: returnsObject(() => mmu_notifier), since: "v5.4" },
      free_notifier: { params: [mn], result: returnsNothing, since: "v5.4" },
      invalidate_all: { params: [mn, mm], result: returnsNothing, until: "v2.6.27" },
      invalidate_range_begin: { params: OVER, result: returnsNothing, until: "v2.6.27" },
    },
  },
  mmu_interval_notifier_ops: {
    cls: () => mmu_interval_notifier_ops,
    since: "v5.5",
    callbacks: {
      invalidate: { params: [sub, range, number("cur_seq")], result: returnsBoolean },
      release: { params: [sub], result: returnsNothing, patch: "interval-updates-safe" },
    },
  },
  hmm_mirror_ops: {
    cls: () => hmm_mirror_ops,
    since: "v5.2",
    until: "v5.3",
    callbacks: {
      release: { params: [mirror], result: returnsNothing },
      sync_cpu_device_pagetables: { params: [mirror, update], result: returnsNumber },
    },
  },
  mm_walk_ops: {
    cls: () => mm_walk_ops,
    since: "v5.6",
    callbacks: {
      pgd_entry: { params: [word("pgd"), ...WALKED], result: returnsNumber },
      p4d_entry: { params: [word("p4d"), ...WALKED], result: returnsNumber },
      pud_entry: { params: [number("pud"), word("pudp"), ...WALKED], result: returnsNumber },
      pmd_entry: { params: [word("pmd"), ...WALKED], result: returnsNumber },
      pte_entry: { params: [word("pte"), ...WALKED], result: returnsNumber },
      pte_hole: { params: [number("addr"), number("next"), number("depth"), walk], result: returnsNumber },
      test_walk: { params: WALKED, result: returnsNumber },
      pre_vma: { params: [number("start"), number("end"), walk], result: returnsNumber },
      post_vma: { params: [walk], result: returnsNothing },
    },
  },
};
