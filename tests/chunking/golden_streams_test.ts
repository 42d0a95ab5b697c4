import assert from "node:assert/strict";
import type { ChunkHandler } from "#src/chunking/chunk_handler.ts";
import type { CutRule } from "#src/chunking/chunk_stream.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { sha256Of, sha256Stream } from "#src/codecs/hashing.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndexBuilder } from "#src/pbs/format/fixed_index.ts";
import { parseNamespace, parseSnapshot } from "#src/pbs/format/snapshot_path.ts";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import {
  expectedDatastore,
  type ExpectedSnapshot,
  goldenDatastore,
  goldenKey,
  hasChunks,
  readIndex,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";

const CATALOG_AVERAGE = 512 << 10;
const IMAGE_CHUNK_SIZE = 4 << 20;
const STEP_SIZE = 1 << 20;

/**
 * Average chunk size of the archives of a snapshot: the third of host/split and the one in a
 * namespace have their own.
 */
function averageOf({ ns, snapshot }: ExpectedSnapshot, snapshots: readonly ExpectedSnapshot[]) {
  if (ns !== "") return 64 << 10;
  const split = snapshots.map((one) => one.snapshot).filter((name) =>
    name.startsWith("host/split/")
  );
  return snapshot === split.sort()[2] ? 256 << 10 : 4 << 20;
}

function ruleFor(name: string, averageSize: number): CutRule {
  if (name.endsWith(".fidx")) return { kind: "fixed", chunkSize: IMAGE_CHUNK_SIZE };
  if (name.startsWith("catalog.")) return { kind: "dynamic", averageSize: CATALOG_AVERAGE };
  return { kind: name.endsWith(".ppxar.didx") ? "payload" : "dynamic", averageSize };
}

/** Names chunks as a backup with the key does, and shows their bytes. */
function namingHandler(
  crypt: CryptConfig | undefined,
  onPlain: (bytes: Uint8Array) => void,
): ChunkHandler {
  const codec = new BlobCodec(nativeCodecs());
  return {
    handle(plain, start, size) {
      onPlain(plain.bytes.subarray(start, start + size));
      return { digest: codec.digest(plain, start, size, crypt), storedSize: size, isNew: true };
    },
  };
}

const { snapshots } = expectedDatastore();

for (const expected of snapshots) {
  const title = `${expected.ns} ${expected.snapshot}`.trim();

  Deno.test(`ChunkPipeline makes of the golden streams the indexes of ${title}`, async (test) => {
    const crypt = goldenKey(expected.key);
    const used = expected["crypt-mode"] === "encrypt" ? crypt : undefined;
    const store = Datastore.open(goldenDatastore());
    const id = parseSnapshot(expected.snapshot, parseNamespace(expected.ns));
    const reader = store.openSnapshot(id, crypt === undefined ? {} : { crypt });
    let handled = sha256Stream();
    const handler = namingHandler(used, (bytes) => handled.update(bytes));
    const pipeline = new ChunkPipeline({ handler });
    const names = [...Deno.readDirSync(snapshotPath(expected))].map(({ name }) => name)
      .filter((name) => /\.[df]idx$/.test(name)).sort();
    for (const name of names) {
      const golden = readIndex(`${snapshotPath(expected)}/${name}`);
      const isComplete = hasChunks(golden);
      await test.step({
        name,
        ignore: !isComplete,
        fn: () => {
          const source = reader.openArchive(name);
          const rule = ruleFor(name, averageOf(expected, snapshots));
          const dynamic = new DynamicIndexBuilder();
          const fixed = new FixedIndexBuilder(source.size, IMAGE_CHUNK_SIZE);
          const stream = pipeline.openStream(rule, ({ digest }, endOffset) => {
            if (rule.kind === "fixed") fixed.add(digest);
            else dynamic.add(digest, endOffset);
          });
          const buffer = allocateNativeBuffer(STEP_SIZE);
          const written = sha256Stream();
          handled = sha256Stream();
          for (let offset = 0; offset < source.size;) {
            const count = source.readAt(buffer, 0, STEP_SIZE, offset);
            stream.write(buffer.bytes.subarray(0, count));
            written.update(buffer.bytes.subarray(0, count));
            offset += count;
          }
          stream.finish();
          source.close();
          assert.equal(stream.position, golden.size);
          assert.deepEqual(handled.digest(), written.digest());
          const stamp = { uuid: golden.uuid, ctime: golden.ctime };
          const made = rule.kind === "fixed"
            ? fixed.finish(stamp, sha256Of)
            : dynamic.finish(stamp, sha256Of);
          // Where payload is cut depends on how fast it was read.
          if (rule.kind === "payload") return;
          assert.equal(made.checksum, golden.statedChecksum);
          assert.deepEqual(made.bytes, Deno.readFileSync(`${snapshotPath(expected)}/${name}`));
        },
      });
    }
    pipeline.finish();
    reader.close();
    store.close();
  });
}
