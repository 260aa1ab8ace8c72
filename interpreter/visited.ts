/** The set of fingerprints of visited states: 64 bits each, open addressing, doubled as it fills. */
const LOAD_MAX = 0.62;

export class Visited {
  private lo: Int32Array;
  private hi: Int32Array;
  private limit: number;
  count = 0;

  constructor(capacity = 1 << 16) {
    this.lo = new Int32Array(capacity);
    this.hi = new Int32Array(capacity);
    this.limit = capacity * LOAD_MAX;
  }

  /** True if this fingerprint was not there yet; it is now. */
  add(lo: number, hi: number): boolean {
    if (hi === 0) hi = 1; // an empty place has 0 there
    const mask = this.lo.length - 1;
    let i = (lo ^ (hi << 7)) & mask;
    for (;;) {
      const there = this.hi[i] as number;
      if (there === 0) break;
      if (there === hi && this.lo[i] === lo) return false;
      i = (i + 1) & mask;
    }
    this.lo[i] = lo;
    this.hi[i] = hi;
    if (++this.count > this.limit) this.grow();
    return true;
  }
  has(lo: number, hi: number): boolean {
    if (hi === 0) hi = 1;
    const mask = this.lo.length - 1;
    for (let i = (lo ^ (hi << 7)) & mask; this.hi[i] !== 0; i = (i + 1) & mask)
      if (this.hi[i] === hi && this.lo[i] === lo) return true;
    return false;
  }
  /** Bytes it takes. */
  get bytes(): number {
    return this.lo.byteLength + this.hi.byteLength;
  }

  private grow(): void {
    const { lo, hi } = this;
    this.lo = new Int32Array(lo.length * 2);
    this.hi = new Int32Array(lo.length * 2);
    this.limit = lo.length * 2 * LOAD_MAX;
    const mask = this.lo.length - 1;
    for (let k = 0; k < lo.length; k++) {
      const h = hi[k] as number;
      if (h === 0) continue;
      let i = ((lo[k] as number) ^ (h << 7)) & mask;
      while (this.hi[i] !== 0) i = (i + 1) & mask;
      this.lo[i] = lo[k] as number;
      this.hi[i] = h;
    }
  }
}
