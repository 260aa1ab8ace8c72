/** What an editor makes of docs/hmm.tmLanguage.json: the scopes of every character of a text. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";

export const GRAMMAR = "docs/hmm.tmLanguage.json";

export interface Highlighted {
  /** For each character its scopes, outermost first and joined by blanks; the grammar's own name is left out. */
  readonly scopes: readonly string[];
  /** How many rules are still open at the end: 0 if the text ends as it began. */
  readonly open: number;
}
export type Highlight = (text: string) => Highlighted;

let loading: Promise<void> | undefined;

function loadOniguruma(): Promise<void> {
  const wasm = createRequire(import.meta.url).resolve("vscode-oniguruma/release/onig.wasm");
  return oniguruma.loadWASM(readFileSync(wasm));
}

export async function highlighter(grammar: string): Promise<Highlight> {
  await (loading ??= loadOniguruma());
  const onigLib = Promise.resolve({
    createOnigScanner: (patterns: string[]) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text: string) => new oniguruma.OnigString(text),
  });
  const registry = new textmate.Registry({ onigLib, loadGrammar: () => Promise.resolve(null) });
  const loaded = await registry.addGrammar(textmate.parseRawGrammar(grammar, GRAMMAR));
  return (text) => {
    const scopes: string[] = [];
    let state = textmate.INITIAL;
    for (const line of text.split("\n")) {
      const { tokens, ruleStack } = loaded.tokenizeLine(line, state);
      state = ruleStack;
      const first = scopes.length;
      for (const token of tokens) {
        const end = Math.min(token.endIndex, line.length);
        scopes.length = first + end;
        scopes.fill(token.scopes.slice(1).join(" "), first + token.startIndex, first + end);
      }
      scopes.length = first + line.length + 1;
      scopes[first + line.length] = ""; // the newline
    }
    return { scopes, open: state.depth - textmate.INITIAL.depth };
  };
}
