import { ScriptParser } from "../grammar/parser.ts";
import { allTokens } from "../grammar/tokens.ts";

/** The parser's rules as a reader wants them: words instead of names, and nothing that only serves reports. */
export type Piece =
  | { readonly kind: "text" | "token" | "rule"; readonly name: string }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Piece[] }
  | { readonly kind: "optional"; readonly part: Piece }
  | { readonly kind: "repeated"; readonly part: Piece; readonly separator: Piece | undefined };

export interface Rule {
  readonly name: string;
  readonly piece: Piece;
}

/** What stands for many texts: a token's name in the lexer, how it is shown, what that means. */
const TOKENS: readonly (readonly [name: string, shown: string, meaning: string])[] = [
  ["Name", "NAME", "a word that is not reserved; the functions and fields of the kernel are names"],
  ["Cpu", "CPU", "cpu0, cpu1, ..."],
  ["Number", "NUMBER", "4096, 0x1000, 8K, 4096UL"],
  ["Numeral", "NUMBER", ""],
  ["String", "STRING", '"text"'],
  ["Count", "COUNT", "#1, #2, ..."],
  ["Newline", "NEWLINE", "the end of a line that does not go on in the next"],
  ["Separator", "END", "the end of a statement: NEWLINE or ;"],
  ["Word", "WORD", "NAME or a reserved word"],
  ["AssignOperator", "ASSIGN", ""],
  ["InfixOperator", "INFIX", ""],
  ["PrefixOperator", "PREFIX", ""],
  ["AnyToken", "ANY", "anything"],
];
const TEXTS: ReadonlyMap<string, string> = new Map([["Ellipsis", "..."]]);

/** Names that must be these words, by the rule and the number of the name in it. */
const WORDS: Readonly<Record<string, string>> = {
  "conditionLine 0": "wait assume assert",
  "enumLine 1": "enum",
  "expect 1": "expect",
  "expect 2": "sometimes",
  "expectBlocked 1": "blocked",
  "expectBlocked 2": "on",
  "expectation 0": "no",
  "failLine 1": "maybe",
  "failLine 2": "fail",
  "fn 1": "fn",
  "forIn 2": "in",
  "forKernel 1": "kernel",
  "forKernel 2": "in",
  "include 0": "include",
  "include 2": "as",
  "invariant 0": "always never",
  "kernelLine 0": "kernel",
  "patch 0": "patch",
  "race 0": "race",
  "reportClause 1": "bug",
  "reportClause 2": "in",
  "sanitizer 1": "sanitizer",
  "schedule 0": "schedule",
  "show 0": "show",
  "sizeOf 0": "sizeof",
  "step 0": "step",
  "struct 1": "struct",
  "switchArm 0": "case default",
  "switchStatement 0": "switch",
  "until 1": "returns",
  "untilPlace 1": "blocked",
  "untilPlace 2": "step",
  "varLine 0": "var",
};

/** Rules that are there to report mistakes. */
const MISTAKES = new Set(["junk", "nothing", "spacedCpu"]);
/** The number of the loop that skips to where reading can go on behind a mistake. */
const RECOVERY = 9;
/** Rules whose optional end may be missing only in a report. */
const COMPLETE = new Set(["cpus"]);

/** What chevrotain tells of a rule. */
interface Production {
  readonly type: string;
  readonly name?: string;
  readonly label?: string;
  readonly idx?: number;
  readonly definition?: readonly Production[];
  readonly separator?: Production;
}

/** Entries of the tables above that nothing asked for are out of date. */
class Syntax {
  private readonly unused = new Set([...Object.keys(WORDS), ...MISTAKES, ...COMPLETE]);
  private readonly tokens = new Map(TOKENS.map(([name, shown]) => [name, shown]));

  rules(): Rule[] {
    const productions = new ScriptParser(false).getSerializedGastProductions() as readonly Production[];
    const rules = new Map<string, Piece>();
    for (const production of productions) {
      const name = production.name!;
      if (MISTAKES.has(name)) continue;
      const piece = this.sequence(production, name);
      if (piece === undefined) throw new Error(`nothing is left of ${name}`);
      rules.set(name, piece);
    }
    if (this.unused.size > 0)
      throw new Error(`docs/syntax.ts: the grammar has no ${[...this.unused].join(", ")} any more`);
    this.requireWords(rules);
    return inReadingOrder("script", rules);
  }

