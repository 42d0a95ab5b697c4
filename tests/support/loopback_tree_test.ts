import assert from "node:assert/strict";
import { LoopbackTree } from "#tests/support/loopback_tree.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

async function withDirectory(body: (path: string) => void): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-loopback-" });
  try {
    await Deno.mkdir(`${path}/sub/deep`, { recursive: true });
    await Deno.writeFile(`${path}/large`, new Uint8Array(200_001).fill(3));
    await Deno.writeTextFile(`${path}/sub/small`, "small");
    await Deno.link(`${path}/large`, `${path}/sub/linked`);
    await Deno.symlink("../large", `${path}/sub/link`);
    body(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("LoopbackTree is a tree", () =>
  withDirectory((path) => checkMountableTree(() => new LoopbackTree(path))));

Deno.test("LoopbackTree gives one node to a hard-linked file", () =>
  withDirectory((path) => {
    const tree = new LoopbackTree(path);
    const sub = tree.root.lookup("sub");
    assert.ok(sub?.kind === "directory");
    assert.equal(sub.lookup("linked"), tree.root.lookup("large"));
    assert.equal(tree.root.lookup("large")?.attributes.nlink, 2);
  }));
