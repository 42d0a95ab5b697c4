import assert from "node:assert/strict";
import { NO_ACL } from "#src/bytes/acl.ts";
import {
  memoryDirectory,
  memoryFile,
  memorySpecial,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import { FileType } from "#src/tree/node.ts";
import { findEntry } from "#src/tree/paths.ts";
import { AttributeOverrideTree } from "#src/tree/attribute_override_tree.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

/** Mode 0640, user 1000 rw-, group r--, mask rw-. */
const ACCESS = Uint8Array.fromHex(
  "0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000000ffffffff",
);

function makeTree(acls: Record<string, Uint8Array> = {}): MemoryTree {
  const xattrs = { ...acls, "user.x": Uint8Array.of(1) };
  return new MemoryTree(memoryDirectory({
    file: memoryFile("text", { permissions: 0o660, xattrs }),
    link: memorySymlink("file"),
    device: memorySpecial(FileType.BLOCK_DEVICE, 0x801),
    fifo: memorySpecial(FileType.FIFO),
    d: memoryDirectory({ inner: memoryFile("") }),
  }));
}

const OWNER = { uid: 1234, gid: 5678 };

Deno.test("AttributeOverrideTree is a tree as all others", () => {
  const acls = { "system.posix_acl_access": ACCESS };
  for (const withoutAcls of [false, true]) {
    for (const owner of [undefined, OWNER]) {
      checkMountableTree(() => new AttributeOverrideTree(makeTree(acls), { withoutAcls, owner }));
    }
  }
});

Deno.test("AttributeOverrideTree takes ACLs away, and leaves the rest", () => {
  const plain = makeTree({ "system.posix_acl_access": ACCESS });
  const { id } = findEntry(plain, "/file")!;
  const node = new AttributeOverrideTree(plain, { withoutAcls: true, owner: undefined }).nodeById(
    id,
  );
  assert.ok(node?.kind === "file");
  assert.deepEqual([node.linkCount, node.attributes.nlink, node.attributes.size], [1, 1, 4]);
  assert.deepEqual([...node.xattrs().keys()], ["user.x"]);
  assert.deepEqual(node.metadata.xattrs.map(({ name }) => name), ["user.x"]);
  assert.equal(node.metadata.acl, NO_ACL);
  assert.equal(node.attributes.mode & 0o777, 0o640);
  assert.equal(node.metadata.mode, node.attributes.mode);
});

Deno.test("AttributeOverrideTree shows one owner of all, however a node is found", () => {
  const tree = new AttributeOverrideTree(makeTree(), { withoutAcls: false, owner: OWNER });
  const all = [...tree.root.entries()].map(({ node }) => node);
  assert.equal(all.length, 5);
  const found = [tree.root, ...all, tree.root.lookup("file")!, findEntry(tree, "/d/inner")!];
  for (const { attributes, metadata } of found) {
    assert.deepEqual([attributes.uid, attributes.gid], [1234, 5678]);
    assert.deepEqual([metadata.uid, metadata.gid], [1234, 5678]);
  }
});
