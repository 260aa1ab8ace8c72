/** What the keys are called that terminals send as control characters and as sequences. */
import type { Key } from "./keys.ts";

type Modifiers = Pick<Key, "ctrl" | "meta" | "shift">;
const NONE: Modifiers = { ctrl: false, meta: false, shift: false };

const CONTROL_NAMES: ReadonlyMap<number, string> = new Map([
  [0x08, "backspace"],
  [0x09, "tab"],
  [0x0a, "return"], // Ctrl-J; also lines that come without paste brackets
  [0x0d, "return"],
  [0x1b, "escape"],
  [0x7f, "backspace"],
]);
const BY_LETTER: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  P: "f1",
  Q: "f2",
  R: "f3",
  S: "f4",
};
const BY_NUMBER: Readonly<Record<string, string>> = {
  1: "home",
  2: "insert",
  3: "delete",
  4: "end",
  5: "pageup",
  6: "pagedown",
  7: "home",
  8: "end",
  11: "f1",
  12: "f2",
  13: "f3",
  14: "f4",
  15: "f5",
  17: "f6",
  18: "f7",
  19: "f8",
  20: "f9",
  21: "f10",
  23: "f11",
  24: "f12",
};

const named = (name: string | undefined, modifiers: Modifiers = NONE): Key | undefined =>
  name === undefined ? undefined : { ...modifiers, name, text: "" };

/** The key behind a control character. */
export function controlKey(char: string): Key | undefined {
  const code = char.charCodeAt(0);
  const name = CONTROL_NAMES.get(code);
  if (name !== undefined) return named(name);
  if (code >= 0x20) return undefined;
  const letter = String.fromCharCode(code + 0x40).toLowerCase();
  return named(letter === "@" ? " " : letter, { ...NONE, ctrl: true });
}

/** The key that types a character, if it is one to type. */
export function keyOfText(char: string): Key | undefined {
  return /[\x00-\x1f\x7f-\x9f\uFFFD\p{Cs}]/u.test(char) ? undefined : { ...NONE, name: char, text: char };
}

export function withMeta(key: Key | undefined): Key | undefined {
  return key === undefined ? undefined : withModifiers(key, { ...NONE, meta: true });
}

/** With ctrl or meta a key types nothing and is called by the letter, whichever case was sent. */
function withModifiers(key: Key, { ctrl, meta, shift }: Modifiers): Key {
  const all = { ctrl: key.ctrl || ctrl, meta: key.meta || meta, shift: key.shift || shift };
  if (key.text === "") return { ...key, ...all };
  if (!all.ctrl && !all.meta) return key;
  const name = key.name.toLowerCase();
  return { ...all, name, shift: all.shift || name !== key.name, text: "" };
}

/** As terminals number them: one more than the sum of 1, 2, 4 and 8. */
function modifiersOf(parameter: string | undefined): Modifiers {
  const bits = Math.max(0, Number.parseInt(parameter ?? "", 10) - 1 || 0);
  return { shift: (bits & 1) !== 0, meta: (bits & 10) !== 0, ctrl: (bits & 4) !== 0 };
}

/** The key behind an escape sequence, without the escape. */
export function keyOfSequence(sequence: string): Key | undefined {
  const application = /^O(\d?)([A-Z])$/.exec(sequence);
  if (application !== null) {
    const letter = application[2] as string;
    return named(letter === "M" ? "return" : BY_LETTER[letter], modifiersOf(application[1])); // M is on the key pad
  }
  const linux = /^\[\[([A-E])$/.exec(sequence);
  if (linux !== null) return named(`f${"_ABCDE".indexOf(linux[1] as string)}`);
  const match = /^\[([\d;]*)([A-Za-z~^$@])$/.exec(sequence);
  if (match === null) return undefined;
  const [first = "", second, third] = (match[1] as string).split(";");
  const modifiers = modifiersOf(second);
  const final = match[2] as string;
  if (final === "Z") return named("tab", { ...modifiers, shift: true });
  if (final === "u") return keyOfCode(first, modifiers);
  if (final === "~" && first === "27") return keyOfCode(third, modifiers);
  if ("~^$@".includes(final)) {
    const rxvt = {
      ...modifiers,
      shift: modifiers.shift || /[$@]/.test(final),
      ctrl: modifiers.ctrl || /[@^]/.test(final),
    };
    return named(BY_NUMBER[first], rxvt);
  }
  // Anything but a 1 in front is an answer, as of where the cursor stands.
  return /^1?$/.test(first) ? named(BY_LETTER[final], modifiers) : undefined;
}

/** Terminals can be set up to send the code of a character and its modifiers. */
function keyOfCode(digits: string | undefined, modifiers: Modifiers): Key | undefined {
  const code = Number.parseInt(digits ?? "", 10);
  const isCharacter = code <= 0x10ffff && !/\p{Co}/u.test(String.fromCodePoint(code));
  if (!isCharacter) return undefined;
  const char = String.fromCodePoint(code);
  const key = controlKey(char) ?? keyOfText(char);
  return key === undefined ? undefined : withModifiers(key, modifiers);
}
