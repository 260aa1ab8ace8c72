/** A terminal that nobody sits at: for the build, which runs through a session once, and for tests. */
import { PassThrough, Writable } from "node:stream";
import type { Size } from "./painter.ts";

export interface Pretended {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** What the keys are set to: "raw", or "cooked" as a shell wants them. */
  readonly mode: () => "raw" | "cooked";
  readonly type: (bytes: string | Buffer) => void;
  readonly resize: (size: Size) => void;
}

/** `see` is shown everything that is written. */
export function pretendTerminal(size: Size, see: (text: string) => void = () => undefined): Pretended {
  let isRaw = false;
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (raw: boolean) => void (isRaw = raw),
  });
  const stdout = Object.assign(new Writable({ decodeStrings: false, write: (text, _, done) => done(void see(text)) }), {
    isTTY: true,
    ...size,
  });
  return {
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    mode: () => (isRaw ? "raw" : "cooked"),
    type: (bytes) => void stdin.write(bytes),
    resize: (now) => void Object.assign(stdout, now).emit("resize"),
  };
}
