/**
 * The golden datastore restored, and its streams stored again.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  backup,
  digestOfFile,
  mapChunks,
  openImage,
  parseBackupSpec,
  readFileRange,
  restoreArchive,
  restoreStream,
} from "#src/backup/mod.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { archiveNameOf } from "#src/pbs/format/archive_name.ts";
import { CATALOG_NAME } from "#src/pbs/format/manifest.ts";
import { parseNamespace, parseSnapshot } from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { DescriptorTarget } from "#src/pxar/mod.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { describeExpected, describeHost } from "#tests/support/expected_tree.ts";
import {
  expectedDatastore,
  type ExpectedSnapshot,
  goldenDatastore,
  goldenKey,
  HAS_ALL_CHUNKS,
} from "#tests/support/pbs_fixtures.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const PIECE_SIZE = 1 << 20;
const CATALOG_CHUNK_SIZE = 512 << 10;
const CHUNK_SIZE_DEFAULT = 4 << 20;
/**
 * Removes the file that an archive has besides its tree, and leaves the directory's time as it is.
 */
const REMOVE_PATTERN_FILE =
  'touch -r "$1" "$1-time"; rm -f "$1/.pxarexclude-cli"; touch -r "$1-time" "$1"';
/** Chunk sizes that clients were told to use. */
const CHUNK_SIZES: Readonly<Record<string, number>> = {
  "host/nshost/2024-01-10T10:00:00Z": 64 << 10,
  "host/split/2024-01-12T10:00:00Z": 256 << 10,
};

const expected = expectedDatastore();
const ignore = !HAS_ALL_CHUNKS;

function open(store: Datastore, golden: ExpectedSnapshot): SnapshotReader {
  const crypt = goldenKey(golden.key);
  const id = parseSnapshot(golden.snapshot, parseNamespace(golden.ns));
  return store.openSnapshot(id, crypt === undefined ? {} : { crypt });
}

