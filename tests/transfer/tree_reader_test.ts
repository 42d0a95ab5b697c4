import assert from "node:assert/strict";
import { FormatError } from "#src/errors.ts";
import { memoryEntry, NO_ACL, openPxarTree, PxarAccessor } from "#src/pxar/mod.ts";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  memorySpecial,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import { FileType } from "#src/tree/node.ts";
import { copyTree, diffTrees, findEntry, readArchive, readTree } from "#src/transfer/mod.ts";
import { buildArchive, FILE } from "#tests/support/pxar_builder.ts";
import { MemorySource } from "#tests/support/pxar_fixtures.ts";
import { ModelWriter } from "./_model.ts";

function readerOf(entries: Record<string, MemoryEntry>) {
  return readTree(new MemoryTree(memoryDirectory(entries)));
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
}

Deno.test("readTree() lists names in the order of their bytes", () => {
  // As UTF-16 the emoji would come before U+FFEE.
  const reader = readerOf({
    "\u{1f600}": memoryFile(""),
    "\uffee": memoryFile(""),
    b: memoryFile(""),
    "\udcff": memoryFile(""),
    B: memoryFile(""),
    ba: memoryFile(""),
  });
  const names = reader.root.children().map(({ name }) => name);
  assert.deepEqual(names, ["B", "b", "ba", "\uffee", "\u{1f600}", "\udcff"]);
});

Deno.test("readTree() takes hard links for one file", () => {
  const linked = memoryFile("x");
  const writer = new ModelWriter();
  copyTree(readerOf({ a: linked, d: memoryDirectory({ b: linked }), e: memoryFile("y") }), writer);
  assert.deepEqual(writer.log, ["b -> a"]);
});

Deno.test("readTree() keeps the hard links of an archive, whose tree does not count them", () => {
  const { metadata } = buildArchive((encoder) => {
    const first = encoder.add("a", memoryEntry(FILE, new Uint8Array(1)));
    encoder.add("b", { kind: "hardlink", targetPath: "a", target: first });
    encoder.add("c", memoryEntry(FILE, new Uint8Array(1)));
  });
  const writer = new ModelWriter();
  const reader = readTree(openPxarTree(new MemorySource(metadata)));
  copyTree(reader, writer);
  assert.deepEqual(writer.log, ["b -> a"]);
  const archive = readArchive(PxarAccessor.open(new MemorySource(metadata)));
  assert.deepEqual([...diffTrees(archive, reader)], []);
});

Deno.test("readTree() tells devices, FIFOs, sockets and links apart", () => {
  const reader = readerOf({
    block: memorySpecial(FileType.BLOCK_DEVICE, 0x0801),
    wide: memorySpecial(FileType.CHARACTER_DEVICE, 0xabcf_ffde),
    fifo: memorySpecial(FileType.FIFO),
    socket: memorySpecial(FileType.SOCKET),
    link: memorySymlink("target"),
  });
  const block = findEntry(reader, "/block");
  assert.ok(block?.kind === "device");
  assert.deepEqual([block.major, block.minor, block.metadata.mode >> 12], [8n, 1n, 6]);
  const wide = findEntry(reader, "/wide");
  assert.ok(wide?.kind === "device");
  assert.deepEqual([wide.major, wide.minor], [0xfffn, 0xabcden]);
  assert.equal(findEntry(reader, "/fifo")?.kind, "fifo");
  assert.equal(findEntry(reader, "/socket")?.kind, "socket");
  const link = findEntry(reader, "/link");
  assert.equal(link?.kind === "symlink" && link.target, "target");
});

Deno.test("readTree() takes ACLs and capabilities out of the xattrs", () => {
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
  const entry = findEntry(readerOf({ d: memoryDirectory({}, { xattrs }) }), "/d")!;
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
  const plain = findEntry(readerOf({ f: memoryFile("") }), "/f")!;
  assert.equal(plain.metadata.acl, NO_ACL);
});

Deno.test("readTree() refuses a malformed ACL", () => {
  const xattrs = { "system.posix_acl_access": Uint8Array.of(2, 0, 0, 0, 1) };
  assert.throws(
    () => findEntry(readerOf({ f: memoryFile("", { xattrs }) }), "/f"),
    (error) => error instanceof FormatError && error.code === "bad-acl",
  );
});
