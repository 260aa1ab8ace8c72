/** How wide text is on a screen: most of it is a column a character, and that is quickly seen. */
import stringWidth from "string-width";

const NARROW = /^[\x20-\x7e\u2500-\u257f]*$/;

export function widthOf(text: string): number {
  return NARROW.test(text) ? text.length : stringWidth(text);
}
/** As much of the start of a text as fits. */
export function startOf(text: string, width: number): string {
  if (NARROW.test(text)) return text.slice(0, Math.max(0, width));
  let used = 0;
  let start = "";
  for (const character of text) {
    used += stringWidth(character);
    if (used > width) break;
    start += character;
  }
  return start;
}
/** As much of its end as fits. */
export function endOf(text: string, width: number): string {
  if (NARROW.test(text)) return width <= 0 ? "" : text.slice(-width);
  let used = 0;
  let end = "";
  for (const character of Array.from(text).reverse()) {
    used += stringWidth(character);
    if (used > width) break;
    end = character + end;
  }
  return end;
}
