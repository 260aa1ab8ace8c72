/** For each fingerprint the least cost at which it was reached. */
const LOAD_MAX = 0.62;

export class CostTable {
  private lo = new Int32Array(1 << 14);
  private hi = new Int32Array(1 << 14);
  private cost = new Int32Array(1 << 14);
  count = 0;

  /** True if nobody came here at that cost or less; that is noted. */
  improve(lo: number, hi: number, cost: number): boolean {
    if (hi === 0) hi = 1; // an empty place has 0 there
    const i = this.placeOf(lo, hi);
    if (this.hi[i] === 0) {
      this.lo[i] = lo;
      this.hi[i] = hi;
      this.cost[i] = cost;
      if (++this.count > this.lo.length * LOAD_MAX) this.grow();
      return true;
    }
    if ((this.cost[i] as number) <= cost) return false;
    this.cost[i] = cost;
    return true;
  }
  costOf(lo: number, hi: number): number | undefined {
    if (hi === 0) hi = 1;
    const i = this.placeOf(lo, hi);
    return this.hi[i] === 0 ? undefined : (this.cost[i] as number);
  }
  private placeOf(lo: number, hi: number): number {
    const mask = this.lo.length - 1;
    let i = (lo ^ (hi << 7)) & mask;
    while (this.hi[i] !== 0 && (this.hi[i] !== hi || this.lo[i] !== lo)) i = (i + 1) & mask;
    return i;
  }
  private grow(): void {
    const { lo, hi, cost } = this;
    this.lo = new Int32Array(lo.length * 2);
    this.hi = new Int32Array(lo.length * 2);
    this.cost = new Int32Array(lo.length * 2);
    for (let k = 0; k < lo.length; k++) {
      if (hi[k] === 0) continue;
      const i = this.placeOf(lo[k] as number, hi[k] as number);
      this.lo[i] = lo[k] as number;
      this.hi[i] = hi[k] as number;
      this.cost[i] = cost[k] as number;
    }
  }
}
