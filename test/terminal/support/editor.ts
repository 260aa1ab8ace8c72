/** A line editor in a few letters: keys are said as "C-a", "M-b", "up", a line has `|` where the cursor is. */
import * as assert from "uvu/assert";
import type { Key } from "../../../interpreter/terminal/keys.ts";
import { LineEditor } from "../../../interpreter/terminal/line-editor.ts";

export const FAMILY = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}"; // three people and two joiners: one grapheme
export const FLAGS = ["\u{1f1e9}\u{1f1ea}", "\u{1f1eb}\u{1f1f7}"] as const; // two letters each

/** "C-a", "M-b", "S-left", "up"; one grapheme is a key that types it. */
export function keyOf(said: string): Key {
  const [, modifiers = "", name = ""] = /^((?:[CMS]-)*)(.+)$/su.exec(said) as RegExpExecArray;
  const [ctrl, meta, shift] = [..."CMS"].map((letter) => modifiers.includes(letter)) as [boolean, boolean, boolean];
  const types = !ctrl && !meta && (said.length === 1 || !/^[\x21-\x7e]+$/.test(said));
  return { name, ctrl, meta, shift, text: types ? said : "" };
}
export const paste = (text: string): Key => ({ name: "paste", ctrl: false, meta: false, shift: false, text });

export function press(editor: LineEditor, keys: string): void {
  for (const said of keys.split(" ").filter((key) => key !== ""))
    assert.is(editor.key(keyOf(said === "SPC" ? " " : said)), "handled", said);
}
export function type(editor: LineEditor, text: string): void {
  for (const letter of text) editor.key(keyOf(letter));
}
/** The text with `|` at the cursor. */
export const shown = ({ text, cursor }: LineEditor): string => `${text.slice(0, cursor)}|${text.slice(cursor)}`;
/** An editor that shows what `line` says in the same way. */
export function editorOf(line: string, history: readonly string[] = []): LineEditor {
  const editor = new LineEditor(() => history);
  editor.set(line.replace("|", ""), line.includes("|") ? line.indexOf("|") : undefined);
  return editor;
}
/** Rows of: what is there, what is pressed, what is there then. */
export function check(
  rows: readonly (readonly [line: string, keys: string, then: string])[],
  history?: readonly string[],
) {
  for (const [line, keys, then] of rows) {
    const editor = editorOf(line, history);
    press(editor, keys);
    assert.is(shown(editor), then, `${JSON.stringify(line)} ${keys}`);
  }
}
/** What is shown after each key. */
export function steps(editor: LineEditor, keys: string): string[] {
  return keys.split(" ").map((key) => (press(editor, key), shown(editor)));
}
