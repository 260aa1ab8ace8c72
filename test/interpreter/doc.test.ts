/**
 * `hmm doc`: goldens to be read, and that they are the truth: whatever the machine does in a function stands in what
 * is printed of it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../../grammar/span.ts";
import { includesOf } from "../../interpreter/commands/load.ts";
import { bindScript } from "../../interpreter/bind/script.ts";
import { allNames } from "../../interpreter/commands/doc.ts";
import { shaped } from "../../interpreter/doc-shape.ts";
import { bodyText } from "../../interpreter/doc-text.ts";
import { Unroller } from "../../interpreter/doc-unroll.ts";
import { allTypes } from "../../interpreter/doc-world.ts";
import { Seeded } from "../../interpreter/pickers.ts";
import { kernelText } from "../../interpreter/program.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { record } from "../../interpreter/trace.ts";
import { callables, declarableTypes, patches } from "../../runtime/kernel.ts";
import type { FunctionBody } from "../../runtime/machine/automaton.ts";
import { allFunctions } from "../../runtime/machine/function.ts";
import { mutated, type Mutation } from "../../runtime/machine/mutation.ts";
import { DEFAULT_ERA, ERAS, existsIn, functionIn, resolveBodies, type Era } from "../../runtime/patch.ts";
import { hmm, type Ran } from "../support/cli.ts";

const test = suite("doc");
const GOLDENS = "test/golden/doc";
const UPDATE = process.env["UPDATE"] === "1";

const golden: Readonly<Record<string, readonly string[]>> = {
  mmput: ["mmput"],
  exit_mmap: ["exit_mmap"],
  find_vma: ["find_vma"],
  hmm_range_register: ["hmm_range_register"],
  "hmm_range_register-diff": ["hmm_range_register", "--diff", "v5.2", "v5.2 + hmm-range-mmget"],
  hmm_range_fault: ["hmm_range_fault"],
  hmm_range_unregister: ["hmm_range_unregister"],
  hmm_release: ["hmm_release"],
  hmm_free: ["hmm_free"],
  mmu_notifier_register: ["mmu_notifier_register"],
  do_mmu_notifier_register: ["do_mmu_notifier_register"],
  __mmu_notifier_release: ["__mmu_notifier_release"],
  vm_munmap: ["vm_munmap"],
  __do_munmap: ["__do_munmap"],
  down_read: ["down_read"],
  spin_lock: ["spin_lock"],
  walk_page_range: ["walk_page_range"],
  ib_umem_odp_map_dma_pages: ["ib_umem_odp_map_dma_pages"],
  "ib_umem_odp_map_dma_pages-mmget": ["ib_umem_odp_map_dma_pages", "--kernel", "v5.2 + odp-v4 + odp-mmget-not-zero"],
  overview: [],
};
/**
 * Functions that go through lists of pages, files or families: no made-up situation brings together all that their
 * longest ways ask for, so that some of their steps are missing in what is printed.
 */
const tooDeep = new Set(
  (
    "__mmu_notifier_register __mmu_notifier_invalidate_range insert_pfn_pud do_madvise hmm_vma_walk_pud " +
    "__split_huge_pud hmm_vma_walk_hole_ hmm_vma_walk_pmd add_to_page_cache_lru __unmap_and_move try_to_unmap_one " +
    "wp_clean_pre_vma wp_clean_post_vma " +
    "rmap_walk migrate_page remove_migration_pte iommu_read khugepaged_scan_file collapse_file retract_page_tables " +
    "pmd_clear_bad mremap_to move_normal_pmd unmap_mapping_pages truncate_inode_pages move_ptes move_page_tables " +
    "wp_clean_pre_vma wp_clean_post_vma set_pmd_migration_entry unmap_and_move " +
    "vma_rb_erase change_huge_pmd ioremap_page_range mn_itree_inv_start_range __mmu_interval_notifier_insert " +
    "wait_event free_swap_and_cache delete_from_swap_cache try_to_free_swap madvise_free_pte_range " +
    "mmu_notifier_get_locked __mmu_notifier_mm_destroy"
  ).split(" "),
);
const known = new Map<string, Ran>();
/** Names that scripts, and what they include, give to functions of their own. */
const ofScripts = new Set(["sync_cpu_device_pagetables"]);
const documented: ReadonlySet<string> = new Set(allNames());
/** What is printed of a function: it takes a while, and is asked for more than once. */
function docOf(name: string, kernel?: string): Ran {
  const key = `${name} ${kernel ?? ""}`;
  const ran = known.get(key) ?? hmm(["doc", name, ...(kernel === undefined ? [] : ["--kernel", kernel])]);
  known.set(key, ran);
  return ran;
}

