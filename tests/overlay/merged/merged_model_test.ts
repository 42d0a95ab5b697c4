/**
 * The merged tree of a diff against the model of what was done to it, and as the lower tree of
 * further diffs.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { scanDiff } from "#src/overlay/merged/diff_scan.ts";
import { freeIdBelow, ID_MAX, MergedTree } from "#src/overlay/merged/merged_tree.ts";
import { type FileNode, type MountableTree, seekContent, type Tree } from "#src/tree/node.ts";
import { walk } from "#src/tree/walk.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";
import {
  apply,
  buildLower,
  compare,
  lowerFile,
  Model,
  type Step,
  step,
} from "../_overlay_model.ts";
import { NONCE, OverlayHarness } from "../harness.ts";

function compareTree(tree: Tree, model: Model): void {
  const found = [...walk(tree)];
  const directories = found.filter(({ node }) => node.kind === "directory").map(({ path }) => path);
  assert.deepEqual(directories.sort(), [...model.directories].sort());
  const files = new Map(
    found.flatMap(({ path, node }) => node.kind === "file" ? [[path, node] as const] : []),
  );
  assert.deepEqual([...files.keys()].sort(), [...model.files.keys()].sort());
  for (const [path, node] of files) {
    const { bytes } = model.files.get(path)!;
    assert.equal(node.attributes.size, bytes.length, path);
    const names = [...files].filter(([, other]) => other.id === node.id);
    assert.equal(node.attributes.nlink, names.length, path);
    for (const [name] of names) assert.equal(model.files.get(name), model.files.get(path));
    assert.ok(Buffer.from(readFile(node)).equals(Buffer.from(bytes)), path);
    checkKept(node, bytes, path);
    checkHoles(node, bytes, path);
  }
}

function readFile(node: FileNode): Uint8Array {
  const { size } = node.attributes;
  const target = allocateNativeBuffer(size);
  const content = node.open();
  const count = content.readInto(target, 0, size, 0);
  content.close();
  return target.bytes.slice(0, count);
}

/** What is said to be a hole is zeros, and holes and data take turns to the end. */
function checkHoles(node: FileNode, bytes: Uint8Array, path: string): void {
  const content = node.open();
  for (let position = 0; position < bytes.length;) {
    const hole = seekContent(content, position, bytes.length, true);
    const data = seekContent(content, hole, bytes.length, false);
    assert.ok(bytes.subarray(hole, data).every((byte) => byte === 0), `${path} at ${hole}`);
    assert.ok(data > position, `${path} at ${position}`);
    position = data;
  }
  content.close();
}

/** What is said to be unchanged is. */
function checkKept({ kept }: FileNode, bytes: Uint8Array, path: string): void {
  if (kept === undefined) return;
  assert.equal(kept.node.kept, undefined, path);
  const former = readFile(kept.node);
  let last = -1;
  for (const { offset, size } of kept.ranges()) {
    assert.ok(offset > last && size > 0 && offset + size <= bytes.length, path);
    last = offset + size;
    const same = Buffer.from(former.subarray(offset, last));
    assert.ok(same.equals(Buffer.from(bytes.subarray(offset, last))), `${path} at ${offset}`);
  }
}

/** Does one list of steps after the other, each to a diff over all those before. */
function run(lists: readonly (readonly Step[])[], lower: MountableTree, model: Model): void {
  const home = Deno.makeTempDirSync({ prefix: "pbkfs-merged-" });
  try {
    let tree = lower;
    let firstId = ID_MAX;
    for (const [level, steps] of lists.entries()) {
      const diffPath = `${home}/${level}`;
      const harness = new OverlayHarness(tree, diffPath);
      for (const each of steps) apply(each, harness, model);
      compare(harness, model);
      harness.unmount();
      const index = scanDiff(diffPath);
      const below = tree;
      const scanned = { diffPath, nonce: NONCE, index, firstId, hasExtendedAttributes: true };
      const open = () => new MergedTree(scanned, keptOpen(below), openNativeSource);
      tree = open();
      firstId = freeIdBelow(scanned);
      compareTree(tree, model);
      if (level === lists.length - 1) checkMountableTree(open);
    }
    tree.close();
  } finally {
    Deno.removeSync(home, { recursive: true });
  }
}

/** A tree that is used by several others. */
function keptOpen(tree: MountableTree): MountableTree {
  return {
    root: tree.root,
    knownFields: tree.knownFields,
    nodeById: (id) => tree.nodeById(id),
    close() {},
  };
}

Deno.test("A merged tree equals a model of the changes, also as the lower tree of further diffs", () => {
  const runs = Number(Deno.env.get("PBKFS_FUZZ_RUNS") ?? 80);
  const steps = fc.array(step, { maxLength: 20 });
  const levels = fc.array(steps, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(lowerFile, { maxLength: 6 }), levels, (files, lists) => {
      const model = new Model();
      run(lists, buildLower(files, model), model);
    }),
    { seed: 20261130, numRuns: runs, endOnFailure: false },
  );
});
