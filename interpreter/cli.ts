/** `hmm`: the command line. Everything it does is a function of its arguments and an `Io`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { drive } from "./breathing.ts";
import { commandLine } from "./main.ts";
import type { Io } from "./io.ts";

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readFile: (path) => readFileSync(path, "utf8"),
  writeFile: (path, text) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  },
  listFolder: (path) => readdirSync(path),
  exists: (path) => existsSync(path),
  readStdin: () => readFileSync(0, "utf8"),
  status: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  },
  onInterrupt: (stop) => {
    process.on("SIGINT", stop);
    return () => process.off("SIGINT", stop);
  },
};

process.stdout.on("error", () => process.exit(0)); // `hmm ... | head`
process.stderr.on("error", () => undefined); // `hmm ... 2>&1 | head`: the exit code still says what was found
void drive(commandLine(process.argv.slice(2), io)).then((code) => (process.exitCode = code));
