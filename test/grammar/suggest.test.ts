import { test } from "uvu";
import * as assert from "uvu/assert";
import { distance, nearest } from "../../grammar/suggest.ts";

test("a swap of two neighbours counts once", () => {
  assert.is(distance("agian", "again", 9), 1);
  assert.is(distance("hmm_range_falt", "hmm_range_fault", 9), 1);
  assert.is(distance("kitten", "sitting", 9), 3);
  assert.is(distance("", "abc", 9), 3);
  assert.ok(distance("abcdef", "uvwxyz", 2) > 2);
});

test("the nearest name is suggested, if it is near", () => {
  const names = ["mmget", "mmput", "mmget_not_zero", "hmm_range_fault"];
  assert.is(nearest("hmm_range_falt", names), "hmm_range_fault");
  assert.is(nearest("mmgte", names), "mmget");
  assert.is(nearest("MMPUT", names), "mmput");
  assert.is(nearest("kfree", names), undefined);
  assert.is(nearest("mm", ["x", "yz"]), undefined);
  assert.is(nearest("x", []), undefined);
});

test.run();
