/** What a step does to the set of locks that are held. */
import { release } from "./doc-answer.ts";
import type { Situation } from "./doc-follow.ts";

const READ = " (read)";
const TAKES: Readonly<Record<string, string>> = {
  down_read: READ,
  down_read_killable: READ,
  down_read_trylock: READ,
  down_write: "",
  down_write_killable: "",
  down_write_trylock: "",
  mutex_lock: "",
  mutex_trylock: "",
  spin_lock: "",
  spin_lock_nested: "",
  spin_trylock: "",
  srcu_read_lock: "",
  rcu_read_lock: "",
};
const GIVES: Readonly<Record<string, string>> = {
  up_read: READ,
  up_write: "",
  mutex_unlock: "",
  spin_unlock: "",
  srcu_read_unlock: "",
  rcu_read_unlock: "",
};

/** `text` is the step as C has it; a trylock that fails takes nothing. */
export function lockEffect(s: Situation, text: string, result: unknown): void {
  const [, name = "", lock = ""] = /^(\w+)\(&?([^,)]*)(?:, \d)?\)$/.exec(text) ?? [];
  const what = lock === "" ? "rcu" : lock;
  const takes = TAKES[name];
  if (takes !== undefined && result !== false && !(typeof result === "number" && result < 0)) {
    if (!s.locks.includes(what + takes)) s.locks.push(what + takes);
  }
  const gives = GIVES[name];
  if (gives !== undefined) release(s, what + gives);
  if (name === "downgrade_write") {
    release(s, what);
    s.locks.push(what + READ);
  }
}
