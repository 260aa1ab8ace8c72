#!/usr/bin/env node
/**
 * What `hmm` is on the PATH: runs the bundles beside it with the code that V8 compiled when they were built, which
 * saves a third of the start-up. A cache of another version of Node is refused by V8, and nothing is lost but time.
 * What draws on terminals is a bundle of its own: other commands do not pay for it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { wrap } from "node:module";
import { Script } from "node:vm";
import type * as commandLine from "./cli.ts";
import type * as terminal from "./terminal/start.tsx";

/** Set by the build, which runs the bundles once for what they compile. */
const isBuilding = process.env["HMM_BUILD_CACHE"] === "1";

function cachedCode(path: string): Buffer | undefined {
  try {
    return isBuilding ? undefined : readFileSync(path);
  } catch {
    return undefined; // it only costs time
  }
}

/** As `require`, with cached code. */
function load(name: string): unknown {
  const path = `${__dirname}/${name}.cjs`;
  const cache = `${__dirname}/${name}.cache`;
  const cachedData = cachedCode(cache);
  const script = new Script(wrap(readFileSync(path, "utf8")), {
    filename: path,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const run = script.runInThisContext() as (...args: unknown[]) => void;
  const bundle = { exports: {} };
  run(bundle.exports, require, bundle, path, __dirname);
  if (isBuilding) process.on("exit", () => writeFileSync(cache, script.createCachedData()));
  return bundle.exports;
}

/** `ready`: the layout engine is compiled on the side. */
async function loadTerminal(): Promise<typeof terminal> {
  const loaded = load("terminal") as typeof terminal & { readonly ready: Promise<void> };
  await loaded.ready;
  return loaded;
}

const { cli, rehearse } = load("bundle") as typeof commandLine;
cli(loadTerminal);
if (isBuilding) void rehearse(loadTerminal);
