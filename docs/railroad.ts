import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { syntaxRules, tokenMeanings, type Piece, type Rule } from "./syntax.ts";

/**
 * The grammar as a page of railroad diagrams. chevrotain's own page fetches scripts from the network and draws in the
 * browser; here the library that chevrotain brings along draws while the page is made, and the page is plain SVG.
 */
interface Drawing {
  toString(): string;
}
interface Railroad {
  Diagram(...items: Drawing[]): Drawing;
  Sequence(...items: Drawing[]): Drawing;
  Choice(normal: number, ...items: Drawing[]): Drawing;
  Optional(item: Drawing): Drawing;
  OneOrMore(item: Drawing, separator?: Drawing): Drawing;
  Terminal(text: string, href?: string): Drawing;
  NonTerminal(text: string, href?: string): Drawing;
}

function loadRailroad(): Railroad {
  const path = new URL("../../diagrams/vendor/railroad-diagrams.js", import.meta.resolve("chevrotain"));
  const browser: { railroad?: Railroad } = {};
  runInNewContext(readFileSync(path, "utf8"), browser);
  if (browser.railroad === undefined) throw new Error(`${path.pathname} defines no railroad`);
  return browser.railroad;
}

function draw(railroad: Railroad, piece: Piece): Drawing {
  const drawn = (part: Piece): Drawing => draw(railroad, part);
  switch (piece.kind) {
    case "text":
      return railroad.Terminal(piece.name);
    case "token":
      return railroad.Terminal(piece.name, "#tokens");
    case "rule":
      return railroad.NonTerminal(piece.name, `#${piece.name}`);
    case "sequence":
      return railroad.Sequence(...piece.parts.map(drawn));
    case "choice":
      return railroad.Choice(0, ...piece.parts.map(drawn));
    case "optional":
      return railroad.Optional(drawn(piece.part));
    case "repeated":
      return railroad.OneOrMore(drawn(piece.part), piece.separator && drawn(piece.separator));
  }
}

/** Without what only chevrotain's scripts look at, and without lines of no length. */
function tidied(svg: string): string {
  return svg
    .replace(/ (?:occurrenceIdx|topRuleName|dslRuleName|tokenName|label|ruleName)="[^"]*"/g, "")
    .replace(/<path d="M[\d.]+ [\d.]+h0(?:h0?\.5)?"><\/path>\n/g, "")
    .replace(/ xlink:href=/g, " href=")
    .replace(/"><\/(?:path|rect)>/g, '"/>')
    .replace(/<g>\n((?:(?!<g)[^])*?)<\/g>\n/g, "$1");
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function section(railroad: Railroad, { name, piece }: Rule): string {
  const svg = tidied(railroad.Diagram(draw(railroad, piece)).toString()).trim();
  return `<h2 id="${name}">${name}</h2>\n<div class="rule">${svg}</div>\n`;
}

const STYLE = `
  :root { color-scheme: light dark; --text: #ddeefc; --rule: #fdf0d5; --line: #333; }
  @media (prefers-color-scheme: dark) { :root { --text: #1d3a52; --rule: #4a3a16; --line: #bbb; } }
  body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h2 { font: bold 16px monospace; margin: 2rem 0 0; }
  code, nav, dt { font-family: monospace; }
  dt { font-weight: bold; float: left; width: 6rem; }
  dd { margin: 0 0 0.3rem 7rem; white-space: pre-wrap; }
  .rule { overflow-x: auto; }
  path { stroke: var(--line); stroke-width: 2; fill: none; }
  rect { stroke: var(--line); stroke-width: 2; fill: var(--text); }
  .non-terminal rect { fill: var(--rule); }
  svg text { font: 13px monospace; text-anchor: middle; fill: CanvasText; }
  svg a:hover text { text-decoration: underline; }
`;

const INTRODUCTION = `<p>What a scenario script may say, drawn from the rules of the parser by
<code>npm run railroad</code>. A test compares this page with the parser; do not edit it.</p>
<p>Round boxes are text as it stands, in capitals a <a href="#tokens">token</a> that stands for many texts. Square boxes
are other rules; they are links.</p>
<p>What no such diagram shows: words like <code>race</code> or <code>step</code> are ordinary names where they do not
head a statement; a statement that does not end in a block ends at END; in the arguments of a call without parentheses
white space decides what begins a new argument; a line goes on in the next one inside parentheses and behind a comma or
an operator; operators bind as in C.</p>`;

export function railroadPage(): string {
  const railroad = loadRailroad();
  const rules = syntaxRules();
  const links = rules.map(({ name }) => `<a href="#${name}">${name}</a>`).join("\n");
  const tokens = tokenMeanings().map(([shown, meaning]) => `<dt>${shown}</dt><dd>${escaped(meaning)}</dd>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The grammar of .hmm</title>
<style>${STYLE}</style>
</head>
<body>
<h1>The grammar of <code>.hmm</code></h1>
${INTRODUCTION}
<nav>
${links}
</nav>
${rules.map((rule) => section(railroad, rule)).join("")}<h2 id="tokens">tokens</h2>
<dl>
${tokens.join("\n")}
</dl>
</body>
</html>
`;
}
