/** Files as far as mappings need them: mm/shmem.c for those without a name. */
import { load, storePrivate, loadPrivate } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { atomic_dec_and_test, atomic_inc } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, WORD } from "../machine/struct.ts";
import type { ImageWriter } from "../image.ts";
import { address_space } from "./mm_types.ts";
import { delete_from_page_cache } from "./filemap.ts";
import { allocate, initCount, initList } from "./page_alloc.ts";
import { page, PAGE_SIZE, PUD_SIZE, type dax_memory } from "./pgtable.ts";

/** What a file with a name is at the start: empty, its pages zero. `memory`: what a DAX device has instead. */
export function fileImage(write: ImageWriter, file: address_space, memory: dax_memory): void {
  write(file.i_mmap.next, file.i_mmap);
  write(file.i_mmap.prev, file.i_mmap);
  write(file.i_size, memory.isNull ? file.pages.length * PAGE_SIZE : PUD_SIZE);
  write(file.dax, !memory.isNull);
  write(file.memory, memory);
}

/** What a shared anonymous mapping maps. No step of its own: nobody knows it yet. */
export function* new_shmem_file(size: number): Kernel<address_space> {
  const file = yield* allocate(address_space, "shmem_zero_setup(vma)");
  if (file.isNull) return file;
  yield* initList(file.i_mmap);
  yield* storePrivate(file.i_size, size);
  yield* storePrivate(file.anonymous, true);
  yield* initCount(file.f_count, 1);
  return file;
}
/** Files with names are always there: only the others are counted. */
export function* get_file(file: address_space): Kernel<void> {
  if (!file.isNull && (yield* loadPrivate(file.anonymous))) yield* atomic_inc(file.f_count);
}
export function* fput(file: address_space): Kernel<void> {
  if (file.isNull || !(yield* loadPrivate(file.anonymous))) return;
  if (yield* atomic_dec_and_test(file.f_count)) yield* evict(file);
}
const firstCached = primitive("find_get_entry", (m, file = 0) => {
  const { addr, length } = at(address_space, file).pages;
  m.read(addr);
  for (let i = 0; i < length; i++) if (m.peek(addr + i * WORD) !== 0) return i;
  return -1;
});
const evict = kernelFunction(
  "shmem_evict_inode",
  function* (file: address_space): Kernel<void> {
    const index = yield* step<number>({
      op: Op.primitive,
      addr: file.pages.addr,
      primitive: firstCached,
      args: [file.addr],
      text: (names) => `find_get_entries(${file.expr(names)})`,
    });
    if (index === -1) return yield* freeBy("free_inode", file);
    const p = at(page, yield* load(file.pages.at(index)));
    yield* delete_from_page_cache(file, index, p);
    return yield* evict.restart(file);
  },
  { source: "mm/shmem.c", params: ["inode"], summary: "Frees a file that nobody maps any more." },
);
