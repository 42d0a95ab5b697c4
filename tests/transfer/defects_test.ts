/**
 * Mistakes that an earlier tool of this kind made, each as a test of its own. What concerns
 * datastores and servers is tested there.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { FormatError } from "#src/errors.ts";
import { openPxarTree } from "#src/pxar/mod.ts";
import { encodeHeader, HEADER_SIZE, Item } from "#src/pxar/format/item.ts";
import {
  ArchiveWriter,
  compose,
  copy,
  copyStream,
  copyTree,
  digestFile,
  payloadRangeOf,
  readPieces,
  requireFile,
} from "#src/transfer/mod.ts";
import { type FileNode, findEntries, findEntry, type Tree } from "#src/tree/mod.ts";
import {
  type ArchiveVersion,
  decodeArchive,
  makeArchive,
  type MemoryArchive,
  MemorySource,
  openArchive,
} from "./_archives.ts";
import {
  describeMetadata,
  describeTree,
  directory,
  file,
  metadata,
  type ModelDirectory,
  type ModelNode,
  readModel,
} from "./_model.ts";

const VERSIONS: readonly ArchiveVersion[] = [1, 2];

function archiveOf(tree: ModelDirectory, version: ArchiveVersion = 1): MemoryArchive {
  return makeArchive(version, (writer) => copyTree(readModel(tree), writer));
}

function textAt(reader: Tree, path: string): string {
  return Buffer.concat(Array.from(readPieces(requireFile(reader, path)), (piece) => piece.slice()))
    .toString();
}

const RICH = {
  uid: 1000,
  gid: 1001,
  flags: 0x400000n,
  projectId: 77n,
  fcaps: Uint8Array.of(1, 0, 0, 2, 3),
  xattrs: [{ name: "user.a", value: Uint8Array.of(0, 1) }],
  acl: {
    users: [{ id: 5n, permissions: 6n }],
    groups: [{ id: 6n, permissions: 4n }],
    groupObject: 5n,
    default: undefined,
    defaultUsers: [],
    defaultGroups: [],
  },
};
const DEVICE: ModelNode = {
  kind: "device",
  metadata: metadata("device", { mode: 0o600 }),
  major: 8n,
  minor: 17n,
};

/** The first 8 bytes of items of a type. */
function typeBytes(item: Item): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  encodeHeader(new DataView(header.buffer, header.byteOffset, HEADER_SIZE), 0, item, 0);
  return header.subarray(0, 8);
}

/** Replaces the size of the first item of a type. */
function withItemSize(archive: MemoryArchive, item: Item, size: bigint): MemoryArchive {
  const bytes = Buffer.from(archive.metadata);
  const offset = bytes.indexOf(typeBytes(item));
  assert.ok(offset >= 0);
  bytes.writeBigUInt64LE(size, offset + 8);
  return { ...archive, metadata: new Uint8Array(bytes) };
}

function assertRefused(archive: MemoryArchive): void {
  for (
    const read of [
      () => describeTree(openArchive(archive)),
      () => makeArchive(1, (writer) => copyStream(decodeArchive(archive), writer)),
    ]
  ) assert.throws(read, FormatError);
}

Deno.test("defect: ACL items of up to 24 bytes accepted, short items crash the decoder", () => {
  const archive = archiveOf(directory({ f: file("x", RICH), g: DEVICE }));
  for (const item of [Item.ACL_USER, Item.QUOTA_PROJID, Item.DEVICE]) {
    for (const size of [16n, 20n, 24n + 8n + 8n, 17n]) {
      assertRefused(withItemSize(archive, item, size));
    }
  }
});

Deno.test("defect: in split mode a streamed file goes into the metadata stream", () => {
  const { metadata, payload } = archiveOf(directory({ f: file("the very content") }), 2);
  assert.equal(Buffer.from(metadata).indexOf("the very content"), -1);
  assert.ok(Buffer.from(payload!).indexOf("the very content") > 0);
});

