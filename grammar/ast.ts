import type { SourceText, Span } from "./span.ts";

/**
 * What a script says, before anybody has asked what its names mean. No behaviour and no kernel in here: whether
 * `mutex gpu_lock` declares an object or calls a function is for the binder (it is read as a bare call), and so is
 * whether `start+length` is a sum or a range.
 *
 * Dropped while reading: casts, `const`, `static` and the like, parentheses (a parenthesised expression's `at`
 * includes them), prototypes, preprocessor lines. `->` is kept as `arrow`, `&x` as a unary.
 */
export interface Script {
  readonly kind: "script";
  readonly source: SourceText;
  readonly statements: readonly Statement[];
  /** In order; they belong to no node. */
  readonly comments: readonly Comment[];
  readonly at: Span;
}

/** `# ...`, `// ...`, `/* ... *\/`, with its marks. */
export interface Comment {
  readonly text: string;
  readonly at: Span;
}

/** A name as written, with its place. Hyphens and dots occur in patches, versions and kinds of report only. */
export interface Ident {
  readonly name: string;
  readonly at: Span;
}

/** `{ ... }`, or the one statement of a body without braces. */
export interface Block {
  readonly kind: "block";
  readonly braces: boolean;
  readonly statements: readonly Statement[];
  readonly at: Span;
}

// ---- statements

export type Statement =
  | OnCpu
  | Block
  | KernelLine
  | Include
  | Declare
  | Fn
  | Race
  | Struct
  | Enum
  | Ops
  | Patch
  | Expect
  | Invariant
  | Show
  | Step
  | Fail
  | Sanitizer
  | ScheduleLine
  | If
  | Switch
  | While
  | DoWhile
  | For
  | ForIn
  | ForKernel
  | ForEach
  | Label
  | Goto
  | Return
  | Break
  | Continue
  | Condition
  | Assign
  | ExpressionStatement;

/** `cpu0: statement`, `cpu0, cpu2: { ... } until f`, `cpu1..cpu3: ...`; without a body it only switches CPUs. */
export interface OnCpu {
  readonly kind: "onCpu";
  readonly cpus: Cpus;
  readonly body: Statement | undefined;
  /** Only after a block: a simple statement bears its `until` itself. */
  readonly until: Until | undefined;
  readonly at: Span;
}

/** The CPUs of a label, ranges written out, in the order given, each once. */
export interface Cpus {
  readonly numbers: readonly number[];
  readonly at: Span;
}

/** `kernel v5.2 + odp-v4` */
export interface KernelLine {
  readonly kind: "kernel";
  readonly kernel: KernelName;
  readonly at: Span;
}

/** An era and the patches on top, in order: `parts[0]` is the era. Never empty. */
export interface KernelName {
  readonly parts: readonly Ident[];
  readonly at: Span;
}

/** `include "lib/gpu.hmm" as gpu` */
export interface Include {
  readonly kind: "include";
  readonly path: StringLiteral;
  readonly as: Ident | undefined;
  readonly at: Span;
}

/**
 * `var hits = 0`, `unsigned long seq;`, `struct mm_struct *mm = sub->mm;`, `struct hmm_range range = { ... };`.
 * `var` has no type. Inside a body it is a local, at the top a shared word.
 */
export interface Declare {
  readonly kind: "declare";
  readonly type: CType | undefined;
  readonly names: readonly Declarator[];
  readonly at: Span;
}

/** `unsigned long` is `{ struct: false, name: "unsigned long" }`, `struct gpu` is `{ struct: true, name: "gpu" }`. */
export interface CType {
  readonly struct: boolean;
  readonly name: string;
  readonly at: Span;
}

export interface Declarator {
  readonly name: Ident;
  readonly pointer: boolean;
  /** `u64 pfns[4]` */
  readonly size: Expr | undefined;
  readonly value: Expr | Init | undefined;
  readonly at: Span;
}

/** `fn f(a, b) { ... }` and `static int f(struct x *a, unsigned long b) { ... }`, which are one thing. */
export interface Fn {
  readonly kind: "fn";
  readonly name: Ident;
  readonly params: readonly Param[];
  readonly body: Block;
  readonly at: Span;
}

