/** What commands need of the world, so that tests can run them in process. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Text of a file; throws an Error whose message says why not. */
  readFile(path: string): string;
  writeFile(path: string, text: string): void;
  /** Names of the files in a folder; throws likewise. */
  listFolder(path: string): string[];
  exists(path: string): boolean;
  readStdin(): string;
  /** A line that the next one replaces, where a person looks on; empty: takes it away. */
  status(text: string): void;
  /** Calls back when the user wants to stop; returns how to stop listening. */
  onInterrupt(stop: () => void): () => void;
}

/** 0 as expected; 1 an expectation fails; 2 the script or the command line is wrong; 3 a limit was reached. */
export type ExitCode = 0 | 1 | 2 | 3 | 70 | 130;

/** Of several outcomes the one to tell: a fault of ours first, then what the user can mend, then what was found. */
export function worst(codes: readonly ExitCode[]): ExitCode {
  const order: readonly ExitCode[] = [70, 2, 1, 130, 3];
  return order.find((code) => codes.includes(code)) ?? 0;
}
