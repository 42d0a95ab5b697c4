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
import { TreeWithoutAcls } from "#src/usecases/mounting/tree_without_acls.ts";
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

// What is found by names has its ACLs: an overlay asks for nodes by their ids.
Deno.test("TreeWithoutAcls is a tree, where there are no ACLs", () => {
  checkMountableTree(() => new TreeWithoutAcls(makeTree()));
});

Deno.test("TreeWithoutAcls takes ACLs away, of what is found by its id", () => {
  const plain = makeTree({ "system.posix_acl_access": ACCESS });
  const { id } = findEntry(plain, "/file")!;
  const node = new TreeWithoutAcls(plain).nodeById(id);
  assert.ok(node?.kind === "file");
  assert.deepEqual([node.linkCount, node.attributes.nlink, node.attributes.size], [1, 1, 4]);
  assert.deepEqual([...node.xattrs().keys()], ["user.x"]);
  assert.deepEqual(node.metadata.xattrs.map(({ name }) => name), ["user.x"]);
  assert.equal(node.metadata.acl, NO_ACL);
  assert.equal(node.attributes.mode & 0o777, 0o640);
  assert.equal(node.metadata.mode, node.attributes.mode);
});