/** One of a function. `struct x *a` has a type, `a` has none: it is that of whatever is passed. */
export interface Param {
  readonly name: Ident;
  readonly type: CType | undefined;
  readonly pointer: boolean;
}

export interface Race {
  readonly kind: "race";
  readonly body: Block;
  readonly at: Span;
}

/** `enum { GPU_PAGES = 4, GPU_SHIFT };` Its tag, if it has one, is dropped. */
export interface Enum {
  readonly kind: "enum";
  readonly items: readonly Enumerator[];
  readonly at: Span;
}
export interface Enumerator {
  readonly name: Ident;
  readonly value: Expr | undefined;
}

/** `struct gpu { mutex lock; unsigned long seq }` */
export interface Struct {
  readonly kind: "struct";
  readonly name: Ident;
  readonly fields: readonly Declare[];
  readonly at: Span;
}

/** `mmu_notifier_ops ops { release(sub, mm) { ... } }`, `static const struct hmm_mirror_ops ops = { .release = f };` */
export interface Ops {
  readonly kind: "ops";
  readonly type: Ident;
  readonly name: Ident;
  readonly callbacks: readonly Callback[];
  readonly at: Span;
}

export type Callback = CallbackBody | CallbackName;

/** `invalidate(sub, range, seq) { ... }` */
export interface CallbackBody {
  readonly kind: "callbackBody";
  readonly name: Ident;
  readonly params: readonly Param[];
  readonly body: Block;
  readonly at: Span;
}

/** `.invalidate = my_invalidate` */
export interface CallbackName {
  readonly kind: "callbackName";
  readonly name: Ident;
  readonly target: Ident;
  readonly at: Span;
}

/** `patch NAME { fn hmm_range_register(range, mirror) { ... } }` */
export interface Patch {
  readonly kind: "patch";
  readonly name: Ident;
  readonly functions: readonly Fn[];
  readonly at: Span;
}

export interface Expect {
  readonly kind: "expect";
  readonly sometimes: boolean;
  readonly what: Expectation;
  readonly at: Span;
}

export type Expectation = ExpectBlocked | ExpectReport | ExpectNone | ExpectCondition;

/** `expect blocked cpu1 on mm.mmap_sem` */
export interface ExpectBlocked {
  readonly kind: "blocked";
  readonly cpu: CpuName;
  readonly on: Expr | undefined;
  readonly at: Span;
}

/** `expect bug`, `expect bug use-after-free in find_vma`, `expect deadlock`: no `report` means any. */
export interface ExpectReport {
  readonly kind: "report";
  readonly report: Ident | undefined;
  readonly in: Ident | undefined;
  readonly at: Span;
}

/** `expect no bug`, `expect no data-race in f` */
export interface ExpectNone {
  readonly kind: "none";
  readonly report: Ident | undefined;
  readonly in: Ident | undefined;
  readonly at: Span;
}

export interface ExpectCondition {
  readonly kind: "condition";
  readonly test: Expr;
  readonly at: Span;
}

/** `always EXPR`, `never EXPR` */
export interface Invariant {
  readonly kind: "invariant";
  readonly when: "always" | "never";
  readonly test: Expr;
  readonly at: Span;
}

/** `show locks, device gpu` */
export interface Show {
  readonly kind: "show";
  readonly items: readonly ShowItem[];
  readonly at: Span;
}

export interface ShowItem {
  readonly what: Ident;
  readonly name: Ident | undefined;
  readonly at: Span;
}

/** `step`, `step 3` */
export interface Step {
  readonly kind: "step";
  readonly count: number;
  readonly at: Span;
}

/** `fail kmalloc #2`: that call fails. `maybe fail kmalloc`: both are tried. `count` is 1 if not written. */
export interface Fail {
  readonly kind: "fail";
  readonly maybe: boolean;
  readonly function: Ident;
  readonly count: number;
  readonly at: Span;
}

/** `schedule` and a string: the way that `hmm run` goes, unless it is told another. */
export interface ScheduleLine {
  readonly kind: "schedule";
  readonly text: StringLiteral;
  readonly at: Span;
}

/** `sanitizer kcsan` */
export interface Sanitizer {
  readonly kind: "sanitizer";
  readonly names: readonly Ident[];
  readonly at: Span;
}

