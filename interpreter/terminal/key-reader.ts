/**
 * Keys from the bytes that a terminal sends. What is no key (reports of a mouse, answers to questions that another
 * program asked, broken UTF-8) is dropped as a whole: none of it comes out as if it had been typed.
 */
import { StringDecoder } from "node:string_decoder";
import { controlKey, keyOfSequence, keyOfText, withMeta } from "./key-names.ts";
import type { Key } from "./keys.ts";

const PASTE_BEGIN = "\x1b[200~";
const PASTE_END = "\x1b[201~";

/** Milliseconds that the rest of something may take: Esc alone is a key, but over a slow line sequences fall apart. */
const ESCAPE_PATIENCE = 50;
const SEQUENCE_PATIENCE = 500;
const PASTE_PATIENCE = 5000;

const ANSWER = /\x1b(?:\]\d|P[\d>!$+|]|_G)[^\x00-\x1f\x7f\x9c]*/;
const SEQUENCES = [
  /\x1b\[M[^]{3}/, // a mouse as xterm reported it at first
  /\x1b\[\[[^]/, // function keys of the Linux console
  /\x1b\[\d+\$/, // keys with shift in rxvt
  /\x1b\[(?![M[])[0-?]*[ -/]*[@-~]/, // control sequences
  /\x1b\[[0-?]*[ -/]*/, // the torso of one
  /\x1bO\d?[A-Za-z]/, // keys in application mode
  new RegExp(`${ANSWER.source}(?:\\x07|\\x1b\\\\|\\x9c)?`),
];
const BEGINNINGS = [
  /\x1b$/,
  /\x1b\[M[^]{0,2}$/,
  /\x1b\[\[?$/,
  /\x1b\[[0-?]*[ -/]*$/,
  /\x1bO\d?$/,
  /\x1b[\]P_]$/,
  new RegExp(`${ANSWER.source}\\x1b?$`),
];
const anyOf = (patterns: readonly RegExp[]): RegExp => new RegExp(patterns.map(({ source }) => source).join("|"), "uy");
const SEQUENCE = anyOf(SEQUENCES);
const BEGINNING = anyOf(BEGINNINGS);

export class KeyReader {
  readonly #decoder = new StringDecoder("utf8");
  /** What has come and is no key yet. */
  #text = "";
  #pasted: string | undefined;

  /** The keys that are complete with these bytes. */
  read(bytes: Buffer): Key[] {
    this.#text += this.#decoder.write(bytes);
    return this.#keys(false);
  }

  /** How long to wait for more before `giveUp`, if there is anything to wait for. */
  get patience(): number | undefined {
    if (this.#pasted !== undefined) return PASTE_PATIENCE;
    if (this.#text === "") return undefined;
    return this.#text.length <= 2 ? ESCAPE_PATIENCE : SEQUENCE_PATIENCE;
  }

  /** Nothing more has come. What is there is a key by itself, or was none. */
  giveUp(): Key[] {
    const paste = this.#pasted === undefined ? [] : pasteOf(this.#pasted + this.#text);
    if (this.#pasted !== undefined) this.#text = "";
    this.#pasted = undefined;
    return [...paste, ...this.#keys(true)];
  }

  #keys(isAll: boolean): Key[] {
    const keys: Key[] = [];
    let at = 0;
    while (at < this.#text.length) {
      if (this.#pasted !== undefined) {
        const end = this.#text.indexOf(PASTE_END, at);
        if (end < 0) {
          const kept = this.#text.length - beginningOf(PASTE_END, this.#text);
          this.#pasted += this.#text.slice(at, kept);
          at = kept;
          break;
        }
        keys.push(...pasteOf(this.#pasted + this.#text.slice(at, end)));
        this.#pasted = undefined;
        at = end + PASTE_END.length;
        continue;
      }
      const piece = pieceAt(this.#text, at, isAll);
      if (piece === "") break;
      at += piece.length;
      if (piece === PASTE_BEGIN) this.#pasted = "";
      else keys.push(...keysOf(piece));
    }
    this.#text = this.#text.slice(at);
    return keys;
  }
}

/** What belongs together at the front; "" if its rest is still to come. */
function pieceAt(text: string, at: number, isAll: boolean): string {
  const first = String.fromCodePoint(text.codePointAt(at) as number);
  if (first !== "\x1b") return first;
  BEGINNING.lastIndex = SEQUENCE.lastIndex = at;
  const beginning = BEGINNING.exec(text)?.[0];
  if (beginning !== undefined) return isAll ? beginning : "";
  const sequence = SEQUENCE.exec(text)?.[0];
  if (sequence !== undefined) return sequence;
  // Esc twice is two keys; before anything else it means that Alt was down.
  const second = text.codePointAt(at + 1) as number;
  return second === 0x1b ? first : first + String.fromCodePoint(second);
}

function keysOf(piece: string): Key[] {
  const [first, ...rest] = piece;
  let key: Key | undefined;
  if (first !== "\x1b" || rest.length === 0) key = controlKey(piece) ?? keyOfText(piece);
  else if (rest.length > 1) key = keyOfSequence(piece.slice(1));
  else if (rest[0] !== "[") key = withMeta(controlKey(rest[0] as string) ?? keyOfText(rest[0] as string));
  return key === undefined ? [] : [key];
}

function pasteOf(pasted: string): Key[] {
  const text = pasted.replace(/\r\n?/g, "\n").replaceAll("\uFFFD", "");
  return text === "" ? [] : [{ name: "paste", ctrl: false, meta: false, shift: false, text }];
}

/** How many characters at the end of a text are the beginning of `wanted`. */
function beginningOf(wanted: string, text: string): number {
  for (let length = wanted.length - 1; length > 0; length--) if (text.endsWith(wanted.slice(0, length))) return length;
  return 0;
}