Deno.test("defect: decoder fails on a hard link behind a file", () => {
  const linked = file("linked");
  const tree = directory({ a: linked, b: linked, c: file("c") });
  for (const version of VERSIONS) {
    const archive = archiveOf(tree, version);
    const copied = makeArchive(version, (writer) => copyStream(decodeArchive(archive), writer));
    assert.deepEqual(copied, archive);
  }
});

Deno.test("defect: decoder ignores the payload stream", () => {
  const split = archiveOf(directory({ f: file("split content") }), 2);
  const joined = makeArchive(1, (writer) => copyStream(decodeArchive(split), writer));
  assert.equal(textAt(openArchive(joined), "/f"), "split content");
});

Deno.test("defect: memory is allocated by declared sizes", () => {
  const archive = archiveOf(directory({ f: file("x", RICH) }));
  for (const item of [Item.XATTR, Item.FCAPS, Item.PAYLOAD, Item.GOODBYE, Item.FILENAME]) {
    for (const size of [1n << 38n, 1n << 62n]) {
      const before = Deno.memoryUsage();
      assertRefused(withItemSize(archive, item, size));
      const after = Deno.memoryUsage();
      assert.ok(after.heapTotal + after.external - before.heapTotal - before.external < 1 << 26);
    }
  }
});

Deno.test("defect: accessor reads no xattrs, ACLs, capabilities and project ids of children", () => {
  for (const version of VERSIONS) {
    const reader = openArchive(
      archiveOf(directory({ d: directory({ f: file("", RICH) }) }), version),
    );
    const expected = describeMetadata(metadata("file", { mode: 0o644, ...RICH }));
    assert.equal(describeMetadata(findEntry(reader, "/d/f")!.metadata), expected);
    const listed = findEntry(reader, "/d");
    assert.ok(listed?.kind === "directory");
    assert.equal(describeMetadata([...listed.entries()][0]!.node.metadata), expected);
  }
});

Deno.test("defect: accessor knows no entries of the old form", () => {
  const { metadata } = archiveOf(directory({ f: file("old", { uid: 3, gid: 4 }) }));
  const bytes = Buffer.from(metadata);
  // The file's ENTRY becomes an ENTRY_V1: 8 bytes less, the time as nanoseconds.
  const entry = bytes.lastIndexOf(typeBytes(Item.ENTRY));
  const old = Buffer.alloc(48);
  typeBytes(Item.ENTRY_V1).copy(old);
  old.writeBigUInt64LE(48n, 8);
  bytes.copy(old, 16, entry + 16, entry + 40);
  old.writeBigUInt64LE(1_500_000_000_000_000_007n, 40);
  const composed = Buffer.concat([bytes.subarray(0, entry), old, bytes.subarray(entry + 56)]);
  // Three lengths of the table count these 8 bytes: offset and size of the child, offset of the
  // tail.
  const table = composed.length - 48;
  for (const field of [table + 8, table + 16, table + 24 + 8]) {
    composed.writeBigUInt64LE(composed.readBigUInt64LE(field) - 8n, field);
  }
  const reader = openArchive({ metadata: new Uint8Array(composed), payload: undefined });
  const found = findEntry(reader, "/f")!.metadata;
  assert.deepEqual([found.mode, found.uid, found.gid], [0o100644, 3, 4]);
  assert.deepEqual(found.mtime, { seconds: 1_500_000_000, nanoseconds: 7 });
  assert.equal(textAt(reader, "/f"), "old");
});

Deno.test("defect: accessor takes a hash for a name", () => {
  const { metadata } = archiveOf(directory({ first: file("1") }));
  const other = archiveOf(directory({ wanted: file("1") })).metadata;
  const bytes = Buffer.from(metadata);
  // The only item of the table gets the hash of another name, as if both had the same.
  Buffer.from(other).copy(bytes, bytes.length - 48, other.length - 48, other.length - 40);
  const reader = openArchive({ metadata: new Uint8Array(bytes), payload: undefined });
  assert.equal(findEntry(reader, "/wanted"), undefined);
});