/** `if`, every `else if` and the `else`; arms are tried in order. */
export interface If {
  readonly kind: "if";
  readonly arms: readonly IfArm[];
  readonly otherwise: Block | undefined;
  readonly at: Span;
}

export interface IfArm {
  readonly test: Expr;
  readonly body: Block;
  readonly at: Span;
}

/** C's `switch`. Arms do not fall through (that is refused) and have lost their last `break`. */
export interface Switch {
  readonly kind: "switch";
  readonly value: Expr;
  readonly arms: readonly SwitchArm[];
  readonly at: Span;
}

/** `case A: case B: ...`; with `isDefault` it also takes what no other arm takes. */
export interface SwitchArm {
  readonly values: readonly Expr[];
  readonly isDefault: boolean;
  readonly body: Block;
  readonly at: Span;
}

export interface While {
  readonly kind: "while";
  readonly test: Expr;
  readonly body: Block;
  readonly at: Span;
}

export interface DoWhile {
  readonly kind: "doWhile";
  readonly body: Block;
  readonly test: Expr;
  readonly at: Span;
}

/** C's `for (first; test; next, next) body`; all three may be missing. */
export interface For {
  readonly kind: "for";
  readonly first: readonly Statement[];
  readonly test: Expr | undefined;
  readonly next: readonly Statement[];
  readonly body: Block;
  readonly at: Span;
}

/** `for addr in 0x1000..0x5000 { ... }`; several values are gone through in order. */
export interface ForIn {
  readonly kind: "forIn";
  readonly name: Ident;
  readonly values: readonly Expr[];
  readonly body: Block;
  readonly at: Span;
}

/** `for kernel in v5.2 + odp-v4, v5.2 { ... }` */
export interface ForKernel {
  readonly kind: "forKernel";
  readonly kernels: readonly KernelName[];
  readonly body: Block;
  readonly at: Span;
}

/** `list_for_each_entry(pos, &head, member) body`: a call of a macro with `for_each` in its name, and a body. */
export interface ForEach {
  readonly kind: "forEach";
  readonly macro: Ident;
  readonly args: readonly Argument[];
  readonly body: Block;
  readonly at: Span;
}

/** `again:`; the statement behind it is the next one of the same list. */
export interface Label {
  readonly kind: "label";
  readonly name: Ident;
  readonly at: Span;
}

export interface Goto {
  readonly kind: "goto";
  readonly label: Ident;
  readonly at: Span;
}

export interface Return {
  readonly kind: "return";
  readonly value: Expr | undefined;
  readonly at: Span;
}

export interface Break {
  readonly kind: "break";
  readonly at: Span;
}

/** `run`: let this CPU go on (always so with `until`). `loop`: the next turn of the loop around it. */
export interface Continue {
  readonly kind: "continue";
  readonly what: "loop" | "run";
  readonly until: Until | undefined;
  readonly at: Span;
}

/** `wait EXPR` (blocks), `assume EXPR` (prunes), `assert EXPR` (BUG_ON): statements over a whole expression. */
export interface Condition {
  readonly kind: "wait" | "assume" | "assert";
  readonly test: Expr;
  readonly until: Until | undefined;
  readonly at: Span;
}

export interface Assign {
  readonly kind: "assign";
  readonly target: Expr;
  readonly op: AssignOp;
  readonly value: Expr | Init;
  readonly until: Until | undefined;
  readonly at: Span;
}

export type AssignOp = "=" | "+=" | "-=" | "*=" | "/=" | "%=" | "&=" | "|=" | "^=" | "<<=" | ">>=";

/** A call, `x++`, or a value to print. A lone name may be a call too: the binder knows. */
export interface ExpressionStatement {
  readonly kind: "expression";
  readonly expr: Expr;
  readonly until: Until | undefined;
  readonly at: Span;
}

/** `until find_vma returns #2`; `count` is 1 if not written. */
export interface Until {
  readonly what: UntilPlace;
  readonly returns: boolean;
  readonly count: number;
  readonly at: Span;
}

export type UntilPlace =
  | { readonly kind: "function"; readonly name: Ident }
  /** `gpu_fault.again` */
  | { readonly kind: "label"; readonly function: Ident; readonly label: Ident }
  | { readonly kind: "text"; readonly text: string }
  /** `step 3`: so many steps of its own. */
  | { readonly kind: "steps"; readonly count: number }
  | { readonly kind: "blocked" };

