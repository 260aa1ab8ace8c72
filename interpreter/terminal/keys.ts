/** Keys as a terminal sends them. */

/** One key, or a piece of text that was pasted. */
export interface Key {
  /**
   * "return", "backspace", "delete", "up", "pageup", "home", "tab", "escape", "f5"; a key that types something is
   * called by what it types, with ctrl or meta by the letter; "paste" is a text that came in one piece.
   */
  readonly name: string;
  readonly ctrl: boolean;
  readonly meta: boolean;
  readonly shift: boolean;
  /** What it types; "" for keys that type nothing. Only a paste may have control characters, line ends among them. */
  readonly text: string;
}
