#!/usr/bin/env node
/**
 * What `hmm` is on the PATH: runs the bundle beside it with the code that V8 compiled when the bundle was built, which
 * saves a third of the start-up. A cache of another version of Node is refused by V8, and nothing is lost but time.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { wrap } from "node:module";
import { Script } from "node:vm";

const bundle = `${__dirname}/bundle.cjs`;
const cache = `${__dirname}/bundle.cache`;

/** Set by the build, which runs the bundle once for what it compiles. */
const isBuilding = process.env["HMM_BUILD_CACHE"] === "1";

function cachedCode(): Buffer | undefined {
  try {
    return isBuilding ? undefined : readFileSync(cache);
  } catch {
    return undefined; // it only costs time
  }
}

const cachedData = cachedCode();
const script = new Script(wrap(readFileSync(bundle, "utf8")), {
  filename: bundle,
  ...(cachedData === undefined ? {} : { cachedData }),
});
const run = script.runInThisContext() as (...args: unknown[]) => void;
run(exports, require, module, bundle, __dirname);
if (isBuilding) process.on("exit", () => writeFileSync(cache, script.createCachedData()));
