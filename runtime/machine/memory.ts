/**
 * Modelled memory: words of one flat array, with an incremental hash and a journal for undoing.
 *
 * Addresses are logical; the first access that names one gives it the next physical word, so that sparse things cost
 * what they hold. The header word of an object says whether it is live: 0 never allocated, > 0 live and of which type,
 * < 0 freed, of which type and by which function.
 */
import { keyOfNumber, mixHi, mixLo } from "./hash.ts";
import { headerAddress, SLOT, slotSize, WORD } from "./struct.ts";
import { ARENA, STATIC_ARENA } from "./types.ts";

/** Physical words that are always there: none, and a header that is always live, for steps that touch no object. */
const NOTHING = 0;
export const ALWAYS_LIVE = 1;
const FIRST_WORD = 2;

const FUNCTIONS_MAX = 2 ** 20; // in a header word: type * FUNCTIONS_MAX + function
export const liveHeader = (type: number): number => type + 1;
export const freedHeader = (type: number, fn: number): number => -(type * FUNCTIONS_MAX + fn + 1);
/** The type of a live or freed object, from its header. */
export const headerType = (header: number): number =>
  header > 0 ? header - 1 : Math.floor((-header - 1) / FUNCTIONS_MAX);
/** Which function freed it. */
export const headerFreedBy = (header: number): number => (-header - 1) % FUNCTIONS_MAX;

export class Memory {
  words = new Float64Array(1024);
  /** Per word: the physical index of its object's header. */
  headers = new Int32Array(1024);
  private seedLo = new Int32Array(1024);
  private seedHi = new Int32Array(1024);
  private readonly addresses: number[] = [0, 0];
  /** Physical words by arena, slot and place in the slot: a look-up without hashing, for it is on the hot path. */
  private readonly arenas: (Int32Array | undefined)[][] = [];
  /** Those of addresses that are no kernel addresses (NULL's neighbourhood, list poison), and of huge pages. */
  private readonly strays = new Map<number, number>();
  private readonly slots = new Map<number, number[]>();
  /** Hash of all words; those who add parts of a state of their own xor them in. */
  lo = 0;
  hi = 0;
  journalWord = new Int32Array(4096);
  journalOld = new Float64Array(4096);
  top = 0;

  constructor() {
    this.words[ALWAYS_LIVE] = 1;
    this.headers[NOTHING] = ALWAYS_LIVE;
    this.headers[ALWAYS_LIVE] = ALWAYS_LIVE;
  }

  /** The physical word at an address. */
  wordAt(addr: number): number {
    const word = this.find(addr);
    return word === NOTHING ? this.addWord(addr) : word;
  }
  /** The physical word at an address, or NOTHING if nobody has named it yet. */
  private find(addr: number): number {
    const offset = addr - STATIC_ARENA;
    if (offset < 0 || slotSize(addr) !== SLOT) return this.strays.get(addr) ?? NOTHING;
    const arena = Math.floor(offset / ARENA);
    const inArena = offset - arena * ARENA;
    const slot = Math.floor(inArena / SLOT);
    return this.arenas[arena]?.[slot]?.[(inArena - slot * SLOT) / WORD] ?? NOTHING;
  }
  private enter(addr: number, word: number): void {
    const offset = addr - STATIC_ARENA;
    if (offset < 0 || slotSize(addr) !== SLOT) {
      this.strays.set(addr, word);
      return;
    }
    const arena = Math.floor(offset / ARENA);
    const slot = Math.floor((offset - arena * ARENA) / SLOT);
    const slots = (this.arenas[arena] ??= []);
    while (slots.length <= slot) slots.push(undefined);
    const words = (slots[slot] ??= new Int32Array(SLOT / WORD));
    words[(offset % SLOT) / WORD] = word;
  }
  private addWord(addr: number): number {
    const base = headerAddress(addr);
    if (addr !== base) this.wordAt(base); // the header comes first
    const word = this.addresses.push(addr) - 1;
    if (word >= this.words.length) this.grow();
    const seed = keyOfNumber(addr);
    this.seedLo[word] = seed.lo;
    this.seedHi[word] = seed.hi;
    this.enter(addr, word);
    this.headers[word] = addr === base ? word : this.wordAt(base);
    const slot = this.slots.get(base);
    if (slot === undefined) this.slots.set(base, [word]);
    else slot.push(word);
    return word;
  }
  private grow(): void {
    const size = this.words.length * 2;
    this.words = copied(new Float64Array(size), this.words);
    this.headers = copied(new Int32Array(size), this.headers);
    this.seedLo = copied(new Int32Array(size), this.seedLo);
    this.seedHi = copied(new Int32Array(size), this.seedHi);
  }

  /** How many words there are; those below FIRST_WORD mean nothing. */
  get size(): number {
    return this.addresses.length;
  }
  addressOf(word: number): number {
    return this.addresses[word] ?? 0;
  }
  /** The words of the object at `addr`, header included, as far as anybody named them. */
  wordsOfObject(addr: number): readonly number[] {
    return this.slots.get(headerAddress(addr)) ?? [];
  }
  /** What `addr` holds now; looks without leaving a trace. */
  peek(addr: number): number {
    return this.words[this.find(addr)] as number;
  }
  header(addr: number): number {
    return this.peek(headerAddress(addr));
  }
  /** Objects that were ever allocated, by address of their header. */
  *objects(): Generator<number> {
    for (const base of this.slots.keys()) if (this.peek(base) !== 0) yield base;
  }

  set(word: number, value: number): void {
    const words = this.words;
    const old = words[word] as number;
    if (old === value) return;
    const seedLo = this.seedLo[word] as number;
    const seedHi = this.seedHi[word] as number;
    this.lo ^= mixLo(seedLo, old) ^ mixLo(seedLo, value);
    this.hi ^= mixHi(seedHi, old) ^ mixHi(seedHi, value);
    words[word] = value;
    this.log(word, old);
  }
  /** Enters something to undo; negative words are the business of whoever logs them. */
  log(word: number, old: number): void {
    if (this.top === this.journalWord.length) {
      this.journalWord = copied(new Int32Array(this.top * 2), this.journalWord);
      this.journalOld = copied(new Float64Array(this.top * 2), this.journalOld);
    }
    this.journalWord[this.top] = word;
    this.journalOld[this.top] = old;
    this.top++;
  }

  /** The hash of all words from scratch: what `lo` and `hi` hold incrementally. For self-checks. */
  rehash(): { lo: number; hi: number } {
    let lo = 0;
    let hi = 0;
    for (let word = FIRST_WORD; word < this.size; word++) {
      lo ^= mixLo(this.seedLo[word] as number, this.words[word] as number);
      hi ^= mixHi(this.seedHi[word] as number, this.words[word] as number);
    }
    return { lo, hi };
  }
}

function copied<A extends Float64Array | Int32Array>(to: A, from: A): A {
  to.set(from);
  return to;
}
