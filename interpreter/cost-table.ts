/** For each fingerprint a small number: the least cost at which it was reached, or its own number. */
const LOAD_MAX = 0.62;
const PLACE = 4; // words a place: lo, hi, cost, and one to spare, so that a place never straddles two cache lines

export class CostTable {
  private places = new Int32Array((1 << 13) * PLACE);
  private mask = (1 << 13) - 1;
  count = 0;

  /** True if nobody came here at that cost or less; that is noted. */
  improve(lo: number, hi: number, cost: number): boolean {
    if (hi === 0) hi = 1; // an empty place has 0 there
    const { places } = this;
    const at = this.placeOf(lo, hi);
    if (places[at + 1] === 0) {
      places[at] = lo;
      places[at + 1] = hi;
      places[at + 2] = cost;
      if (++this.count > (this.mask + 1) * LOAD_MAX) this.grow();
      return true;
    }
    if ((places[at + 2] as number) <= cost) return false;
    places[at + 2] = cost;
    return true;
  }
  costOf(lo: number, hi: number): number | undefined {
    if (hi === 0) hi = 1;
    const at = this.placeOf(lo, hi);
    return this.places[at + 1] === 0 ? undefined : (this.places[at + 2] as number);
  }
  private placeOf(lo: number, hi: number): number {
    const { places, mask } = this;
    let i = (lo ^ (hi << 7)) & mask;
    for (;;) {
      const there = places[i * PLACE + 1] as number;
      if (there === 0 || (there === hi && places[i * PLACE] === lo)) return i * PLACE;
      i = (i + 1) & mask;
    }
  }
  private grow(): void {
    const old = this.places;
    this.mask = (this.mask + 1) * 2 - 1;
    this.places = new Int32Array((this.mask + 1) * PLACE);
    for (let k = 0; k < old.length; k += PLACE) {
      if (old[k + 1] === 0) continue;
      const at = this.placeOf(old[k] as number, old[k + 1] as number);
      for (let j = 0; j < PLACE; j++) this.places[at + j] = old[k + j] as number;
    }
  }
}