  private piece(production: Production, rule: string): Piece | undefined {
    switch (production.type) {
      case "Terminal":
        return this.terminal(production, rule);
      case "NonTerminal":
        this.unused.delete(production.name!);
        return MISTAKES.has(production.name!) ? undefined : { kind: "rule", name: production.name! };
      case "Alternation":
        return this.choice(production, rule);
      case "Option": {
        const part = this.sequence(production, rule);
        if (part === undefined || !COMPLETE.has(rule)) return part && { kind: "optional", part };
        this.unused.delete(rule);
        return part;
      }
      case "Repetition":
      case "RepetitionMandatory":
      case "RepetitionMandatoryWithSeparator":
        return this.repetition(production, rule);
      case "Alternative":
        return this.sequence(production, rule);
      default:
        throw new Error(`no way to draw ${production.type}`);
    }
  }

  private sequence(production: Production, rule: string): Piece | undefined {
    const parts = production.definition!.map((part) => this.piece(part, rule)).filter((part) => part !== undefined);
    return parts.length === 1 ? parts[0] : parts.length === 0 ? undefined : { kind: "sequence", parts };
  }

  private choice({ definition }: Production, rule: string): Piece | undefined {
    const parts = definition!.map((part) => this.piece(part, rule)).filter((part) => part !== undefined);
    if (parts.length === 0) return undefined;
    const part: Piece = parts.length === 1 ? parts[0]! : { kind: "choice", parts };
    const mayBeEmpty = definition!.some((alternative) => alternative.definition?.length === 0);
    return mayBeEmpty ? { kind: "optional", part } : part;
  }

  private repetition(production: Production, rule: string): Piece | undefined {
    if (production.idx === RECOVERY) return undefined;
    const part = this.sequence(production, rule);
    if (part === undefined) return undefined;
    const separator = production.separator && this.terminal(production.separator, rule);
    const repeated: Piece = { kind: "repeated", part, separator };
    return production.type === "Repetition" ? { kind: "optional", part: repeated } : repeated;
  }

  private terminal({ name, label, idx }: Production, rule: string): Piece {
    const key = `${rule} ${idx}`;
    if (name === "Name" && WORDS[key] !== undefined) {
      this.unused.delete(key);
      const parts = WORDS[key].split(" ").map((word): Piece => ({ kind: "text", name: word }));
      return parts.length === 1 ? parts[0]! : { kind: "choice", parts };
    }
    const shown = this.tokens.get(name!);
    if (shown !== undefined) return { kind: "token", name: shown };
    const text = TEXTS.get(name!) ?? /^`(.+)`$/.exec(label!)?.[1];
    if (text === undefined) throw new Error(`docs/syntax.ts: how is the token ${name} of ${rule} shown?`);
    return { kind: "text", name: text };
  }

  /** Statements that begin with a word begin with a word here, too. */
  private requireWords(rules: ReadonlyMap<string, Piece>): void {
    for (const name of rulesIn(rules.get("worded")!)) {
      const piece = rules.get(name)!;
      const first = piece.kind === "sequence" ? piece.parts[0]! : piece;
      if (first.kind === "token") throw new Error(`docs/syntax.ts: which word does ${name} begin with?`);
    }
  }
}

function rulesIn(piece: Piece): string[] {
  switch (piece.kind) {
    case "rule":
      return [piece.name];
    case "sequence":
    case "choice":
      return piece.parts.flatMap(rulesIn);
    case "optional":
    case "repeated":
      return rulesIn(piece.part);
    default:
      return [];
  }
}

/** From the root on, each rule before those that it is made of; what only renames another rule is left out. */
function inReadingOrder(root: string, rules: ReadonlyMap<string, Piece>): Rule[] {
  const renamed = (name: string): string => {
    const piece = rules.get(name)!;
    return piece.kind === "rule" && name !== root ? renamed(piece.name) : name;
  };
  const rename = (piece: Piece): Piece => {
    if (piece.kind === "rule") return { kind: "rule", name: renamed(piece.name) };
    if ("parts" in piece) return { ...piece, parts: piece.parts.map(rename) };
    return "part" in piece ? { ...piece, part: rename(piece.part) } : piece;
  };
  const order = new Set([root]);
  const found: Rule[] = [];
  for (const name of order) {
    const piece = rename(rules.get(name)!);
    found.push({ name, piece });
    for (const next of rulesIn(piece)) order.add(next);
  }
  return found;
}

export function syntaxRules(): Rule[] {
  return new Syntax().rules();
}

/** The tokens that stand for many texts, and what they stand for. */
export function tokenMeanings(): (readonly [shown: string, meaning: string])[] {
  return TOKENS.filter(([name]) => name !== "Numeral").map(([name, shown, meaning]) => {
    if (meaning !== "") return [shown, meaning];
    const members = allTokens.filter(({ CATEGORIES = [] }) => CATEGORIES.some((category) => category.name === name));
    return [shown, members.map(({ LABEL }) => LABEL!.slice(1, -1)).join("  ")];
  });
}
