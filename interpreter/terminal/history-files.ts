/** The file that a history is kept in: for nobody else to read, and shared with other sessions without a lock. */
import {
  chownSync,
  closeSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import type { HistoryFiles } from "../session/history.ts";

/** Of a larger file only the end is read: however it came about, a prompt should not wait for it. */
const READ_MAX = 8 << 20;
const OWNER_ONLY = 0o600;

export const historyFiles: HistoryFiles = {
  read(path) {
    if (kindOf(path) !== "file") return undefined;
    return using(openSync(path, "r"), (file) => {
      restrict(file);
      return readEnd(file).text;
    });
  },

  append(path, text) {
    if (kindOf(path) === "device") return;
    using(openToAppend(path), (file) => {
      restrict(file);
      // A write that was cut short, by a full disk or a power cut, spoils one entry, not the next one too.
      writeFileSync(file, endsInLine(file) ? text : `\n${text}`);
    });
  },

  replace(path, change) {
    const target = realpathSync(path); // where the path is a link, it stays one
    const draft = `${target}.${process.pid}.tmp`;
    using(openSync(target, "r"), (old) => {
      const { text, end } = readEnd(old);
      try {
        rmSync(draft, { force: true }); // of a session that was killed
        writeFileSync(draft, change(text), { mode: OWNER_ONLY, flag: "wx", flush: true });
        const { uid, gid, ino } = fstatSync(old);
        if (uid !== process.getuid?.()) chownSync(draft, uid, gid); // root's doing, but still the user's file
        if (statSync(target).ino !== ino) return rmSync(draft); // another session was faster, and goes on there
        renameSync(draft, target);
      } catch (error) {
        rmSync(draft, { force: true });
        throw error;
      }
      // What other sessions have appended since it was read is in the old file, which has no name any more.
      const late = readFrom(old, end);
      if (late.length > 0) historyFiles.append(path, late.toString());
    });
  },
};

function using<T>(file: number, act: (file: number) => T): T {
  try {
    return act(file);
  } finally {
    closeSync(file);
  }
}

/** Asked before it is opened: opening a pipe waits for somebody at the other end. */
function kindOf(path: string): "file" | "device" | "none" {
  try {
    const found = statSync(path);
    if (found.isFile()) return "file";
    if (found.isCharacterDevice()) return "device"; // `/dev/null`, which some say for no history at all
    throw new Error(found.isDirectory() ? "it is a folder" : "it is not a file");
  } catch (error) {
    if (isMissing(error)) return "none";
    throw error;
  }
}
function openToAppend(path: string): number {
  try {
    return openSync(path, "a+", OWNER_ONLY);
  } catch (error) {
    if (!isMissing(error)) throw error;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, "a+", OWNER_ONLY);
  }
}
function isMissing(error: unknown): boolean {
  return (error as { code?: string }).code === "ENOENT";
}
function restrict(file: number): void {
  const found = fstatSync(file);
  if (!found.isFile() || (found.mode & 0o077) === 0) return; // root could shut `/dev/null` to everybody
  try {
    fchmodSync(file, OWNER_ONLY);
  } catch {
    // not ours, or on a disk that is read only: what was open to others before stays so
  }
}

function endsInLine(file: number): boolean {
  const { size } = fstatSync(file);
  return size === 0 || readFrom(file, size - 1)[0] === 10;
}
/** Whole lines from the end of a file, and how far it went when they were read. */
function readEnd(file: number): { text: string; end: number } {
  const { size } = fstatSync(file);
  const start = Math.max(0, size - READ_MAX);
  const bytes = readFrom(file, start);
  const first = start === 0 ? 0 : bytes.indexOf(10) + 1 || bytes.length;
  return { text: bytes.toString("utf8", first), end: start + bytes.length };
}
function readFrom(file: number, start: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - start));
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(file, bytes, length, bytes.length - length, start + length);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}