function nameOf({ ns, snapshot }: ExpectedSnapshot): string {
  return ns === "" ? snapshot : `${ns}: ${snapshot}`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test({
  name: "restoreArchive() gives every golden tree, restoreStream() every blob and image",
  ignore,
  async fn(t) {
    using store = closing(Datastore.open(goldenDatastore()));
    for (const golden of expected.snapshots) {
      await t.step(nameOf(golden), () => {
        const snapshot = open(store.value, golden);
        for (const [index, archive] of Object.entries(golden.pxar)) {
          using place = new TempDirectory("golden");
          const name = archiveNameOf(index.split("+")[0]!).replace(".mpxar", ".pxar");
          const report = restoreArchive(snapshot, name, DescriptorTarget.open(place.join("out")));
          assert.deepEqual([report.errorCount, report.warningCount], [0, 0]);
          const { tree, without, plus } = archive;
          assert.deepEqual(
            describeHost(place.join("out")),
            describeExpected(expected.trees[tree]!, without, plus),
          );
        }
        for (const [name, { size, sha256: digest }] of Object.entries(golden.blobs)) {
          const sink = new MemorySink();
          assert.equal(restoreStream(snapshot, archiveNameOf(name), sink), size);
          assert.equal(sha256(sink.bytes()), digest, name);
        }
        for (const [name, { size, sha256: digest }] of Object.entries(golden.images)) {
          const sink = new MemorySink();
          assert.equal(restoreStream(snapshot, archiveNameOf(name), sink), size);
          assert.equal(sha256(sink.bytes()), digest, name);
          assert.equal(openImage(snapshot, archiveNameOf(name)).size, size);
        }
        snapshot.close();
      });
    }
  },
});

Deno.test({
  name: "a snapshot writer gives the streams of golden archives the same chunks and checksums",
  ignore,
  async fn(t) {
    using golden = closing(Datastore.open(goldenDatastore()));
    using place = new TempDirectory("golden");
    // As a server's, but for the directories that stay empty.
    Deno.mkdirSync(place.join("store/.chunks"), { recursive: true });
    using store = closing(Datastore.open(place.join("store"), { access: "write" }));
    for (const item of expected.snapshots) {
      await t.step(nameOf(item), () => {
        const snapshot = open(golden.value, item);
        const crypt = goldenKey(item.key);
        const { group, time } = parseSnapshot(item.snapshot, parseNamespace(""));
        const ownGroup = { ...group, id: `${item.ns.replaceAll("/", "-")}${group.id}` };
        const writer = store.value.startSnapshot({
          group: ownGroup,
          time,
          cryptMode: item["crypt-mode"],
          crypt,
        });
        const files = snapshot.manifest.files.filter(({ filename }) => /idx$/.test(filename));
        for (const { filename, size, csum } of files) {
          const summary = feed(snapshot, filename, size, writer, CHUNK_SIZES[item.snapshot]);
          assert.equal(summary.size, size);
          if (!filename.endsWith(".ppxar.didx")) assert.equal(summary.checksum, csum, filename);
        }
        writer.finish();
        const own = store.value.openSnapshot(
          { group: ownGroup, time },
          crypt === undefined ? {} : { crypt },
        );
        for (const { filename } of files) {
          const [a, b] = [streamDigest(own, filename), streamDigest(snapshot, filename)];
          assert.equal(a, b, filename);
        }
        own.close();
        snapshot.close();
      });
    }
  },
});

Deno.test({
  name: "backup() of a restored golden tree gives the archives and the catalog of the real client",
  ignore,
  async fn(t) {
    using golden = closing(Datastore.open(goldenDatastore()));
    using place = new TempDirectory("golden");
    Deno.mkdirSync(place.join("store/.chunks"), { recursive: true });
    using store = closing(Datastore.open(place.join("store"), { access: "write" }));
    let time = 1_700_000_000;
    for (const item of expected.snapshots) {
      const names = Object.keys(item.pxar);
      const isPlain = names.length > 0 && !names[0]!.includes("+");
      if (!isPlain || item["crypt-mode"] === "encrypt") continue;
      await t.step(nameOf(item), async () => {
        const snapshot = open(golden.value, item);
        const specs = names.map((index) => {
          const name = archiveNameOf(index);
          const path = place.join(`${time}-${name}`);
          restoreArchive(snapshot, name, DescriptorTarget.open(path));
          return parseBackupSpec(`${name}:${path}`);
        });
        for (const { path } of specs) await bash(REMOVE_PATTERN_FILE, path);
        const group = { ns: parseNamespace(""), type: "host", id: "again" } as const;
        const writer = store.value.startSnapshot({ group, time: time++ });
        const exclude = item.ns === "" ? [] : ["*.log", "/big/no*"];
        const chunkSize = CHUNK_SIZES[item.snapshot] ?? CHUNK_SIZE_DEFAULT;
        const report = backup(writer, specs, { chunkSize, build: { exclude } });
        const files = report.snapshot!.manifest.files;
        const own = Object.fromEntries(files.map(({ filename, csum }) => [filename, csum]));
        const theirs = snapshot.manifest.files.filter(({ filename }) => /didx$/.test(filename));
        assert.deepEqual(
          own,
          Object.fromEntries(theirs.map(({ filename, csum }) => [filename, csum])),
        );
        snapshot.close();
      });
    }
  },
});

Deno.test({
  name: "backup() in metadata mode reuses all that the real client stored",
  ignore,
  async fn(t) {
    using place = new TempDirectory("golden");
    await bash('cp -r "$1" "$2"', goldenDatastore(), place.join("store"));
    using store = closing(Datastore.open(place.join("store"), { access: "write" }));
    for (const id of ["split", "splitenc"]) {
      await t.step(id, () => {
        const item = expected.snapshots.filter(({ snapshot }) => snapshot.startsWith(`host/${id}/`))
          .at(-1)!;
        const snapshot = open(store.value, item);
        const tree = place.join(id);
        restoreArchive(snapshot, "root.pxar", DescriptorTarget.open(tree));
        const { group } = snapshot.id;
        const crypt = goldenKey(item.key);
        snapshot.close();
        const options = { group, crypt };
        const writer = store.value.startSnapshot(options);
        const report = backup(writer, [parseBackupSpec(`root.pxar:${tree}`)], {
          mode: "metadata",
          chunkSize: CHUNK_SIZES[item.snapshot] ?? CHUNK_SIZE_DEFAULT,
        });
        const { reuse } = report.archives[0]!;
        assert.equal(reuse!.readFileCount, 0);
        assert.ok(reuse!.reusedFileCount > 100);
        const own = store.value.openSnapshot(writer.id, crypt === undefined ? {} : { crypt });
        const again = place.join(`${id}-again`);
        restoreArchive(own, "root.pxar", DescriptorTarget.open(again));
        assert.deepEqual(describeHost(again), describeExpected(expected.trees["S2"]!));
        own.close();
      });
    }
  },
});

Deno.test({
  name: "files of golden archives have the digests, ranges and chunks that the lists say",
  ignore,
  fn() {
    using store = closing(Datastore.open(goldenDatastore()));
    for (const golden of expected.snapshots) {
      const snapshot = open(store.value, golden);
      for (const [index, { tree, without = [] }] of Object.entries(golden.pxar)) {
        const name = archiveNameOf(index.split("+")[0]!).replace(".mpxar", ".pxar");
        const files = expected.trees[tree]!.filter(({ type, path }) =>
          type === "file" && path !== undefined && !without.includes(path)
        );
        const chunks = new Map<string, NativeBuffer>();
        const maps = new Map([...mapChunks(snapshot, name)].map((map) => [map.path, map]));
        for (const { path, size, sha256: digest } of files) {
          const map = maps.get(path!)!;
          assert.equal(map.size, size, path);
          const hash = createHash("sha256");
          for (const chunk of map.chunks) {
            const known = chunks.get(chunk.digest);
            const plain = known ?? nativeBufferOf(new Uint8Array(chunk.chunkSize));
            if (known === undefined) {
              snapshot.chunks.load(chunk.digest, chunk.chunkSize, plain, 0);
              chunks.set(chunk.digest, plain);
            }
            hash.update(plain.bytes.subarray(chunk.chunkOffset, chunk.chunkOffset + chunk.size));
          }
          assert.equal(hash.digest("hex"), digest, path);
        }
        const largest = files.toSorted((a, b) => b.size! - a.size!)[0]!;
        assert.equal(digestOfFile(snapshot, name, largest.path!).toHex(), largest.sha256);
        const range = { archive: name, path: largest.path!, offset: 1000, length: 500 };
        const [piece] = readFileRange(snapshot, range);
        assert.equal(piece?.length, Math.min(500, largest.size! - 1000));
      }
      snapshot.close();
    }
  },
});

function feed(
  from: SnapshotReader,
  filename: string,
  size: number,
  writer: ReturnType<Datastore["startSnapshot"]>,
  chunkSize = CHUNK_SIZE_DEFAULT,
) {
  const averageSize = filename === CATALOG_NAME ? CATALOG_CHUNK_SIZE : chunkSize;
  const kind = filename.endsWith(".ppxar.didx") ? "payload" : "dynamic";
  const stream = filename.endsWith(".fidx")
    ? writer.openFixed(filename, size, CHUNK_SIZE_DEFAULT)
    : writer.openDynamic(filename, { kind, averageSize });
  for (const piece of piecesOf(from, filename)) stream.write(piece);
  return stream.finish();
}

function* piecesOf(snapshot: SnapshotReader, filename: string): Generator<Uint8Array> {
  const source = snapshot.openArchive(filename);
  const buffer = nativeBufferOf(new Uint8Array(PIECE_SIZE));
  for (let offset = 0; offset < source.size;) {
    const count = source.readAt(buffer, 0, PIECE_SIZE, offset);
    yield buffer.bytes.subarray(0, count);
    offset += count;
  }
  source.close();
}

function streamDigest(snapshot: SnapshotReader, filename: string): string {
  const hash = createHash("sha256");
  for (const piece of piecesOf(snapshot, filename)) hash.update(piece);
  return hash.digest("hex");
}

function closing<Value extends { close(): void }>(value: Value): Disposable & { value: Value } {
  return { value, [Symbol.dispose]: () => value.close() };
}
