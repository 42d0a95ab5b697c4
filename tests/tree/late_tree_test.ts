import assert from "node:assert/strict";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";
import { LateTree } from "#src/tree/late_tree.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";

Deno.test("LateTree opens its tree when it is first needed, once, and again after a failure", () => {
  let attempts = 0;
  const tree = new LateTree(() => {
    if (++attempts === 1) throw new TypeError("not now");
    return new MemoryTree(memoryDirectory({ file: memoryFile("text") }));
  });
  assert.equal(attempts, 0);
  assert.throws(() => tree.root, /not now/);
  const file = tree.root.lookup("file")!;
  assert.equal(tree.nodeById(file.id), file);
  assert.equal(attempts, 2);
  tree.close();
});

Deno.test("LateTree is a tree", () => {
  const root = memoryDirectory({ file: memoryFile("text"), d: memoryDirectory({}) });
  checkMountableTree(() => new LateTree(() => new MemoryTree(root)));
});

Deno.test("LateTree.close() opens nothing", () => {
  new LateTree(() => assert.fail("opened")).close();
});
