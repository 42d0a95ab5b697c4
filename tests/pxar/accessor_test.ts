import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError, UsageError } from "#src/errors.ts";
import {
  openPxarTree,
  PxarAccessor,
  type PxarEncoder,
  type PxarLinkNode,
  verifyArchive,
} from "#src/pxar/mod.ts";
import { filenameHash, hashFileName } from "#src/pxar/format/filename_hash.ts";
import { GoodbyeBuilder } from "#src/pxar/format/goodbye.ts";
import type { FileNode } from "#src/tree/node.ts";
import { buildArchive, DIRECTORY, FILE, metadataOf, SYMLINK } from "#tests/support/pxar_builder.ts";
import { MemorySource } from "#tests/support/pxar_fixtures.ts";
import { checkTree } from "#tests/support/tree_conformance.ts";

const text = (value: string) => new TextEncoder().encode(value);

const nameOf = (index: number) => `name-${String(index).padStart(6, "0")}`;

function largeDirectory(count: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(300);
  return buildArchive((encoder) => {
    encoder.startDirectory("big", DIRECTORY);
    for (let i = 0; i < count; i++) encoder.addFile(nameOf(i), FILE, content.length, content);
    encoder.finishDirectory();
  }).metadata;
}

Deno.test("PxarAccessor.lookup needs O(log n) reads and never scans a directory", () => {
  for (const count of [100, 1000, 10_000, 50_000]) {
    const bytes = largeDirectory(count);
    const depth = Math.ceil(Math.log2(count + 1));
    for (const index of [0, Math.floor(count / 3), count - 1]) {
      const source = new MemorySource(bytes);
      const accessor = PxarAccessor.open(source);
      assert.equal(accessor.lookup(`/big/${nameOf(index)}`)?.name, nameOf(index));
      // Ends of both tables, the entries of the path, and at most a page for each level of the tree.
      assert.ok(source.readCount <= depth + 8, `${count}: ${source.readCount} reads`);
      assert.ok(source.readBytes <= (depth + 8) * 4096, `${count}: ${source.readBytes} bytes`);
    }
    const source = new MemorySource(bytes);
    assert.equal(PxarAccessor.open(source).lookup("/big/missing"), undefined);
    assert.ok(source.readCount <= depth + 8, `${count}: ${source.readCount} reads for a miss`);
  }
});

Deno.test("PxarAccessor.lookupAll looks common directories up once", () => {
  const depth = 30;
  const { metadata } = buildArchive((encoder) => {
    for (let i = 0; i < depth; i++) {
      encoder.addFile("a filler", FILE, 50_000, new Uint8Array(50_000));
      encoder.startDirectory("d", DIRECTORY);
    }
    for (let i = 0; i < 100; i++) encoder.addFile(nameOf(i), FILE, 3, text("abc"));
    for (let i = 0; i < depth; i++) encoder.finishDirectory();
  });
  const source = new MemorySource(metadata);
  const accessor = PxarAccessor.open(source);
  const directory = "/d".repeat(depth);
  const paths = Array.from({ length: 100 }, (_, i) => `${directory}/${nameOf(i)}`);
  const found = accessor.lookupAll([...paths, `${directory}/x/y`, "/", "", "d//d/"]);
  assert.deepEqual(found.slice(0, 100).map((node) => node?.name), paths.map((_, i) => nameOf(i)));
  assert.equal(found[100], undefined);
  assert.equal(found[101], accessor.root);
  assert.equal(found[102], accessor.root);
  assert.equal(found[103]?.offset, accessor.lookup("/d/d")?.offset);
  assert.ok(source.readCount <= 4 * depth, `${source.readCount}`);
});

