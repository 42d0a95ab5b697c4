import assert from "node:assert/strict";
import {
  assembleSnapshot,
  backup,
  type BackupOptions,
  openArchive,
  parseBackupSpec,
  restoreStream,
} from "#src/backup/mod.ts";
import { UsageError } from "#src/errors.ts";
import { PxarDecoder, verifyArchive } from "#src/pxar/mod.ts";
import { streamOf } from "#src/backup/source_stream.ts";
import { digestFile, requireFile } from "#src/transfer/mod.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { type Attributes, requireEntry } from "#src/tree/mod.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { EditedTree } from "./_edited_tree.ts";
import { type MemorySnapshot, MemoryStore } from "./_memory_store.ts";

const CHUNK_SIZE = 16 << 10;

function addFiles(tree: EditedTree, count: number): void {
  for (let number = 0; number < count; number++) {
    tree.apply({ kind: "add", which: number * 7919, size: number * 997 % 9000 });
  }
  tree.apply({ kind: "hardlink", which: 4242, size: 0 });
}

function snapshot(store: MemoryStore, tree: EditedTree, options: BackupOptions): MemorySnapshot {
  const specs = [`root.pxar:${tree.path}`].map(parseBackupSpec);
  backup(store.start(), specs, { chunkSize: CHUNK_SIZE, ...options });
  return store.last;
}

/** Compares a directory of an archive with one of the host. */
function checkTree(archive: MemorySnapshot, name: string, path: string, tree: EditedTree): void {
  using open = openArchive(archive, name);
  const reader = pxarTree(open.accessor);
  const digests = tree.files().map((file) => [
    file.slice(tree.path.length),
    Deno.readFileSync(file).length,
  ]);
  for (const [file, size] of digests as [string, number][]) {
    const found = requireFile(reader, `${path}${file}`);
    assert.equal(found.attributes.size, size);
    const sha256 = new Uint8Array(digestFile(found)).toHex();
    const expected = readFileDigest(`${tree.path}${file}`);
    assert.equal(sha256, expected, file);
  }
  const payload = open.payload === undefined ? {} : { payload: open.payload };
  assert.deepEqual([...verifyArchive(open.source, payload)], []);
}

function readFileDigest(path: string): string {
  const bytes = Deno.readFileSync(path);
  return new Uint8Array(digestFile({
    kind: "file",
    origin: bytes,
    id: 1,
    metadata: undefined as never,
    attributes: { size: bytes.length } as Attributes,
    xattrs: () => new Map(),
    linkCount: 1,
    open: () => ({
      readInto: (target, start, size, offset) => {
        const part = bytes.subarray(offset, offset + size);
        target.bytes.set(part, start);
        return part.length;
      },
      close: () => {},
    }),
  })).toHex();
}

Deno.test("assembleSnapshot() takes whole archives over to the last byte", () => {
  using place = new TempDirectory("assemble");
  Deno.mkdirSync(place.join("tree"));
  const tree = new EditedTree(place.join("tree"), 1);
  addFiles(tree, 40);
  Deno.writeFileSync(place.join("disk"), new Uint8Array(100_000).fill(3));
  Deno.writeTextFileSync(place.join("conf"), "a=b\n");
  const store = new MemoryStore();
  const specs = [
    `root.pxar:${tree.path}`,
    `disk.img:${place.join("disk")}`,
    `some.conf:${place.join("conf")}`,
  ].map(parseBackupSpec);
  for (const mode of ["legacy", "data"] as const) {
    backup(store.start(), specs, { mode, chunkSize: CHUNK_SIZE });
    const old = store.last;
    store.loaded.clear();
    const chunkCount = store.chunks.size;
    const report = assembleSnapshot(store.start(), [
      { snapshot: old, archive: "root.pxar" },
      { snapshot: old, archive: "root.pxar", to: "copy.pxar" },
      { snapshot: old, archive: "disk.img" },
      { snapshot: old, archive: "some.conf" },
    ]);
    assert.equal(store.loaded.size, 0);
    assert.equal(store.chunks.size, chunkCount);
    assert.ok(report.reusedShare > 0.99, `${report.reusedShare}`);
    for (const { filename, csum } of old.manifest.files) {
      if (filename === "catalog.pcat1.didx") continue;
      const same = store.last.manifest.files.find((file) => file.filename === filename);
      assert.equal(same?.csum, csum, filename);
    }
    checkTree(store.last, "copy.pxar", "", tree);
    const sink = new MemorySink();
    restoreStream(store.last, "disk.img", sink);
    assert.deepEqual(sink.bytes(), Deno.readFileSync(place.join("disk")));
  }
});

