/** The set of fingerprints of visited states: 64 bits each, open addressing, doubled as it fills. */
const LOAD_MAX = 0.62;
const FIRST = 1 << 20; // untouched memory costs nothing
const QUICK_GROWTH = 1 << 22; // up to here it grows fourfold

export class Visited {
  /** Two words a place, beside each other: a look-up waits for memory once. */
  private places: Int32Array;
  private mask: number;
  private limit: number;
  count = 0;

  constructor(capacity = FIRST) {
    this.places = new Int32Array(capacity * 2);
    this.mask = capacity - 1;
    this.limit = capacity * LOAD_MAX;
  }

  /** True if this fingerprint was not there yet; it is now. */
  add(lo: number, hi: number): boolean {
    if (hi === 0) hi = 1; // an empty place has 0 there
    const { places, mask } = this;
    let i = (lo ^ (hi << 7)) & mask;
    for (;;) {
      const there = places[2 * i + 1] as number;
      if (there === 0) break;
      if (there === hi && places[2 * i] === lo) return false;
      i = (i + 1) & mask;
    }
    places[2 * i] = lo;
    places[2 * i + 1] = hi;
    if (++this.count > this.limit) this.grow();
    return true;
  }
  /** Bytes it takes. */
  get bytes(): number {
    return this.places.byteLength;
  }

  private grow(): void {
    const old = this.places;
    const capacity = (this.mask + 1) * (this.mask + 1 < QUICK_GROWTH ? 4 : 2);
    const places = new Int32Array(capacity * 2);
    const mask = capacity - 1;
    for (let k = 0; k < old.length; k += 2) {
      const hi = old[k + 1] as number;
      if (hi === 0) continue;
      const lo = old[k] as number;
      let i = (lo ^ (hi << 7)) & mask;
      while (places[2 * i + 1] !== 0) i = (i + 1) & mask;
      places[2 * i] = lo;
      places[2 * i + 1] = hi;
    }
    this.places = places;
    this.mask = mask;
    this.limit = capacity * LOAD_MAX;
  }
}
