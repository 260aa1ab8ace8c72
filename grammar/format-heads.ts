/** What an expression at the head of a statement would be taken for. */
import { callable, wordHeads } from "./parser.ts";
import { storageWords, tagWords, typeWords } from "./words.ts";

const assignment = /^(?:=(?!=)|(?:[-+*/%&|^]|<<|>>)=)/;
const infix = /^(?:\|\||&&|[=!<>]=|[<>|^&*/%]|[-+](?![-+]))/;

/** Whether a text that is an expression or assignment reads as another statement, so that it needs parentheses. */
export function isMistakable(text: string): boolean {
  const [, word, rest = ""] = /^([A-Za-z_]\w*)\s*([^]*)$/.exec(text) ?? [];
  if (word === undefined) return false;
  if (/^cpu\d+$/i.test(word)) return !assignment.test(rest) && !infix.test(rest) && !/^(?:\.(?!\.)|\[|\?)/.test(rest);
  if (assignment.test(rest) || /^(?:\.(?!\.)|\+\+|--)/.test(rest)) return false;
  if (wordHeads.has(word)) return !(callable.has(word) && rest.startsWith("("));
  if (word.includes("for_each") || word === "typedef" || word === "case") return rest !== "";
  if (tagWords.has(word)) return /^[A-Za-z_]/.test(rest);
  if (word.endsWith("_t")) return /^[A-Za-z_*]/.test(rest);
  return typeWords.has(word) || storageWords.has(word);
}

/** Behind a word such as `wait` that would be `wait++`, and no statement of its own. */
export function beginsUpdate(text: string): boolean {
  return text.startsWith("++") || text.startsWith("--");
}