Deno.test("assembleSnapshot() puts parts of several archives together without reading contents", () => {
  using place = new TempDirectory("assemble");
  const trees = [1, 2].map((seed) => {
    Deno.mkdirSync(place.join(`tree${seed}`));
    const tree = new EditedTree(place.join(`tree${seed}`), seed);
    addFiles(tree, 60);
    return tree;
  }) as [EditedTree, EditedTree];
  const store = new MemoryStore();
  const first = snapshot(store, trees[0], { mode: "legacy" });
  const second = snapshot(store, trees[1], { mode: "data" });
  const payload = second.dynamicIndex("root.ppxar.didx");
  store.loaded.clear();
  const report = assembleSnapshot(store.start(), [
    { snapshot: first, archive: "root.pxar", to: "both.pxar", place: "one" },
    { snapshot: second, archive: "root.pxar", to: "both.pxar", place: "two" },
    { snapshot: second, archive: "root.pxar", to: "both.pxar", from: "/a", place: "/again/" },
    { snapshot: second, archive: "root.pxar", to: "b.pxar", from: "/b" },
  ]);
  for (let position = 0; position < payload.count; position++) {
    assert.ok(!store.loaded.has(payload.digestOf(position)), "no payload is loaded");
  }
  assert.ok(report.reusedShare > 0.9, `${report.reusedShare}`);
  const [both] = report.archives;
  assert.equal(both!.name, "both.pxar");
  checkTree(store.last, "both.pxar", "/one", trees[0]);
  checkTree(store.last, "both.pxar", "/two", trees[1]);
  using open = openArchive(store.last, "both.pxar");
  assert.equal(requireEntry(pxarTree(open.accessor), "/again/a").kind, "directory");
  // Readers of pipes go forwards only.
  const decoder = new PxarDecoder(streamOf(open.source), { payload: streamOf(open.payload!) });
  const buffer = new Uint8Array(10_000);
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    while (decoder.readContent(buffer) > 0) { /* all of it */ }
  }
});

Deno.test("assembleSnapshot() refuses parts that do not fit", () => {
  using place = new TempDirectory("assemble");
  const tree = new EditedTree(place.path, 1);
  addFiles(tree, 3);
  const store = new MemoryStore();
  const old = snapshot(store, tree, {});
  const refuse = (message: RegExp, ...parts: Parameters<typeof assembleSnapshot>[1]) => {
    const writer = store.start();
    assert.throws(() => assembleSnapshot(writer, parts), message);
    assert.ok(writer.isAborted);
  };
  refuse(/no parts/);
  refuse(/does not contain/, { snapshot: old, archive: "other.pxar" });
  refuse(/no such entry/, { snapshot: old, archive: "root.pxar", from: "/none" });
  refuse(/another kind/, { snapshot: old, archive: "root.pxar", to: "x.img", from: "/a" });
  assert.throws(
    () => assembleSnapshot(store.start("encrypt"), [{ snapshot: old, archive: "root.pxar" }]),
    UsageError,
  );
});

Deno.test("assembleSnapshot() knows archives by their files, and keeps their kind", () => {
  using place = new TempDirectory("assemble");
  const tree = new EditedTree(place.path, 1);
  addFiles(tree, 3);
  for (const mode of ["legacy", "data"] as const) {
    const store = new MemoryStore();
    const old = snapshot(store, tree, { mode });
    const archive = mode === "data" ? "root.mpxar.didx" : "root.pxar.didx";
    const { archives } = assembleSnapshot(store.start(), [{ snapshot: old, archive }]);
    assert.deepEqual(archives.map(({ name }) => name), ["root.pxar"]);
    assert.deepEqual(
      store.last.manifest.files.map(({ filename }) => filename).sort(),
      mode === "data" ? ["root.mpxar.didx", "root.ppxar.didx"] : ["root.pxar.didx"],
    );
    for (const to of ["root.img", "root.conf", "catalog.pcat1"]) {
      const parts = [{ snapshot: old, archive: "root.pxar", to }];
      assert.throws(() => assembleSnapshot(store.start(), parts), UsageError, to);
    }
  }
});

Deno.test("assembleSnapshot() refuses archives of which chunks are missing", () => {
  using place = new TempDirectory("assemble");
  const tree = new EditedTree(place.path, 1);
  addFiles(tree, 30);
  const store = new MemoryStore();
  const old = snapshot(store, tree, { mode: "data" });
  store.chunks.delete(old.dynamicIndex("root.ppxar.didx").digestOf(1));
  for (const part of [{}, { place: "/there/" }]) {
    const writer = store.start();
    assert.throws(
      () => assembleSnapshot(writer, [{ snapshot: old, archive: "root.pxar", ...part }]),
      { code: "not-found", message: /it is missing/ },
    );
    assert.ok(writer.isAborted);
  }
});
