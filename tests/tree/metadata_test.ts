import assert from "node:assert/strict";
import { FormatError } from "#src/errors.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import { type Metadata, metadataFromXattrs, xattrsFromMetadata } from "#src/tree/metadata.ts";
import { findEntry } from "#src/tree/paths.ts";

function treeOf(entries: Record<string, MemoryEntry>): MemoryTree {
  return new MemoryTree(memoryDirectory(entries));
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
}

Deno.test("metadataFromXattrs() takes ACLs and capabilities out of the xattrs", () => {
  // The example of the format specification, section 13: mode 0640, user 1000 rw-, group r--, mask
  // rw-.
  const access = bytesOf(
    "02000000" + "01000600ffffffff" + "02000600e8030000" + "04000400ffffffff" +
      "10000600ffffffff" + "20000000ffffffff",
  );
  const inherited = bytesOf("02000000" + "01000700ffffffff" + "04000500ffffffff");
  const xattrs = {
    "system.posix_acl_access": access,
    "system.posix_acl_default": inherited,
    "security.capability": Uint8Array.of(9),
    "security.selinux": Uint8Array.of(1),
    "user.kept": Uint8Array.of(2),
    "security.NTACL": Uint8Array.of(3),
  };
  const entry = findEntry(treeOf({ d: memoryDirectory({}, { xattrs }) }), "/d")!;
  assert.deepEqual(entry.metadata.acl, {
    users: [{ id: 1000n, permissions: 6n }],
    groups: [],
    groupObject: 4n,
    default: { userObject: 7n, groupObject: 5n, other: undefined, mask: undefined },
    defaultUsers: [],
    defaultGroups: [],
  });
  assert.deepEqual(entry.metadata.fcaps, Uint8Array.of(9));
  assert.deepEqual(entry.metadata.xattrs.map(({ name }) => name), ["user.kept", "security.NTACL"]);
  const plain = findEntry(treeOf({ f: memoryFile("") }), "/f")!;
  assert.equal(plain.metadata.acl, NO_ACL);
});

Deno.test("metadataFromXattrs() refuses a malformed ACL", () => {
  const xattrs = { "system.posix_acl_access": Uint8Array.of(2, 0, 0, 0, 1) };
  assert.throws(
    () => findEntry(treeOf({ f: memoryFile("", { xattrs }) }), "/f")!.metadata,
    (error) => error instanceof FormatError && error.code === "bad-acl",
  );
});

Deno.test("xattrsFromMetadata() undoes metadataFromXattrs()", () => {
  const xattrs = new Map([
    ["user.b", Uint8Array.of(2)],
    ["user.a", Uint8Array.of(1)],
    ["security.capability", Uint8Array.of(9)],
    [
      "system.posix_acl_access",
      bytesOf(
        "02000000" + "01000600ffffffff" + "02000600e8030000" + "04000400ffffffff" +
          "10000600ffffffff" + "20000000ffffffff",
      ),
    ],
  ]);
  const attributes = { mode: 0o100660, uid: 1, gid: 2, mtime: { seconds: 3, nanoseconds: 4 } };
  const metadata: Metadata = metadataFromXattrs(attributes, xattrs);
  assert.deepEqual(metadata.xattrs.map(({ name }) => name), ["user.b", "user.a"]);
  assert.deepEqual(xattrsFromMetadata(metadata), xattrs);
});
