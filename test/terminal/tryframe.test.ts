import { test } from "uvu";
import { renderToString } from "ink";
import { createElement } from "react";
import { sitDown } from "../session/desk.ts";
import { App } from "../../interpreter/terminal/app.ts";
import { Frame } from "../../interpreter/terminal/frame.tsx";
import { frontOf } from "../../interpreter/view/front.ts";
test("try", async () => {
  const s = sitDown();
  s.desk.depth = "steps";
  s.type(":kernel v5.2 + odp-v4", "ib_umem_odp umem", "cpu0: mmap 0x1000..0x4000", "cpu0: ib_umem_odp_get umem 0x1000..0x4000",
   "race {", "  cpu0: mmput mm", "cpu1: ret = pagefault_mr umem 0x1000..0x3000", "}", "cpu1: step 3", "cpu1: continue until find_vma", ":step cpu0 8");
  for (const [columns, rows] of [[80, 24], [160, 50], [50, 20]] as const) {
    const app = new App(frontOf(s.desk, { entries: [], problem: undefined, add() {} }), { columns, rows }, { changed() {}, bell() {}, suspend() {}, repaint() {}, quit() {} });
    const t = performance.now();
    for (let i = 0; i < 10; i++) renderToString(createElement(Frame, { state: app.frame().state, size: { columns, rows } }), { columns });
    const ms = (performance.now() - t) / 10;
    const t2 = performance.now();
    const f = frontOf(s.desk, { entries: [], problem: undefined, add() {} });
    for (let i = 0; i < 10; i++) f.view(3);
    console.log(renderToString(createElement(Frame, { state: app.frame().state, size: { columns, rows } }), { columns }));
    console.log(ms.toFixed(1), "ms render;", ((performance.now() - t2) / 10).toFixed(1), "view");
  }
});
test.run();
