import { test } from "uvu";
import * as assert from "uvu/assert";
import { ScriptParser } from "../../grammar/parser.ts";
import { makeLexer } from "../../grammar/tokens.ts";

test("lexer and parser stand chevrotain's own checks, which product code skips", () => {
  const lexer = makeLexer(true);
  assert.equal(lexer.lexerDefinitionErrors, []);
  assert.not.throws(() => new ScriptParser(true));
});

test.run();
