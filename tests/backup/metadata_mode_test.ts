import assert from "node:assert/strict";
import fc from "fast-check";
import { backup, type BackupOptions, openArchive, parseBackupSpec } from "#src/backup/mod.ts";
import { type BuildOptions, PxarDecoder } from "#src/pxar/mod.ts";
import { isSameMetadata } from "#src/pxar/metadata_equality.ts";
import type { PxarEntry } from "#src/pxar/entry.ts";
import type { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { streamOf } from "#src/backup/source_stream.ts";
import { hostSourceOf } from "#tests/support/build_source.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { EditedTree, edits } from "./_edited_tree.ts";
import { type MemorySnapshot, MemoryStore } from "./_memory_store.ts";

const SEED = 20_260_101;
const CHUNK_SIZE = 16 << 10;
const METADATA = "root.mpxar.didx";
const PAYLOAD = "root.ppxar.didx";
const HEADER_SIZE = 16;

/** What an archive says of a regular file. */
interface StoredFile {
  readonly path: string;
  readonly entry: PxarEntry;
  readonly offset: number;
  readonly size: number;
}

/** Makes a snapshot. @returns the files whose contents were read, and what is said of the reuse */
function snapshot(store: MemoryStore, tree: EditedTree, options: BackupOptions = {}) {
  const read = new Set<string>();
  const makeSource = hostSourceOf((file, path) => ({
    fd: file.fd,
    metadata: (stat, at) => file.metadata(stat, at),
    read: (target, offset) => {
      read.add(path);
      return file.read(target, offset);
    },
    findData: (offset, extent) => file.findData!(offset, extent),
    close: () => file.close(),
  }));
  const report = backup(store.start(), [parseBackupSpec(`root.pxar:${tree.path}`)], {
    mode: "metadata",
    chunkSize: CHUNK_SIZE,
    ...options,
    build: { makeSource },
  });
  return { read, reuse: report.archives[0]!.reuse };
}

/**
 * Reads an archive in order, which also proves that its references grow, and compares it with the
 * directory.
 */
function checkContents(stored: MemorySnapshot, tree: EditedTree): void {
  const source = streamOf(stored.openArchive(METADATA));
  const payload = streamOf(stored.openArchive(PAYLOAD));
  const decoder = new PxarDecoder(source, { payload });
  const seen: string[] = [];
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry") continue;
    const { entry, path } = event;
    const host = tree.path + path;
    if (entry.kind === "file") {
      const content = new Uint8Array(entry.payload.size);
      for (let done = 0; done < content.length;) {
        done += decoder.readContent(content.subarray(done));
      }
      assert.ok(Deno.readFileSync(host).every((byte, at) => byte === content[at]), path);
      const stat = Deno.statSync(host);
      assert.equal(content.length, stat.size);
      assert.equal(entry.metadata.mtime.seconds, Math.floor(stat.mtime!.getTime() / 1000));
      assert.equal(entry.metadata.mode, stat.mode);
    }
    if (entry.kind === "hardlink") {
      const target = Deno.statSync(`${tree.path}/${entry.targetPath}`);
      assert.equal(Deno.statSync(host).ino, target.ino, path);
    }
    if (entry.kind === "file" || entry.kind === "hardlink") seen.push(host);
  }
  assert.deepEqual(seen, tree.files());
}

/** Regular files with a content of their own, in the order of the archive. */
function storedFiles(stored: MemorySnapshot): StoredFile[] {
  const decoder = new PxarDecoder(streamOf(stored.openArchive(METADATA)));
  const files: StoredFile[] = [];
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry" || event.entry.kind !== "file") continue;
    const { path, entry } = event;
    files.push({ path, entry, offset: event.entry.payload.offset, size: event.entry.payload.size });
  }
  return files;
}

/**
 * Files that have to be read: the changed ones, and those in runs with more than one tenth of
 * padding.
 */
function filesToRead(old: StoredFile[], index: DynamicIndex, now: StoredFile[]): Set<string> {
  const toRead = new Set<string>();
  const previous = new Map(old.map((file) => [file.path, file]));
  const runs: { files: StoredFile[]; start: number; end: number; followsGap: boolean }[] = [];
  let isBroken = true;
  for (const file of now) {
    const same = previous.get(file.path);
    const last = runs.at(-1);
    const isSame = same !== undefined && same.size === file.size &&
      isSameMetadata(same.entry.metadata, file.entry.metadata) && same.offset >= (last?.end ?? 0);
    if (!isSame) {
      toRead.add(file.path);
      isBroken = true;
      continue;
    }
    const end = same.offset + HEADER_SIZE + same.size;
    if (!isBroken && last !== undefined && last.end === same.offset) {
      last.files.push(file);
      last.end = end;
    } else {
      runs.push({ files: [file], start: same.offset, end, followsGap: !isBroken });
    }
    isBroken = false;
  }
  // Bytes in use of the chunk that the run before ended in, when that chunk can be shared.
  let shared = { chunk: -1, used: 0 };
  for (const run of runs) {
    const first = index.find(run.start);
    const last = index.find(run.end - 1);
    const waste = run.start - index.startOf(first) + index.endOf(last) - run.end;
    const isShared = run.followsGap && shared.chunk === first;
    const padding = waste - (isShared ? shared.used : 0);
    if (padding > 32 && padding / (run.end - run.start + waste) > 0.1) {
      for (const file of run.files) toRead.add(file.path);
      shared = { chunk: -1, used: 0 };
      continue;
    }
    const own = run.end - Math.max(run.start, index.startOf(last));
    shared = { chunk: last, used: own + (isShared && first === last ? shared.used : 0) };
  }
  return toRead;
}

