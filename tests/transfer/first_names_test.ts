import assert from "node:assert/strict";
import { FirstNames } from "#src/transfer/first_names.ts";
import { requireFile } from "#src/transfer/mod.ts";
import type { FileNode } from "#src/tree/mod.ts";
import { directory, file, readModel } from "./_model.ts";

const FILE = requireFile(readModel(directory({ f: file("") })), "/f");

function fileOf(origin: object, id: number, linkCount: number | undefined = undefined): FileNode {
  return { ...FILE, origin, id, linkCount };
}

Deno.test("FirstNames finds what was added, by reader and id, among many", () => {
  const names = new FirstNames();
  const readers = [{}, {}];
  // Ids that differ in their high or in their low bits only.
  const idOf = (i: number) => i % 2 === 0 ? i * 4096 : i * 2 ** 33;
  for (let i = 0; i < 20_000; i++) {
    const entry = fileOf(readers[i % 3 === 0 ? 0 : 1]!, idOf(i));
    assert.equal(names.find(entry), undefined);
    names.add(entry, i % 5 === 0 ? "/" : `/d${i % 7}`, `name ${i}`, i * 2 ** 22);
  }
  for (let i = 0; i < 20_000; i++) {
    const own = i % 3 === 0 ? 0 : 1;
    const path = i % 5 === 0 ? `/name ${i}` : `/d${i % 7}/name ${i}`;
    const found = names.find(fileOf(readers[own]!, idOf(i)));
    assert.deepEqual(found, { path, value: i * 2 ** 22 });
    assert.equal(names.find(fileOf(readers[1 - own]!, idOf(i))), undefined);
  }
});

Deno.test("FirstNames forgets files with one name at once", () => {
  const names = new FirstNames();
  names.add(fileOf(names, 1, 1), "/", "a", 0);
  assert.equal(names.find(fileOf(names, 1)), undefined);
});
