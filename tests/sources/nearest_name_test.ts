import assert from "node:assert/strict";
import { hintOfNames, nearestName } from "#src/sources/nearest_name.ts";

Deno.test("nearestName() finds what was mistyped: a letter wrong, missing, too many, swapped", () => {
  const names = ["main/TOTXQL", "main/TOTXQM9", "test/ABCDEF"];
  for (const typo of ["main/TOTXQ", "main/TOTXQLL", "main/TOTXLQ", "mian/TOTXQL", "main/totxql"]) {
    assert.equal(nearestName(typo, names), "main/TOTXQL", typo);
  }
  assert.equal(nearestName("test/ABCDXF", names), "test/ABCDEF");
});

Deno.test("nearestName() takes nothing for what is altogether different", () => {
  assert.equal(nearestName("x", ["yz"]), undefined);
  assert.equal(nearestName("something else", ["main/TOTXQL"]), undefined);
  assert.equal(nearestName("main", []), undefined);
  assert.equal(nearestName("x".repeat(100_000), ["x"]), undefined);
});

Deno.test("hintOfNames() says what there is, and what was meant where that can be told", () => {
  assert.equal(hintOfNames("mainn", ["main", "test"]), `Did you mean "main"? There is: test, main`);
  assert.equal(hintOfNames("other", ["a"]), "There is: a");
  assert.equal(hintOfNames("other", []), "There is none");
});
