/** 1234567 as "1,234,567". Not toLocaleString: that loads tables for twenty milliseconds. */
export function grouped(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
}