Deno.test("PxarAccessor.readContent reads any range of a file", () => {
  const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  for (const isSplit of [false, true]) {
    const { metadata, payload } = buildArchive((encoder) => {
      encoder.addFile("f", FILE, content.length, content);
      encoder.addFile("empty", FILE, 0, new Uint8Array());
    }, isSplit);
    const accessor = PxarAccessor.open(
      new MemorySource(metadata),
      payload === undefined ? {} : { payload: new MemorySource(payload) },
    );
    const node = accessor.lookup("f")!;
    const target = plainBuffer(2000);
    for (const [offset, size] of [[0, 1000], [10, 5], [990, 100], [1000, 5], [5000, 5], [0, 0]]) {
      const count = accessor.readContent(node, offset!, target, 7, size!);
      assert.deepEqual(
        target.bytes.subarray(7, 7 + count),
        content.subarray(offset, offset! + size!),
      );
    }
    assert.equal(accessor.readContent(accessor.lookup("empty")!, 0, target, 0, 10), 0);
    for (
      const [offset, start, size] of [[-1, 0, 5], [NaN, 0, 5], [0, 1999, 2], [0, -1, 2]]
    ) {
      assert.throws(() => accessor.readContent(node, offset!, target, start!, size!), UsageError);
    }
    assert.throws(() => accessor.readContent(accessor.root, 0, target, 0, 1), UsageError);
    assert.throws(() => accessor.readDirectory(node), UsageError);
  }
});

Deno.test("PxarAccessor.open works without the payload stream until a file is read", () => {
  const { metadata } = buildArchive((encoder) => encoder.addFile("f", FILE, 3, text("abc")), true);
  const accessor = PxarAccessor.open(new MemorySource(metadata), { name: "x.mpxar" });
  const node = accessor.lookup("/f")!;
  assert.throws(() => accessor.readContent(node, 0, plainBuffer(3), 0, 3), {
    code: "missing-payload",
    path: "x.mpxar",
  });
  const tree = openPxarTree(new MemorySource(metadata));
  const file = tree.root.lookup("f") as FileNode;
  assert.equal(file.attributes.size, 3);
  assert.throws(() => file.open(), { code: "missing-payload" });
});

Deno.test("PxarAccessor resolves hard links from every side", () => {
  const { metadata } = buildArchive((encoder) => {
    encoder.startDirectory("a", DIRECTORY);
    const target = encoder.addFile("file", FILE, 3, text("abc"));
    encoder.finishDirectory();
    encoder.startDirectory("b", DIRECTORY);
    encoder.addHardlink("link", "a/file", target);
    encoder.finishDirectory();
    encoder.addHardlink("top", "a/file", target);
  });
  const accessor = PxarAccessor.open(new MemorySource(metadata));
  const file = accessor.lookup("/a/file")!;
  assert.equal(accessor.lookup("/b/link"), file);
  assert.equal(accessor.child(accessor.root, "top"), file);
  const stored = accessor.lookupChild("/b/link") as PxarLinkNode;
  assert.deepEqual([stored.entry.kind, stored.name], ["hardlink", "link"]);
  assert.equal(accessor.nodeAt(stored.offset), undefined);
  assert.equal(accessor.nodeAt(file.offset), file);
  checkTree(() => openPxarTree(new MemorySource(metadata)));
  const tree = openPxarTree(new MemorySource(metadata));
  assert.equal(tree.root.lookup("top")?.id, file.offset);
});

Deno.test("PxarAccessor.readDirectory finds a directory of any size in the order of the archive", () => {
  for (const count of [0, 1, 2, 3, 500]) {
    const source = new MemorySource(largeDirectory(count));
    const accessor = PxarAccessor.open(source);
    const names = [...accessor.readDirectory(accessor.lookup("/big")!)].map(({ name }) => name);
    assert.deepEqual(names, Array.from({ length: count }, (_, i) => nameOf(i)));
  }
});

/** An archive of a directory `d` with the file `f`, whose table has other items than it should. */
function withTable(addItems: (table: GoodbyeBuilder, start: number, size: number) => void) {
  const { metadata } = buildArchive((encoder: PxarEncoder) => {
    encoder.startDirectory("d", DIRECTORY);
    encoder.addFile("f", FILE, 3, text("abc"));
    encoder.finishDirectory();
  });
  const accessor = PxarAccessor.open(new MemorySource(metadata));
  const directory = accessor.lookup("/d")!;
  const file = accessor.lookup("/d/f")!;
  const table = new GoodbyeBuilder();
  addItems(table, file.offset, file.end - file.offset);
  const bytes = table.encode(directory.table!.offset, directory.table!.entryOffset);
  assert.equal(bytes.length, 64);
  metadata.set(bytes, directory.table!.offset);
  return { metadata, directory };
}

