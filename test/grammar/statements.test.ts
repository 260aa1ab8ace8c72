import { test } from "uvu";
import { checkTrees } from "./support/tree.ts";

// What scripts say.

test("CPUs", () => {
  checkTrees([
    ["cpu0: mmput mm", "(cpu 0: mmput(mm))"],
    ["cpu1:", "(cpu 1:)"],
    ["CPU0 : f", "(cpu 0: f)"],
    ["cpu1, cpu2: f", "(cpu 1,2: f)"],
    ["cpu1..cpu3: f; g", "(cpu 1,2,3: f); g"],
    ["cpu1: { f; g } until h", "(cpu 1: {f; g} until h)"],
    ["cpu0:\n{\n f\n}", "(cpu 0: {f})"],
    ["cpu1.x", "cpu1.x"],
    ["cpu1.x == 3", "[cpu1.x == 3]"],
    ["cpu0: if (x) { a } else { b }", "(cpu 0: (if x {a} else {b}))"],
    ["cpu0: { a } cpu1: { b }", "(cpu 0: {a}); (cpu 1: {b})"],
  ]);
});

test("until", () => {
  checkTrees([
    ["cpu0: mmput mm until exit_mmap", "(cpu 0: mmput(mm) until exit_mmap)"],
    ["cpu0: x = f until g()", "(cpu 0: (x = f until g))"],
    ["cpu0: continue until mmu_notifier_release returns", "(cpu 0: (continue run until mmu_notifier_release returns))"],
    ["cpu0: continue", "(cpu 0: (continue run))"],
    ['cpu0: f until "kfree(vma)"', '(cpu 0: f until "kfree(vma)")'],
    ["cpu0: f until blocked", "(cpu 0: f until [blocked])"],
    ["cpu0: f until gpu_fault.again", "(cpu 0: f until gpu_fault.again)"],
    ["wait x until f", "(wait x until f)"],
  ]);
});

test("kernels", () => {
  checkTrees([
    ["kernel v5.2 + odp-v4+odp-mmget-not-zero", "(kernel v5.2 + odp-v4 + odp-mmget-not-zero)"],
    ["kernel v2.6.27", "(kernel v2.6.27)"],
    ["kernel mmu-notifier-v3", "(kernel mmu-notifier-v3)"],
    ["kernel v5.2-rc1", "(kernel v5.2-rc1)"],
    [
      "for kernel in v5.2 + odp-v4, v5.2 { race { cpu0: f } }",
      "(for kernel v5.2 + odp-v4, v5.2 {(race {(cpu 0: f)})})",
    ],
    ["patch mine-2 { fn f(a) { base(a) } }", "(patch mine-2 (fn f(a) {base(a)}))"],
  ]);
});

test("declarations", () => {
  checkTrees([
    ['include "lib/gpu.hmm"', "(include lib/gpu.hmm)"],
    ['include "lib/gpu.hmm" as g', "(include lib/gpu.hmm as g)"],
    ["var hits = 0, b", "(declare var: hits = 0, b)"],
    ["mutex gpu_lock", "mutex(gpu_lock)"],
    [
      "struct gpu { mutex lock; mmu_interval_notifier sub; unsigned long seq }",
      "(struct gpu (declare mutex: lock) (declare mmu_interval_notifier: sub) (declare unsigned long: seq))",
    ],
    ["fn f { g }", "(fn f() {g})"],
    ["fn f(a b) { g }", "(fn f(a, b) {g})"],
    [
      "mmu_notifier_ops ops {\n release(a, b) {\n  f\n }\n .x = &y\n}",
      "(ops mmu_notifier_ops ops release(a, b){f} x=y)",
    ],
    ["hmm_range r = { .start = 1, .end = f(a, b) }", "(declare hmm_range: r = {.start=1, .end=f(a, b)})"],
  ]);
});

test("expectations", () => {
  checkTrees([
    ["expect ret == -EFAULT", "(expect [ret == [- EFAULT]])"],
    ["expect sometimes ret == 0", "(expect sometimes [ret == 0])"],
    ["expect sometimes -EFAULT == ret", "(expect sometimes [[- EFAULT] == ret])"],
    ["expect sometimes - 1", "(expect [sometimes - 1])"],
    ["expect bug", "(expect report any)"],
    ["expect bug use-after-free in find_vma", "(expect report use-after-free in find_vma)"],
    ["expect bug bug", "(expect report bug)"],
    ["expect use-after-free in f()", "(expect report use-after-free in f)"],
    ["expect deadlock", "(expect report deadlock)"],
    ["expect no bug", "(expect none any)"],
    ["expect no data-race", "(expect none data-race)"],
    ["expect blocked cpu1 on mm.mmap_sem", "(expect blocked cpu1 on mm.mmap_sem)"],
    ["expect sometimes blocked cpu1", "(expect sometimes blocked cpu1)"],
    ["expect warning == 1", "(expect [warning == 1])"],
    ["expect bug in f", "(expect report any in f)"],
    ["always mm.mm_count >= 0", "(always [mm.mm_count >= 0])"],
    ["never a && b", "(never [a && b])"],
  ]);
});

test("the rest", () => {
  checkTrees([
    ["show locks, device gpu, mm", "(show locks, device gpu, mm)"],
    ["cpu1: step 3", "(cpu 1: (step 3))"],
    ["step", "(step 1)"],
    ["fail kmalloc", "(fail kmalloc #1)"],
    ["maybe fail kzalloc", "(maybe fail kzalloc #1)"],
    ["sanitizer kcsan", "(sanitizer kcsan)"],
    ['schedule "0*3.1"', '(schedule "0*3.1")'],
    ["wait hits == 1", "(wait [hits == 1])"],
    ["assume x", "(assume x)"],
    ["assert (a) == b", "(assert [a == b])"],
    ["race { cpu0: a; cpu1: b }", "(race {(cpu 0: a); (cpu 1: b)})"],
  ]);
});

test("words are names where they do not head a statement", () => {
  checkTrees([
    ["race = 1", "(race = 1)"],
    ["show.x = 2", "(show.x = 2)"],
    ["step++", "[step ++]"],
    ["expect += 1", "(expect += 1)"],
    ["kernel->x = 1", "(kernel->x = 1)"],
    ["step(3)", "step(3)"],
    ["fail(x)", "fail(x)"],
    ["f race show expect", "f(race, show, expect)"],
    ["x = kernel + step", "(x = [kernel + step])"],
    ["blocked = no", "(blocked = no)"],
  ]);
});

test.run();
