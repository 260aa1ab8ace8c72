/**
 * The search tree and the list of VMAs, node by node: what find_vma() walks is what remove_vma() frees.
 *
 * Differs: the tree is never rebalanced, so it is as deep as the order in which mappings were made. There is no
 * vmacache: every look-up goes through the tree.
 */
import { load, store } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { container_of, NULL, type Pointer } from "../machine/struct.ts";
import { rb_node, vm_area_struct, type mm_struct } from "./mm_types.ts";

const vmaOf = (node: rb_node): vm_area_struct => container_of(node, vm_area_struct, "vm_rb");

export const find_vma = kernelFunction(
  "find_vma",
  function* (mm: mm_struct, addr: number): Kernel<vm_area_struct> {
    const root = yield* load(mm.mm_rb.rb_node);
    return yield* search.restart(addr, root, NULL(vm_area_struct));
  },
  {
    source: "mm/mmap.c",
    facts: "find_vma",
    params: ["mm", "addr"],
    summary: "The first VMA that ends above addr; it may begin above it, too. Needs mmap_sem and mm_users.",
    differs: "No vmacache: every look-up walks the tree. The tree is not balanced.",
  },
);
/** Looks below `node`; `found` is the best so far. */
const search = kernelFunction(
  "find_vma",
  function* (addr: number, node: rb_node, found: vm_area_struct): Kernel<vm_area_struct> {
    if (node.isNull) return found;
    const vma = vmaOf(node);
    if ((yield* load(vma.vm_end)) <= addr) return yield* search.restart(addr, yield* load(node.rb_right), found);
    if ((yield* load(vma.vm_start)) <= addr) return vma;
    return yield* search.restart(addr, yield* load(node.rb_left), vma);
  },
  { source: "mm/mmap.c", params: ["addr", "node", "found"] },
);

type Links = readonly [overlap: boolean, prev: vm_area_struct, link: Pointer<rb_node>];
/** Where a VMA over [start, end) belongs: behind `prev` in the list, and under `link` in the tree. */
export const find_vma_links = kernelFunction(
  "find_vma_links",
  function* (mm: mm_struct, start: number, end: number): Kernel<Links> {
    return yield* descend.restart(mm.mm_rb.rb_node, NULL(vm_area_struct), start, end);
  },
  { source: "mm/mmap.c", params: ["mm", "addr", "end"], summary: "Finds the place of a new VMA." },
);
const descend = kernelFunction(
  "find_vma_links",
  function* (link: Pointer<rb_node>, prev: vm_area_struct, start: number, end: number): Kernel<Links> {
    const node = yield* load(link);
    if (node.isNull) return [false, prev, link];
    const vma = vmaOf(node);
    if ((yield* load(vma.vm_end)) <= start) return yield* descend.restart(vma.vm_rb.rb_right, vma, start, end);
    if ((yield* load(vma.vm_start)) < end) return [true, prev, link];
    return yield* descend.restart(vma.vm_rb.rb_left, prev, start, end);
  },
  { source: "mm/mmap.c", params: ["link", "prev", "addr", "end"] },
);

export const vma_link = kernelFunction(
  "vma_link",
  function* (mm: mm_struct, vma: vm_area_struct, prev: vm_area_struct, link: Pointer<rb_node>): Kernel<void> {
    yield* store(vma.vm_prev, prev);
    const ahead = prev.isNull ? mm.mmap : prev.vm_next;
    const next = yield* load(ahead);
    yield* store(ahead, vma);
    yield* store(vma.vm_next, next);
    if (!next.isNull) yield* store(next.vm_prev, vma);
    yield* store(link, vma.vm_rb);
  },
  {
    source: "mm/mmap.c",
    params: ["mm", "vma", "prev", "link"],
    summary: "Enters a VMA into list and tree.",
    differs: "The tree is not rebalanced. No interval tree of a file.",
  },
);

/** The word of the tree that points to the VMA that begins at `start`. */
const link_to = kernelFunction(
  "vma_rb_erase",
  function* (link: Pointer<rb_node>, start: number): Kernel<Pointer<rb_node>> {
    const node = yield* load(link);
    const nodeStart = yield* load(vmaOf(node).vm_start);
    if (nodeStart === start) return link;
    return yield* link_to.restart(nodeStart > start ? node.rb_left : node.rb_right, start);
  },
  { source: "mm/mmap.c", params: ["link", "start"], internal: true },
);
const leftmost = kernelFunction(
  "vma_rb_erase",
  function* (node: rb_node): Kernel<rb_node> {
    const left = yield* load(node.rb_left);
    return left.isNull ? node : yield* leftmost.restart(left);
  },
  { source: "mm/mmap.c", params: ["node"], internal: true },
);

/** Takes a VMA out of the tree; its own pointers stay as they are. */
export const vma_rb_erase = kernelFunction(
  "vma_rb_erase",
  function* (mm: mm_struct, vma: vm_area_struct): Kernel<void> {
    const start = yield* load(vma.vm_start);
    const link = yield* link_to(mm.mm_rb.rb_node, start);
    const left = yield* load(vma.vm_rb.rb_left);
    const right = yield* load(vma.vm_rb.rb_right);
    if (!left.isNull && !right.isNull) {
      const lowest = yield* leftmost(right);
      yield* store(lowest.rb_left, left);
    }
    yield* store(link, right.isNull ? left : right);
  },
  {
    source: "mm/mmap.c",
    params: ["mm", "vma"],
    summary: "Takes a VMA out of the tree.",
    differs:
      "Finds the parent from the root, and hangs the left part below the right one, because nothing is rebalanced.",
  },
);

/** include/linux/mm.h */
export const find_vma_intersection = kernelFunction(
  "find_vma_intersection",
  function* (mm: mm_struct, start_addr: number, end_addr: number): Kernel<vm_area_struct> {
    const vma = yield* find_vma(mm, start_addr);
    if (!vma.isNull && end_addr <= (yield* load(vma.vm_start))) return NULL(vm_area_struct);
    return vma;
  },
  {
    source: "include/linux/mm.h",
    params: ["mm", "start_addr", "end_addr"],
    summary: "The first VMA that meets a range.",
  },
);