Deno.test("backup() in metadata mode keeps contents right whatever changes, and reads what it must", () => {
  let run = 0;
  let reusedCount = 0;
  let paddedCount = 0;
  fc.assert(
    fc.property(edits, fc.array(edits, { minLength: 2, maxLength: 5 }), (first, rounds) => {
      using place = new TempDirectory("metadata-mode");
      const tree = new EditedTree(place.path, ++run);
      for (let i = 0; i < 30; i++) {
        tree.apply({ kind: "add", which: i * 7919, size: i * 997 % 20_000 });
      }
      for (const edit of first) tree.apply(edit);
      const store = new MemoryStore();
      snapshot(store, tree);
      for (const round of rounds) {
        const old = store.last;
        for (const edit of round) tree.apply(edit);
        store.loaded.clear();
        const { read, reuse } = snapshot(store, tree);
        const payloadChunks = chunksOf(old.dynamicIndex(PAYLOAD));
        assert.ok(
          payloadChunks.every((digest) => !store.loaded.has(digest)),
          "no payload is loaded",
        );
        checkContents(store.last, tree);
        const now = storedFiles(store.last);
        const expected = filesToRead(storedFiles(old), old.dynamicIndex(PAYLOAD), now);
        assert.deepEqual([...read].sort(), [...expected].sort());
        const sizes = now.filter(({ path }) => expected.has(path)).map(({ size }) => size);
        assert.equal(reuse!.readBytes, sizes.reduce((sum, size) => sum + size, 0));
        assert.equal(reuse!.fileCount, now.length);
        reusedCount += reuse!.reusedFileCount;
        paddedCount += reuse!.paddingBytes > 32 ? 1 : 0;
      }
    }),
    { seed: SEED, numRuns: 150 },
  );
  assert.ok(reusedCount > 5000 && paddedCount > 50, `${reusedCount} reused, ${paddedCount} padded`);
});

Deno.test("backup() in metadata mode stores nothing of an unchanged directory but two markers", () => {
  let run = 0;
  fc.assert(
    fc.property(fc.array(edits, { maxLength: 4 }), (rounds) => {
      using place = new TempDirectory("metadata-mode");
      const tree = new EditedTree(place.path, ++run);
      addFiles(tree, 60, 5000);
      const store = new MemoryStore();
      snapshot(store, tree, { mode: "data" });
      for (const round of rounds) {
        for (const edit of round) tree.apply(edit);
        snapshot(store, tree);
      }
      const old = store.last.dynamicIndex(PAYLOAD);
      store.loaded.clear();
      const { read, reuse } = snapshot(store, tree);
      assert.deepEqual([...read], []);
      assert.equal(reuse!.readFileCount, 0);
      assert.ok(chunksOf(old).every((digest) => !store.loaded.has(digest)));
      const index = store.last.dynamicIndex(PAYLOAD);
      const chunks = new Set(chunksOf(old));
      const fresh = chunksOf(index).filter((digest) => !chunks.has(digest));
      assert.ok(fresh.length <= 2);
      assert.equal(index.endOf(0), HEADER_SIZE);
      assert.equal(index.size - index.startOf(index.count - 1), HEADER_SIZE);
      checkContents(store.last, tree);
    }),
    { seed: SEED, numRuns: 100 },
  );
});

Deno.test("backup() in metadata mode makes chunks again that were taken away", () => {
  using place = new TempDirectory("metadata-mode");
  const tree = new EditedTree(place.path, 1);
  addFiles(tree, 60, 5000);
  const store = new MemoryStore();
  snapshot(store, tree, { mode: "data" });
  const payload = chunksOf(store.last.dynamicIndex(PAYLOAD));
  const missing = payload[payload.length >> 1]!;
  store.chunks.delete(missing);
  const { reuse } = snapshot(store, tree);
  assert.ok(reuse!.readFileCount > 0);
  checkContents(store.last, tree);
});