for (const [name, args] of Object.entries(golden))
  test(name, () => {
    const ran = hmm(["doc", ...args]);
    assert.is(ran.code, 0, ran.err);
    const path = `${GOLDENS}/${name}.txt`;
    if (UPDATE) {
      mkdirSync(GOLDENS, { recursive: true });
      writeFileSync(path, ran.out);
    }
    assert.ok(existsSync(path), `${path} is missing; UPDATE=1 writes it`);
    assert.is(ran.out, readFileSync(path, "utf8"));
  });

test("every golden has a case", () => {
  const orphans = readdirSync(GOLDENS).filter((file) => golden[file.replace(/\.txt$/, "")] === undefined);
  if (UPDATE) for (const file of orphans) unlinkSync(`${GOLDENS}/${file}`);
  assert.equal(UPDATE ? [] : orphans, []);
});

/** Every kernel of the model: each era as it is, and with each patch and what that needs. */
function kernels(): string[] {
  const needs = (name: string): string[] => {
    const patch = patches.find((p) => p.name === name);
    return [...(patch?.needs.flatMap(needs) ?? []), name];
  };
  return ERAS.flatMap((era) => [
    era,
    ...patches.filter((p) => p.eras.includes(era)).map((p) => [era, ...needs(p.name)].join(" + ")),
  ]);
}

test("every name can be documented in every kernel, in lines that fit a page", () => {
  for (const name of allNames()) {
    const ran = docOf(name);
    assert.is(ran.code, 0, `${name}: ${ran.err}`);
    assert.is(/machine runs it:\n\n +nothing\n/.test(ran.out), name === "cleanup_srcu_struct", name);
    for (const line of ran.out.split("\n")) assert.ok(line.length <= 100, `${name}: ${line}`);
  }
  // Each body once: most are the same in most kernels.
  const seen = new Set<unknown>();
  for (const kernel of kernels()) {
    const [era, ...names] = kernel.split(" + ");
    const chosen = names.flatMap((name) => patches.filter((p) => p.name === name));
    for (const [id, { name, body }] of resolveBodies(era as Era, chosen).bodies) {
      const isNew = !seen.has(body) && kernel !== DEFAULT_ERA;
      seen.add(body);
      const fn = allFunctions().find((f) => f.id === id);
      if (isNew && fn?.info.internal !== true && allNames().includes(name))
        assert.is(docOf(name, kernel).code, 0, `${name} in ${kernel}`);
    }
  }
});

// ---- the truth