Deno.test("PxarAccessor refuses a table whose items are not what the directory holds", () => {
  hashFileName("f");
  const { high, low } = filenameHash;
  const tables: [string, (table: GoodbyeBuilder, start: number, size: number) => void][] = [
    ["bad-goodbye", (table, start, size) => table.add(high, low, start + 1, size)],
    ["bad-goodbye", (table, start) => table.add(high, low, start, 20)],
    ["bad-goodbye", (table, start, size) => table.add(high, low, start - 56, size)],
    ["bad-goodbye", (table, start, size) => table.add(high, low, start - 1e15, size)],
    ["bad-goodbye", (table, start, size) => table.add(high, low, start + 1e15, size)],
    ["cyclic-goodbye", (table, _start, size) => table.add(high, low, 56, size)],
  ];
  for (const [code, fill] of tables) {
    const { metadata } = withTable(fill);
    const accessor = PxarAccessor.open(new MemorySource(metadata));
    assert.throws(() => accessor.lookup("/d/f"), { code });
    const directory = accessor.lookup("/d")!;
    assert.throws(() => [...accessor.readDirectory(directory)], { code });
    assert.equal([...verifyArchive(new MemorySource(metadata))][0]?.code, code);
  }
});

Deno.test("openPxarTree shows ACLs and capabilities as extended attributes and devices by number", () => {
  const { metadata } = buildArchive((encoder) => {
    const xattrs = [{ name: "user.a", value: text("v") }];
    const users = [{ id: 1000n, permissions: 6n }];
    const acl = { ...FILE.acl, users, groupObject: 4n };
    const fcaps = Uint8Array.of(1, 2, 3);
    encoder.addFile("f", metadataOf(0o100660, { xattrs, acl, fcaps }), 0, new Uint8Array());
    encoder.addDevice("tty", metadataOf(0o20620), 4n, 0x12345n);
    encoder.addDevice("unreal", metadataOf(0o20620), 5000n, 0n);
    encoder.addSymlink("s", SYMLINK, "ü");
  });
  const { root } = openPxarTree(new MemorySource(metadata));
  const xattrs = new Map(
    [...root.lookup("f")!.xattrs()].map(([key, value]) => [key, value.toHex()]),
  );
  assert.deepEqual(
    xattrs,
    new Map([
      ["user.a", "76"],
      [
        "system.posix_acl_access",
        "02000000" + "01000600ffffffff" + "02000600e8030000" + "04000400ffffffff" +
        "10000600ffffffff" + "20000000ffffffff",
      ],
      ["security.capability", "010203"],
    ]),
  );
  assert.equal(root.lookup("tty")!.attributes.rdev, 0x12300445);
  assert.throws(() => root.lookup("unreal"), FormatError);
  assert.equal(root.lookup("s")!.attributes.size, 2);
});

Deno.test("openPxarTree closes what it was given", () => {
  const { metadata, payload } = buildArchive(() => {}, true);
  const closed: string[] = [];
  const closing = (bytes: Uint8Array, name: string) => {
    const source = new MemorySource(bytes);
    source.close = () => closed.push(name);
    return source;
  };
  openPxarTree(closing(metadata, "metadata"), { payload: closing(payload!, "payload") }).close();
  assert.deepEqual(closed, ["metadata", "payload"]);
});

Deno.test("PxarAccessor passes a failing read on and goes on when it works again", () => {
  const source = new MemorySource(largeDirectory(1000));
  const accessor = PxarAccessor.open(source);
  const readAt = source.readAt.bind(source);
  source.readAt = () => {
    throw new Error("disk");
  };
  assert.throws(() => accessor.lookup(`/big/${nameOf(500)}`), { message: "disk" });
  source.readAt = readAt;
  assert.equal(accessor.lookup(`/big/${nameOf(500)}`)?.name, nameOf(500));
});
