import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError, UsageError } from "#src/errors.ts";
import {
  memoryEntry,
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
import { walk } from "#src/tree/walk.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

const text = (value: string) => new TextEncoder().encode(value);

const nameOf = (index: number) => `name-${String(index).padStart(6, "0")}`;

function largeDirectory(count: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(300);
  return buildArchive((encoder) => {
    encoder.add("big", { kind: "directory", metadata: DIRECTORY });
    for (let i = 0; i < count; i++) encoder.add(nameOf(i), memoryEntry(FILE, content));
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
      // Ends of both tables, the entries of the path, and at most a page for each level of the
      // tree.
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
      encoder.add("a filler", memoryEntry(FILE, new Uint8Array(50_000)));
      encoder.add("d", { kind: "directory", metadata: DIRECTORY });
    }
    for (let i = 0; i < 100; i++) encoder.add(nameOf(i), memoryEntry(FILE, text("abc")));
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
      encoder.add("f", memoryEntry(FILE, content));
      encoder.add("empty", memoryEntry(FILE, new Uint8Array()));
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
  const { metadata } = buildArchive(
    (encoder) => encoder.add("f", memoryEntry(FILE, text("abc"))),
    true,
  );
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
    encoder.add("a", { kind: "directory", metadata: DIRECTORY });
    const target = encoder.add("file", memoryEntry(FILE, text("abc")));
    encoder.finishDirectory();
    encoder.add("b", { kind: "directory", metadata: DIRECTORY });
    encoder.add("link", { kind: "hardlink", targetPath: "a/file", target });
    encoder.finishDirectory();
    encoder.add("top", { kind: "hardlink", targetPath: "a/file", target });
  });
  const accessor = PxarAccessor.open(new MemorySource(metadata));
  const file = accessor.lookup("/a/file")!;
  assert.equal(accessor.lookup("/b/link"), file);
  assert.equal(accessor.child(accessor.root, "top"), file);
  const stored = accessor.lookupChild("/b/link") as PxarLinkNode;
  assert.deepEqual([stored.entry.kind, stored.name], ["hardlink", "link"]);
  assert.equal(accessor.nodeAt(stored.offset), undefined);
  assert.equal(accessor.nodeAt(file.offset), file);
  checkMountableTree(() => openPxarTree(new MemorySource(metadata)));
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

for (const isSplit of [false, true]) {
  const version = isSplit ? 2 : 1;
  Deno.test(`PxarAccessor.readDirectory goes on behind a malformed entry, version ${version}`, () => {
    const names = ["a", "b", "c"];
    const { metadata, payload } = buildArchive((encoder) => {
      for (const name of names) encoder.add(name, memoryEntry(FILE, text(name.repeat(1000))));
    }, isSplit);
    const options = payload === undefined ? {} : { payload: new MemorySource(payload) };
    const { offset } = PxarAccessor.open(new MemorySource(metadata), options).lookup("/b")!;
    const damages: [string, (bytes: Uint8Array) => void][] = [
      ["no entry", (bytes) => bytes.fill(0xff, offset, offset + 16)],
      ["another name", (bytes) => bytes[offset + 16] = 0x7a],
      ["a type that is none", (bytes) => bytes.fill(0xff, offset + 18, offset + 26)],
    ];
    for (const [what, damage] of damages) {
      const bytes = metadata.slice();
      damage(bytes);
      const accessor = PxarAccessor.open(new MemorySource(bytes), options);
      const heard: unknown[] = [];
      const children = accessor.readDirectory(accessor.root, (error) => heard.push(error));
      assert.deepEqual([...children].map(({ name }) => name), ["a", "c"], what);
      assert.ok(heard.length === 1 && heard[0] instanceof FormatError, what);
      assert.throws(() => [...accessor.readDirectory(accessor.root)], FormatError, what);
      assert.throws(() => accessor.child(accessor.root, "b") ?? assert.fail(), what);
      assert.equal(accessor.child(accessor.root, "c")?.name, "c", what);
    }
  });
}

/** Offsets and sizes of what {@link withTable} has below the root. */
interface Places {
  readonly outerStart: number;
  readonly outerSize: number;
  readonly innerStart: number;
  readonly innerSize: number;
  readonly start: number;
  readonly size: number;
}

/** An archive of `/d/e/f` whose table of `/d/e` has another item than it should. */
function withTable(addItem: (table: GoodbyeBuilder, places: Places) => void) {
  const { metadata } = buildArchive((encoder: PxarEncoder) => {
    encoder.add("d", { kind: "directory", metadata: DIRECTORY });
    encoder.add("e", { kind: "directory", metadata: DIRECTORY });
    encoder.add("f", memoryEntry(FILE, text("abc")));
    encoder.finishDirectory();
    encoder.finishDirectory();
  });
  const accessor = PxarAccessor.open(new MemorySource(metadata));
  const outer = accessor.lookup("/d")!;
  const inner = accessor.lookup("/d/e")!;
  const file = accessor.lookup("/d/e/f")!;
  const table = new GoodbyeBuilder();
  addItem(table, {
    outerStart: outer.offset,
    outerSize: outer.end - outer.offset,
    innerStart: inner.offset,
    innerSize: inner.end - inner.offset,
    start: file.offset,
    size: file.end - file.offset,
  });
  const bytes = table.encode(inner.table!.offset, inner.table!.entryOffset);
  assert.equal(bytes.length, 64);
  metadata.set(bytes, inner.table!.offset);
  return metadata;
}

Deno.test("PxarAccessor and verifyArchive refuse a table whose items are not what the directory holds", () => {
  hashFileName("f");
  const { high, low } = filenameHash;
  // A size that is not the directory's keeps what lists a directory in itself from being walked for
  // ever by readers that do not look for that: they miss the tail of its table where the size says
  // that it ends.
  const tables: [string, (table: GoodbyeBuilder, places: Places) => void][] = [
    ["bad-goodbye", (table, { start, size }) => table.add(high, low, start + 1, size)],
    ["bad-goodbye", (table, { start }) => table.add(high, low, start, 20)],
    ["bad-goodbye", (table, { start, size }) => table.add(high, low, start - 56, size)],
    ["bad-goodbye", (table, { start, size }) => table.add(high, low, start - 1e15, size)],
    ["bad-goodbye", (table, { start, size }) => table.add(high, low, start + 1e15, size)],
    [
      "cyclic-goodbye",
      (table, { innerStart, innerSize }) => table.add(high, low, innerStart, innerSize - 1),
    ],
    [
      "cyclic-goodbye",
      (table, { outerStart, outerSize }) => table.add(high, low, outerStart, outerSize - 1),
    ],
  ];
  for (const [index, [code, fill]] of tables.entries()) {
    const metadata = withTable(fill);
    const accessor = PxarAccessor.open(new MemorySource(metadata));
    assert.throws(() => accessor.lookup("/d/e/f"), { code }, `table ${index}`);
    const directory = accessor.lookup("/d/e")!;
    assert.throws(() => [...accessor.readDirectory(directory)], { code }, `table ${index}`);
    assert.throws(() => [...walk(openPxarTree(new MemorySource(metadata)))], { code });
    assert.equal([...verifyArchive(new MemorySource(metadata))][0]?.code, code, `table ${index}`);
  }
});

Deno.test("verifyArchive refuses an item whose size is a little too large", () => {
  hashFileName("f");
  const { high, low } = filenameHash;
  const metadata = withTable((table, { start, size }) => table.add(high, low, start, size + 1));
  assert.equal([...verifyArchive(new MemorySource(metadata))][0]?.code, "bad-goodbye");
  // Where a file ends its own items say: what is read of it is right all the same.
  assert.equal(PxarAccessor.open(new MemorySource(metadata)).lookup("/d/e/f")?.name, "f");
});

Deno.test("PxarAccessor and verifyArchive refuse a table in another order than that of a search tree", () => {
  const names = ["a", "b", "c"];
  const { metadata } = buildArchive((encoder: PxarEncoder) => {
    for (const name of names) encoder.add(name, memoryEntry(FILE, text("abc")));
  });
  const { root } = PxarAccessor.open(new MemorySource(metadata));
  const items = root.table!.offset + 16;
  const first = metadata.slice(items, items + 24);
  metadata.copyWithin(items, items + 24, items + 48);
  metadata.set(first, items + 24);
  const code = "bad-goodbye";
  assert.equal([...verifyArchive(new MemorySource(metadata))][0]?.code, code);
  const accessor = PxarAccessor.open(new MemorySource(metadata));
  assert.throws(() => [...accessor.readDirectory(accessor.root)], { code });
  // A search may miss what is there, but finds nothing else.
  for (const name of names) {
    assert.ok([name, undefined].includes(accessor.lookup(`/${name}`)?.name));
  }
});

Deno.test("openPxarTree shows ACLs and capabilities as extended attributes and devices by number", () => {
  const { metadata } = buildArchive((encoder) => {
    const xattrs = [{ name: "user.a", value: text("v") }];
    const users = [{ id: 1000n, permissions: 6n }];
    const acl = { ...FILE.acl, users, groupObject: 4n };
    const fcaps = Uint8Array.of(1, 2, 3);
    encoder.add("f", memoryEntry(metadataOf(0o100660, { xattrs, acl, fcaps }), new Uint8Array()));
    encoder.add("tty", {
      kind: "device",
      metadata: metadataOf(0o20620),
      major: 4n,
      minor: 0x12345n,
    });
    encoder.add("unreal", {
      kind: "device",
      metadata: metadataOf(0o20620),
      major: 5000n,
      minor: 0n,
    });
    encoder.add("s", { kind: "symlink", metadata: SYMLINK, target: "ü" });
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
  const unreal = root.lookup("unreal");
  assert.ok(unreal?.kind === "device");
  assert.throws(() => unreal.attributes.rdev, FormatError);
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
