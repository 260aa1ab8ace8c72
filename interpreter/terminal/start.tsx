/** The session in a terminal: keys go to the app, frames to the screen. */
import { App } from "./app.ts";
import { Frame } from "./frame.tsx";
import type { Front } from "./front.ts";
import { Screen } from "./screen.ts";

const SIGNALS: Readonly<Record<"SIGTERM" | "SIGHUP" | "input", number>> = { SIGTERM: 143, SIGHUP: 129, input: 0 };

/** Until somebody leaves; the exit code. */
export function start(front: Front, stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream): Promise<number> {
  return new Promise((resolve) => {
    let isDue = false;
    let isOpen = true;
    const draw = (): void => {
      isDue = false;
      if (!isOpen) return;
      const { state, cursor } = app.frame();
      screen.draw(<Frame state={state} size={screen.size} />, cursor);
    };
    // Several changes in a row are one frame.
    const changed = (): void => {
      if (isDue) return;
      isDue = true;
      setImmediate(draw);
    };
    const leave = (code: number): void => {
      isOpen = false;
      screen.close();
      resolve(code);
    };
    const screen = new Screen(stdin, stdout, {
      key: (key) => app.key(key),
      resize: (size) => app.resize(size),
      resumed: changed,
      ended: (why) => leave(SIGNALS[why]),
    });
    const app = new App(front, screen.size, {
      changed,
      bell: () => screen.bell(),
      suspend: () => screen.suspend(),
      repaint: () => screen.repaint(),
      quit: () => leave(0),
    });
    screen.open();
    draw();
    app.begin();
  });
}