/** A large directory with a small one in it. */
function largeTree(): ModelDirectory {
  const tree = directory({ sub: directory({ f: file("found") }) });
  for (let i = 0; i < 20_000; i++) tree.children.set(`file ${i}`, file("some content"));
  return tree;
}

Deno.test("defect: every lookup reads the whole directory", () => {
  const { metadata } = archiveOf(largeTree());
  const source = new MemorySource(metadata);
  const reader = openPxarTree(source);
  assert.equal(textAt(reader, "/sub/f"), "found");
  assert.equal(findEntry(reader, "/nothing"), undefined);
  assert.ok(source.bytesRead < metadata.length / 4, `${source.bytesRead} of ${metadata.length}`);
});

Deno.test("defect: hard links are not resolved", () => {
  const linked = file("linked", { uid: 9 });
  for (const version of VERSIONS) {
    const reader = openArchive(archiveOf(directory({ a: linked, z: linked }), version));
    const link = requireFile(reader, "/z");
    assert.equal(link.metadata.mode, 0o100644);
    assert.equal(link.metadata.uid, 9);
    assert.equal(link.id, requireFile(reader, "/a").id);
    assert.equal(textAt(reader, "/z"), "linked");
  }
});

Deno.test("defect: hard links appear with the same identity whatever they belong to", () => {
  const [one, two] = [file("1"), file("2")];
  const reader = openArchive(archiveOf(directory({ a: one, b: one, c: two, d: two })));
  const [a, b, c, d] = findEntries(reader, ["/a", "/b", "/c", "/d"]).map((entry) => entry!.id);
  assert.deepEqual([a === b, c === d, a === c], [true, true, false]);
});

Deno.test("defect: files of split archives cannot be read", () => {
  const reader = openArchive(archiveOf(directory({ f: file("content") }), 2));
  assert.equal(textAt(reader, "/f"), "content");
  assert.equal(digestFile(requireFile(reader, "/f")).length, 32);
});

Deno.test("defect: hard links make copy and merge fail", () => {
  const linked = file("linked");
  const tree = directory({ d: directory({ a: linked }), e: linked });
  for (const from of VERSIONS) {
    for (const to of VERSIONS) {
      const reader = openArchive(archiveOf(tree, from));
      const copied = openArchive(makeArchive(to, (writer) => {
        copy(reader, [{ from: "/e", to: "/x/e" }, { from: "/d" }], writer);
      }));
      assert.equal(requireFile(copied, "/d/a").id, requireFile(copied, "/x/e").id);
      assert.equal(textAt(copied, "/x/e"), "linked");
    }
  }
});

Deno.test("defect: cp of a file to another directory glues the names and makes no parents", () => {
  const reader = openArchive(archiveOf(directory({ dir: directory({ "a-original": file("a") }) })));
  for (
    const [to, expected] of [["/new/name", "/new/name"], ["/new/name/", "/new/name/a-original"]]
  ) {
    const copied = openArchive(makeArchive(1, (writer) => {
      copy(reader, [{ from: "/dir/a-original", to: to! }], writer);
    }));
    assert.equal(textAt(copied, expected!), "a");
    assert.deepEqual([...copied.root.entries()].map(({ name }) => name), ["new"]);
  }
});

Deno.test("defect: xattrs, ACLs, capabilities and project ids are lost in copies", () => {
  const tree = directory({ f: file("f", RICH), d: directory({}, RICH), dev: DEVICE }, RICH);
  for (const from of VERSIONS) {
    for (const to of VERSIONS) {
      const reader = openArchive(archiveOf(tree, from));
      const copied = makeArchive(to, (writer) => copyTree(reader, writer));
      assert.deepEqual(describeTree(openArchive(copied)), describeTree(readModel(tree)));
      assert.deepEqual(copied, archiveOf(tree, to));
    }
  }
});

