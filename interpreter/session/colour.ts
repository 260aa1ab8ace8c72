/** The colours of a line of the language, by what its tokens are. */
import { tokenize } from "../../grammar/parse.ts";
import { endOf } from "../../grammar/tokens.ts";
import { wordHeads } from "../../grammar/parser.ts";

export type Colour = "plain" | "keyword" | "cpu" | "number" | "string" | "comment" | "command";
export interface Segment {
  readonly text: string;
  readonly colour: Colour;
}

const KEYWORDS = /^(If|Else|While|Do|For|Goto|Return|Break|Continue|Until|Null|True|False)$/;

export function coloured(text: string): Segment[] {
  const command = /^\s*:\w*!?/.exec(text);
  if (command !== null) {
    const rest = text.slice(command[0].length);
    return [
      { text: command[0], colour: "command" },
      ...(rest === "" ? [] : [{ text: rest, colour: "plain" as const }]),
    ];
  }
  const { tokens, comments } = tokenize(text);
  const segments: Segment[] = [];
  let at = 0;
  let isFirst = true;
  for (const token of [...tokens, ...comments].sort((a, b) => a.startOffset - b.startOffset)) {
    if (token.startOffset > at) segments.push({ text: text.slice(at, token.startOffset), colour: "plain" });
    const { name } = token.tokenType;
    const isHead = isFirst && wordHeads.has(token.image);
    segments.push({
      text: text.slice(Math.max(at, token.startOffset), endOf(token)),
      colour: isHead ? "keyword" : colourOf(name),
    });
    isFirst = /^(Newline|Semicolon|LBrace|Colon)$/.test(name) || /^[;:{\n]/.test(token.image);
    at = endOf(token);
  }
  if (at < text.length) segments.push({ text: text.slice(at), colour: "plain" });
  return segments;
}
function colourOf(name: string): Colour {
  if (KEYWORDS.test(name)) return "keyword";
  if (name === "Cpu") return "cpu";
  if (/Comment|Directive/.test(name)) return "comment";
  if (/String/.test(name)) return "string";
  return /Number|Numeral|Fraction|Count/.test(name) ? "number" : "plain";
}