// ---- expressions

export type Expr =
  | NumberLiteral
  | StringLiteral
  | BooleanLiteral
  | NullLiteral
  | Name
  | CpuName
  | Result
  | Defaults
  | SizeOf
  | TypeName
  | Member
  | Index
  | Call
  | Unary
  | Update
  | Binary
  | Conditional
  | Range;

/** Suffixes are worked in: `4K` is 4096, `1UL` is 1. Never beyond 2^53. */
export interface NumberLiteral {
  readonly kind: "number";
  readonly value: number;
  readonly at: Span;
}

/** `value` has its escapes worked in. */
export interface StringLiteral {
  readonly kind: "string";
  readonly value: string;
  readonly at: Span;
}

export interface BooleanLiteral {
  readonly kind: "boolean";
  readonly value: boolean;
  readonly at: Span;
}

export interface NullLiteral {
  readonly kind: "null";
  readonly at: Span;
}

export interface Name {
  readonly kind: "name";
  readonly name: string;
  readonly at: Span;
}

/** `cpu1` as a value: `kill cpu1`, `cpu1.ret` */
export interface CpuName {
  readonly kind: "cpu";
  readonly number: number;
  readonly at: Span;
}

/** `$`, this CPU's last result */
export interface Result {
  readonly kind: "result";
  readonly at: Span;
}

/** `...`, the defaults, in argument position */
export interface Defaults {
  readonly kind: "defaults";
  readonly at: Span;
}

/** `sizeof(*p)`, `sizeof(struct gpu)`: opaque, `of` is its source text. */
export interface SizeOf {
  readonly kind: "sizeof";
  readonly of: string;
  readonly at: Span;
}

/** A type as an argument: `container_of(sub, struct gpu, sub)` */
export interface TypeName {
  readonly kind: "type";
  readonly type: CType;
  readonly at: Span;
}

/** `mm.mm_users`, `mm->mm_users` */
export interface Member {
  readonly kind: "member";
  readonly object: Expr;
  readonly name: Ident;
  readonly arrow: boolean;
  readonly at: Span;
}

export interface Index {
  readonly kind: "index";
  readonly object: Expr;
  readonly index: Expr;
  readonly at: Span;
}

/** `f(a, b)` and, with `bare`, `f a b`. The callee is a name or a member (`ops->invalidate`, an included `g.fault`). */
export interface Call {
  readonly kind: "call";
  readonly callee: Expr;
  readonly args: readonly Argument[];
  readonly bare: boolean;
  readonly at: Span;
}

export interface Argument {
  /** `name=value` */
  readonly name: Ident | undefined;
  readonly value: Expr;
  readonly at: Span;
}

export interface Unary {
  readonly kind: "unary";
  readonly op: "-" | "+" | "!" | "~" | "&" | "*";
  readonly operand: Expr;
  readonly at: Span;
}

/** `x++`, `--x` */
export interface Update {
  readonly kind: "update";
  readonly op: "++" | "--";
  readonly prefix: boolean;
  readonly operand: Expr;
  readonly at: Span;
}

export interface Binary {
  readonly kind: "binary";
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly at: Span;
}

export type BinaryOp =
  "||" | "&&" | "|" | "^" | "&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "<<" | ">>" | "+" | "-" | "*" | "/" | "%";

/** `test ? yes : no` */
export interface Conditional {
  readonly kind: "conditional";
  readonly test: Expr;
  readonly yes: Expr;
  readonly no: Expr;
  readonly at: Span;
}

/** `a..b` has an end, `a..+n` a length, `a..` (one page) neither. */
export interface Range {
  readonly kind: "range";
  readonly start: Expr;
  readonly end: Expr | undefined;
  readonly length: Expr | undefined;
  readonly at: Span;
}

/** `{ .start = a, .end = b }`; `{}` and `{ 0 }` have no fields. Only as the right side of `=`. */
export interface Init {
  readonly kind: "init";
  readonly fields: readonly InitField[];
  readonly at: Span;
}

/** `.start = a`, `[2] = a`, or just the next one: `a`. */
export interface InitField {
  readonly name: Ident | undefined;
  readonly index: Expr | undefined;
  readonly value: Expr | Init;
  readonly at: Span;
}