/** A step without the names that a run gives to objects: what is done, and to which member. */
function generic(text: string, isAtom: boolean): string {
  return text
    .replace(/\b(set_p[gumt][de]_at|pmdp_invalidate|pmdp_set_wrprotect)\([^;]*\)/g, "$1(V)") // values have many names
    .replace(/\bp[gumt][de](#\d+)?\[[^\]]*\]/g, "V")
    .replace(/[*&](?=[A-Za-z])|\.\.\./g, (all) => (all === "..." ? "V" : ""))
    .replace(/\[[^\]\n]*\]/g, "[]")
    .replace(/0x[0-9a-f]+|-?\b\d+\b|-E[A-Z]+|"[^"]*"/g, "V")
    .replace(/[A-Za-z_][\w#]*((?:(?:->|\.)\w+)*)(?!\w|\()/g, (_all, path: string) => {
      const last = /\w+$/.exec(path)?.[0];
      if (last === undefined) return "V";
      return isAtom && !/^(next|prev|first|pprev)$/.test(last) ? "V" : `.${last}`;
    })
    .replace(/&(?=V)/g, "")
    .replace(/(\.\w+) = \1 [-+] V/g, "$1 = V")
    .replace(/\s+/g, " ");
}

const readFile = includesOf("scripts/all.hmm", { readFile: (path) => readFileSync(path, "utf8") });

const kernelsSeen = new Map<string, ReturnType<typeof resolveBodies>["bodies"]>();
const bodiesSeen = new Map<unknown, number>();
/** Kernels that have the same body, and call members alike, print the same. */
function bodyKey(name: string, kernel: string): string {
  const [era = "", ...chosen] = kernel.split(" + ");
  const bodies =
    kernelsSeen.get(kernel) ??
    resolveBodies(
      era as Era,
      chosen.flatMap((one) => patches.filter((p) => p.name === one)),
    ).bodies;
  kernelsSeen.set(kernel, bodies);
  const body = bodies.get(functionIn(name, era as Era)?.id ?? 0)?.body ?? name;
  bodiesSeen.set(body, bodiesSeen.get(body) ?? bodiesSeen.size);
  const others = allTypes().flatMap(({ otherNames = [] }) => otherNames.filter((other) => existsIn(other, era)));
  return `${name} ${bodiesSeen.get(body)} ${others.map((other) => other.name).join(" ")}`;
}

test("whatever a script makes the machine do stands in what is printed of the function that does it", () => {
  const printed = new Map<string, string>();
  const missing = new Set<string>();
  const isAtom = (name: string): boolean => allFunctions().some((fn) => fn.name === name && fn.info.atom === true);
  for (const file of readdirSync("scripts").filter((name) => name.endsWith(".hmm"))) {
    const path = `scripts/${file}`;
    const text = readFileSync(path, "utf8");
    const [program] = bindScript(new SourceText(path, text), { readFile }).programs;
    // What stands deeper than a function of the script is a body of its own patch.
    const own = new Set([...text.matchAll(/^ +fn (\w+)\(/gm)].map(([, name]) => name));
    if (program === undefined) throw new Error(`${path} does not bind`);
    const isPatched = (fn: string): boolean =>
      patches.some((p) => program.kernel.patches.includes(p.name) && p.replacements.some((r) => r.fn.name === fn));
    for (let seed = 1; seed <= 6; seed++)
      for (const event of record(simulate(program), new Seeded(seed), { maxSteps: 5000 }).events) {
        if (event.kind !== "step") continue;
        const fn = event.stack.at(-1);
        // A function of a script is none of the kernel's, though it be called like one.
        if (fn === undefined || !documented.has(fn) || ofScripts.has(fn) || own.has(fn) || tooDeep.has(fn)) continue;
        const kernel = isPatched(fn) ? kernelText(program.kernel) : program.kernel.era;
        const key = bodyKey(fn, kernel);
        if (!printed.has(key)) {
          const body = docOf(fn, kernel).out.split("as the machine runs it:")[1] ?? "";
          printed.set(key, generic(body, isAtom(fn)));
        }
        const step = generic(event.text, isAtom(fn));
        // What C reaches through a pointer parameter goes by that parameter's name.
        const isCall = /^\w+\([^,]*,/.exec(step)?.[0];
        const through = [
          isCall ?? step,
          step,
          step.replace(/^\.\w+ = /, "V = "),
          step.replace(/^\.\w+\[\] = /, ".pfns[] = "),
        ];
        through.push(step.replace(/^\.\w+\[\] = /, "V[] = "));
        if (!through.some((one) => printed.get(key)?.includes(one) === true))
          missing.add(`${fn}: ${event.text} (${step})`);
      }
  }
  assert.equal([...missing], []);
  assert.ok(printed.size > 60, String(printed.size));
});

function bodyOf(name: string, mutations: readonly Mutation[] = []): string[] {
  const { bodies } = resolveBodies(DEFAULT_ERA, []);
  const fn = functionIn(name, DEFAULT_ERA);
  if (fn === undefined) throw new Error(`no function ${name}`);
  const changed = new Map(
    [...bodies].map(([id, entry]): [number, FunctionBody] => {
      const body = (...args: readonly unknown[]) =>
        mutated(
          entry.name,
          () => entry.body(...(args as never[])) as ReturnType<Parameters<typeof mutated>[1]>,
          mutations,
          (callee) => bodies.get(callee)?.name ?? "",
        );
      return [id, { ...entry, body: body as unknown as FunctionBody["body"] }];
    }),
  );
  return bodyText(shaped(new Unroller(changed).tree(fn.id).lines));
}

test("a step that is left out of a body is left out of what is printed", () => {
  for (const [fn, drop, result] of [
    ["hmm_range_register", "list_add_rcu", undefined],
    ["hmm_range_register", "mutex_unlock", undefined],
    ["exit_mmap", "mmu_notifier_release", undefined],
    ["hmm_release", "hmm->dead", undefined],
    ["__mmu_notifier_release", "synchronize_srcu", undefined],
    ["mmput", "atomic_dec_and_test", true],
    ["__vm_munmap", "down_write_killable", 0],
    ["wp_page_copy", "ptep_get_and_clear", 0],
  ] as const) {
    const whole = bodyOf(fn);
    const cut = bodyOf(fn, [{ in: fn, drop, result }]);
    assert.ok(
      whole.some((line) => line.includes(drop)),
      `${fn} has ${drop}`,
    );
    assert.not.equal(cut, whole, `${fn} without ${drop}`);
    assert.not.ok(
      cut.some((line) => line.includes(drop)),
      `${fn}: ${drop} is still there`,
    );
  }
});

test("what is printed is the same every time", () => {
  for (const name of ["hmm_range_fault", "__do_munmap"]) assert.is(hmm(["doc", name]).out, hmm(["doc", name]).out);
});

// ---- the command

test("doc: everything that a script can call, and each of it", () => {
  const overview = hmm(["doc"]).out;
  const flat = (text: string): string => text.replace(/\s+/g, " ");
  for (const { name, summary, params, synonymOf } of callables) {
    assert.ok(overview.includes(synonymOf === undefined ? `  ${name}(` : name), name);
    const { code, out } = docOf(name);
    assert.is(code, 0);
    assert.ok(flat(out).includes(summary), name);
    for (const param of params) if (param.of.kind !== "current-mm") assert.ok(out.includes(`  ${param.name}: `), name);
  }
  for (const type of Object.keys(declarableTypes)) assert.ok(overview.includes(type), type);
  for (const name of allNames()) assert.ok(overview.includes(name), name);
});

test("a wrong command line is exit 2, with a reason", () => {
  for (const [args, reason] of [
    [["doc", "findvma"], /did you mean find_vma\?/],
    [["doc", "mmput", "mmget"], /one name/],
    [["doc", "mmput", "--kernel", "v9.9"], /no kernel is called `v9.9`/],
    [["doc", "mmput", "--diff", "v5.2"], /--diff takes/],
    [["doc", "mmput", "--diff", "v5.2", "v5.2 + nonsense"], /no patch is called/],
  ] as const) {
    const ran = hmm(args);
    assert.is(ran.code, 2, args.join(" "));
    assert.match(ran.err, reason);
  }
});

test("explain: a name is as good there, and equal bodies are said to be equal", () => {
  assert.is(hmm(["explain", "mmput"]).out, hmm(["doc", "mmput"]).out);
  assert.match(hmm(["doc", "find_vma", "--diff", "v5.2", "v5.2 + hmm-range-mmget"]).out, /The bodies are the same/);
});

test.run();