Deno.test("backup() in metadata mode keeps contents right however few files may wait", () => {
  let run = 0;
  let cutCount = 0;
  fc.assert(
    fc.property(
      fc.array(edits, { maxLength: 4 }),
      fc.integer({ min: 1, max: 9 }),
      (rounds, held) => {
        using place = new TempDirectory("metadata-mode");
        const tree = new EditedTree(place.path, ++run);
        addFiles(tree, 60, 5000);
        const store = new MemoryStore();
        snapshot(store, tree, { mode: "data" });
        for (const round of rounds) {
          for (const edit of round) tree.apply(edit);
          const { reuse } = snapshot(store, tree, { waitingCountMax: held });
          checkContents(store.last, tree);
          if (reuse!.reusedFileCount > held) cutCount++;
        }
      },
    ),
    { seed: SEED, numRuns: 100 },
  );
  assert.ok(cutCount > 100, `${cutCount} with cuts`);
});

Deno.test("backup() in metadata mode takes files that change while they wait as they are", () => {
  using place = new TempDirectory("metadata-mode");
  const write = (name: string, size: number) => {
    Deno.writeFileSync(place.join(name), new Uint8Array(size).fill(size));
  };
  for (const name of ["a", "b", "c", "d"]) write(name, 200);
  Deno.linkSync(place.join("a"), place.join("a2"));
  write("large", 3000);
  Deno.mkdirSync(place.join("sub"));
  write("sub/e", 200);
  const store = new MemoryStore();
  const make = (build: BuildOptions) =>
    backup(store.start(), [parseBackupSpec(`root.pxar:${place.path}`)], {
      mode: "metadata",
      chunkSize: CHUNK_SIZE,
      build,
    }).archives[0]!;
  make({});
  // Of the one chunk nearly everything is padding now.
  Deno.removeSync(place.join("large"));
  write("z", 10);
  const { build, reuse } = make({
    onEntry: (path) => {
      if (path !== "/sub/e") return;
      Deno.removeSync(place.join("a"));
      write("b", 300);
      Deno.removeSync(place.join("c"));
      Deno.symlinkSync("/etc/passwd", place.join("c"));
      Deno.renameSync(place.join("sub"), place.join("elsewhere"));
      Deno.symlinkSync("elsewhere", place.join("sub"));
    },
  });
  assert.equal(reuse!.reusedFileCount, 0);
  assert.deepEqual(build!.problems.map(({ path, kind }) => [path, kind]), [
    ["/a", "vanished"],
    ["/a", "lost-link"],
    ["/c", "replaced"],
    ["/sub/e", "replaced"],
  ]);
  const stored = storedFiles(store.last).map(({ path, size }) => [path, size]);
  assert.deepEqual(stored, [["/b", 300], ["/d", 200], ["/z", 10]]);
  const { counts, entryCount, contentBytes } = build!;
  assert.deepEqual([counts.file, counts.hardlink, entryCount, contentBytes], [3, 0, 5, 510]);
});

Deno.test("backup() in metadata mode reads everything where the previous snapshot cannot be used", () => {
  using place = new TempDirectory("metadata-mode");
  const tree = new EditedTree(place.path, 1);
  tree.apply({ kind: "add", which: 1, size: 5000 });
  const store = new MemoryStore();
  assert.equal(snapshot(store, tree, { mode: "legacy" }).reuse, undefined);
  assert.equal(snapshot(store, tree).reuse, undefined, "the previous archive is not split");
  assert.equal(snapshot(store, tree).reuse?.reusedFileCount, 1);

  const { previous } = store.start("encrypt");
  assert.ok(previous !== undefined);
  const report = backup(store.start("encrypt"), [parseBackupSpec(`root.pxar:${tree.path}`)], {
    mode: "metadata",
  });
  assert.equal(report.archives[0]!.reuse, undefined, "another crypt mode");

  snapshot(store, tree);
  const failures: Error[] = [];
  store.chunks.delete(store.last.dynamicIndex(METADATA).digestOf(0));
  const { read, reuse } = snapshot(store, tree, {
    onPreviousUnusable: (_spec, error) => failures.push(error),
  });
  assert.equal(failures.length, 1);
  assert.equal(read.size, 1);
  assert.equal(reuse!.reusedFileCount, 0);
  checkContents(store.last, tree);
  using archive = openArchive(store.last, "root.pxar");
  assert.ok(archive.payload !== undefined);
});

function addFiles(tree: EditedTree, count: number, sizeMax: number): void {
  for (let number = 0; number < count; number++) {
    tree.apply({ kind: "add", which: number * 7919, size: number * 997 % sizeMax });
  }
}

function chunksOf(index: DynamicIndex) {
  return Array.from({ length: index.count }, (_, position) => index.digestOf(position));
}