Deno.test("defect: the root's metadata are replaced by 0755", () => {
  const tree = directory({ f: file("f") }, { mode: 0o2750, ...RICH });
  const copied = makeArchive(
    1,
    (writer) => copy(openArchive(archiveOf(tree)), [{ from: "/f" }], writer),
  );
  const { root } = openArchive(copied);
  assert.equal(describeMetadata(root.metadata), describeMetadata(tree.metadata));
});

/** A reader of one file of `size` bytes that are nowhere. */
function largeFile(size: number): Tree {
  const reader = readModel(directory({ large: file("") }));
  const small = requireFile(reader, "/large");
  const entry: FileNode = {
    ...small,
    attributes: { ...small.attributes, size },
    open: () => ({
      readInto: (target, start, wanted, offset) => {
        const count = Math.min(wanted, size - offset);
        target.bytes.fill(offset & 0xff, start, start + count);
        return count;
      },
      close: () => {},
    }),
  };
  return { ...reader, root: { ...reader.root, entries: () => [{ name: "large", node: entry }] } };
}

Deno.test("defect: whole files and whole streams are kept in memory", () => {
  const size = 3 * 2 ** 30;
  for (const version of VERSIONS) {
    let written = 0;
    let largest = 0;
    const sink = {
      write: (bytes: Uint8Array) => {
        written += bytes.length;
        largest = Math.max(largest, bytes.length);
      },
    };
    const before = Deno.memoryUsage();
    const writer = new ArchiveWriter({
      metadata: sink,
      ...(version === 2 ? { payload: sink } : {}),
    });
    copyTree(largeFile(size), writer);
    const after = Deno.memoryUsage();
    assert.ok(written > size);
    assert.ok(largest <= 4 << 20, `${largest} bytes at once`);
    assert.ok(after.external - before.external < 32 << 20);
  }
});

Deno.test("defect: the option to overwrite is ignored", () => {
  const archives = ["old", "new"].map((text) =>
    openArchive(archiveOf(directory({ f: file(text) })))
  );
  const paths = archives.map((tree) => ({ tree, from: "/f" }));
  const result = (conflict: "first" | "last") =>
    openArchive(makeArchive(1, (writer) => {
      copyTree(compose(paths, { conflict }), writer);
    }));
  assert.equal(textAt(result("last"), "/f"), "new");
  assert.equal(textAt(result("first"), "/f"), "old");
});

Deno.test("defect: content is read from its header on", () => {
  for (const version of VERSIONS) {
    const archive = archiveOf(directory({ a: file("first"), f: file("the content") }), version);
    const range = payloadRangeOf(openArchive(archive), "/f")!;
    assert.equal(range.stream, version === 1 ? "archive" : "payload");
    const stream = version === 1 ? archive.metadata : archive.payload!;
    const bytes = stream.subarray(range.offset, range.offset + range.size);
    assert.equal(new TextDecoder().decode(bytes), "the content");
  }
});

Deno.test("defect: hard links are stored as files of their own, device numbers and ACLs of the root are lost", () => {
  const linked = file("linked");
  const tree = directory({ a: linked, b: linked, dev: DEVICE }, RICH);
  const reader = openArchive(archiveOf(tree));
  assert.equal(requireFile(reader, "/a").id, requireFile(reader, "/b").id);
  const device = findEntry(reader, "/dev");
  assert.ok(device?.kind === "device");
  assert.deepEqual([device.major, device.minor], [8n, 17n]);
  assert.equal(describeMetadata(reader.root.metadata), describeMetadata(tree.metadata));
});

Deno.test("defect: readers follow symbolic links out of what they read", () => {
  const tree = directory({
    out: { kind: "symlink", metadata: metadata("symlink"), target: "/etc" },
    d: directory({ passwd: file("inside") }),
  });
  const reader = openArchive(archiveOf(tree));
  assert.equal(findEntry(reader, "/out/passwd"), undefined);
  assert.equal(findEntry(reader, "/out")?.kind, "symlink");
});
