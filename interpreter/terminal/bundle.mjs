/**
 * Makes dist/bin/terminal.cjs: start.tsx with ink and React as one CommonJS script, for launch.ts to run with V8's
 * cached code. Run from the top of the tree.
 */
import { readFile } from "node:fs/promises";
import { build } from "esbuild";

/** What has to be other than its authors wrote it. */
const REWRITES = [
  // CommonJS knows no `await` outside functions. The engine is filled in when it is there, and who loads us waits.
  {
    file: /\/yoga-layout\/dist\/src\/index\.js$/,
    text: "const Yoga = wrapAssembly(await loadYoga());",
    becomes:
      "const Yoga = {};\nexport const ready = loadYoga().then((lib) => void Object.assign(Yoga, wrapAssembly(lib)));",
  },
  // Two more, for React's developer tools, which nobody has here.
  { file: /\/ink\/build\/reconciler\.js$/, text: "await import('./devtools.js');", becomes: "" },
  { file: /\/ink\/build\/reconciler\.js$/, text: "await loadPackageJson()", becomes: "{}" },
  // It would ask `fetch` for a URL that holds the engine itself; to load `fetch` takes longer than all the rest of it.
  {
    file: /\/yoga-wasm-base64-esm\.js$/,
    text: "function ya(){",
    becomes: 'function ya(){return Promise.resolve(Buffer.from(H.slice(H.indexOf(",") + 1), "base64"));',
  },
  // Most of a frame is without style: this takes half of the time of each frame.
  {
    file: /\/ansi-tokenize\/build\/styledChars\.js$/,
    text: "ret += ansiCodesToString(diffAnsiCodes(chars[i - 1].styles, char.styles));",
    becomes:
      "if (chars[i - 1].styles.length > 0 || char.styles.length > 0) " +
      "ret += ansiCodesToString(diffAnsiCodes(chars[i - 1].styles, char.styles));",
  },
  // What an emoji is takes V8 long to find out: a third of the time to the first frame.
  {
    file: /\/string-width\/index\.js$/,
    text: "const eastAsianWidthOptions =",
    becomes: "if (isNarrow(string)) return string.length;\nconst eastAsianWidthOptions =",
  },
  {
    file: /\/string-width\/index\.js$/,
    text: "const rgiEmojiRegex = /^\\p{RGI_Emoji}$/v;",
    becomes: "const rgiEmojiRegex = { test: (text) => /^\\p{RGI_Emoji}$/v.test(text) };",
  },
];

const done = new Set();
function rewritten(path, whole) {
  const fitting = REWRITES.filter(({ file, text }) => file.test(path) && whole.includes(text));
  for (const rewrite of fitting) done.add(rewrite);
  return fitting.reduce((sofar, { text, becomes }) => sofar.replace(text, () => becomes), whole);
}
const rewriting = {
  name: "rewriting",
  setup({ onLoad }) {
    onLoad({ filter: /\/(?:yoga-layout|ink|string-width|ansi-tokenize)\/.*\.js$/ }, async ({ path }) => ({
      contents: rewritten(path, await readFile(path, "utf8")),
    }));
  },
};

const { metafile } = await build({
  stdin: {
    contents: 'export * from "./interpreter/terminal/start.tsx";\nexport { ready } from "yoga-layout";\n',
    resolveDir: ".",
  },
  outfile: "dist/bin/terminal.cjs",
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20",
  keepNames: true,
  minifySyntax: true,
  minifyWhitespace: true,
  define: { "process.env.NODE_ENV": '"production"', "Intl.Segmenter": "NarrowSegmenter" },
  inject: ["interpreter/terminal/narrow.ts"],
  logLevel: "warning",
  logOverride: { "empty-import-meta": "silent" }, // the layout engine asks where it lies, and does without
  plugins: [rewriting],
  metafile: true,
});

// bundle.cjs has the session and the parser already: a second copy takes time to load, and its objects are strangers.
const copies = Object.keys(metafile.inputs).filter((path) =>
  /^(?:grammar|runtime|interpreter\/(?!terminal\/))/.test(path),
);
if (copies.length > 0) throw new Error(`terminal.cjs may know no more than the types of ${copies.join(", ")}`);

const missing = REWRITES.filter((rewrite) => !done.has(rewrite)).map(({ text }) => text);
if (missing.length > 0) throw new Error(`nowhere to be found: ${missing.join(", ")}`);
