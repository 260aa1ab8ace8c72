/** Words with a meaning of their own in the language. None of them is reserved, and none is the kernel's. */

/** C's words for types that stand at the head of a declaration; names that end in `_t` are added by the parser. */
export const typeWords: ReadonlySet<string> = new Set([
  ..."void char short int long signed unsigned float double bool _Bool".split(" "),
  ..."u8 u16 u32 u64 s8 s16 s32 s64 __u8 __u16 __u32 __u64 uint ulong ushort".split(" "),
]);

/** Words round a type that say nothing here. */
export const storageWords: ReadonlySet<string> = new Set(
  "static extern const inline volatile register __inline __always_inline noinline __maybe_unused __user".split(" "),
);

/** Attributes, which may stand anywhere round a type or a name: nothing here goes by them. */
export const attributes: ReadonlySet<string> = new Set(
  "__must_check __rcu __iomem __percpu __init __exit __always_unused __used __cold __force __read_mostly".split(" "),
);

/** Words that name a type together with the name behind them. */
export const tagWords: ReadonlySet<string> = new Set(["struct", "union", "enum"]);

/** The kinds of report that a script can expect. `bug` is BUG_ON and, in `expect bug`, any report. */
export const reportKinds: readonly string[] = [
  "livelock",
  "use-after-free",
  "double-free",
  "null-deref",
  "list-corruption",
  "refcount",
  "deadlock",
  "lockdep",
  "data-race",
  "sleep-in-atomic",
  "rcu",
  "warning",
  "bug",
  "stale-translation",
  "leak",
  "expectation",
];

/** CPUs are numbered from 0; a label beyond this is a slip of the hand, and `cpu1..cpu99999999` must stay small. */
export const maxCpuNumber = 63;

/** How deep brackets, blocks, operators and statements may nest: deeper ones would end the stack, not the script. */
export const maxNesting = 64;

/** How many operators or members may follow one another in an expression. */
export const maxChain = 500;
