/** What an element looks like on a screen of some size. Ink lays out here; it never sees the real terminal. */
import { EventEmitter } from "node:events";
import { Component, type ReactElement, type ReactNode } from "react";
import { Box, render, type Instance } from "ink";
import type { Size } from "./painter.ts";

/**
 * What ink takes for its terminal. In its debug mode it hands over each frame as a whole, and never looks at what the
 * real terminal is, at CI in the environment, or at what is on the screen already.
 */
class Easel extends EventEmitter {
  columns = 80;
  rows = 24;
  frame = "";
  readonly #changed: () => void;

  constructor(changed: () => void) {
    super();
    this.#changed = changed;
  }
  write(frame: string): boolean {
    this.frame = frame;
    this.#changed();
    return true;
  }
}

interface FuseProps {
  readonly children: ReactNode;
  readonly blow: (error: unknown) => void;
}
/** Keeps ink from painting a page about an error of ours and going on as if it were a frame. */
class Fuse extends Component<FuseProps, { readonly isBlown: boolean }> {
  override state = { isBlown: false };

  static getDerivedStateFromError(): { isBlown: boolean } {
    return { isBlown: true };
  }
  override componentDidCatch(error: unknown): void {
    this.props.blow(error);
  }
  override render(): ReactNode {
    return this.state.isBlown ? null : this.props.children;
  }
}

/**
 * One tree for the whole session, for ink's layout engine loses some memory with each tree that is taken down: a
 * megabyte in a hundred frames or so if every frame were a tree of its own.
 */
export class Framer {
  readonly #easel: Easel;
  #ink: Instance | undefined;
  #errors: unknown[] = [];
  #isDrawing = false;

  /** `changed` is called when a component changes on its own, between two calls of `frame`. */
  constructor(changed: () => void = () => undefined) {
    this.#easel = new Easel(() => {
      if (!this.#isDrawing) changed();
    });
  }

  /** The frame that was laid out last: rows, with SGR sequences if there is colour, blanks at their ends left out. */
  get last(): string {
    return this.#easel.frame;
  }

  /** What a component throws is thrown here. */
  frame(element: ReactElement, { columns, rows }: Size): string {
    Object.assign(this.#easel, { columns, rows });
    this.#isDrawing = true;
    try {
      this.#show(
        <Fuse blow={(error) => this.#errors.push(error)}>
          <Box width={columns} height={rows}>
            {element}
          </Box>
        </Fuse>,
      );
    } finally {
      this.#isDrawing = false;
    }
    if (this.#errors.length > 0) {
      const [error] = this.#errors;
      this.close();
      throw error;
    }
    return this.last;
  }

  close(): void {
    this.#errors = [];
    this.#isDrawing = true;
    this.#ink?.unmount();
    this.#isDrawing = false;
    this.#ink = undefined;
  }

  #show(tree: ReactElement): void {
    if (this.#ink !== undefined) return this.#ink.rerender(tree);
    const nobody = new EventEmitter(); // keys are read by us, and nothing is said on stderr
    this.#ink = render(tree, {
      stdout: this.#easel as unknown as NodeJS.WriteStream,
      stdin: nobody as unknown as NodeJS.ReadStream,
      stderr: nobody as unknown as NodeJS.WriteStream,
      debug: true,
      patchConsole: false,
      exitOnCtrlC: false,
      isScreenReaderEnabled: false,
    });
  }
}

/** For tests of what is drawn: the frame by itself. */
export function frameText(element: ReactElement, size: Size): string {
  const framer = new Framer();
  try {
    return framer.frame(element, size);
  } finally {
    framer.close();
  }
}
