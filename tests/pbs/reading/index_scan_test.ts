import assert from "node:assert/strict";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { FormatError, IntegrityError, OsError } from "#src/errors.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndexBuilder } from "#src/pbs/format/fixed_index.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { type ChunkVisitor, scanIndex } from "#src/pbs/reading/index_scan.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const STAMP = { uuid: new Uint8Array(16), ctime: 1 };

function scanFile(path: string, visit?: ChunkVisitor): ReturnType<typeof scanIndex> {
  return scanIndex(openNativeSource(path), path, visit);
}

function chunksOf(path: string): { summary: ReturnType<typeof scanIndex>; chunks: string[] } {
  const chunks: string[] = [];
  const summary = scanFile(path, (bytes, offset, size) => {
    chunks.push(`${bytes.subarray(offset, offset + 32).toHex()} ${size}`);
  });
  return { summary, chunks };
}

Deno.test("scanIndex shows the chunks of dynamic and fixed indexes in order", () => {
  using home = new TempDirectory("index");
  const random = new Random(3);
  for (const count of [1, 2, 25_599, 25_600, 70_000]) {
    const dynamic = new DynamicIndexBuilder();
    const fixed = new FixedIndexBuilder(count * 4096 - 7, 4096);
    const inDynamic: string[] = [];
    const inFixed: string[] = [];
    let end = 0;
    for (let i = 0; i < count; i++) {
      const digest = digestOf(random.bytes(32));
      const size = random.between(1, 1 << 24);
      end += size;
      dynamic.add(digest, end);
      fixed.add(digest);
      inDynamic.push(`${digest} ${size}`);
      inFixed.push(`${digest} ${i === count - 1 ? 4096 - 7 : 4096}`);
    }
    const dynamicFile = dynamic.finish(STAMP, sha256Of);
    const fixedFile = fixed.finish(STAMP, sha256Of);
    Deno.writeFileSync(home.join("a.didx"), dynamicFile.bytes);
    Deno.writeFileSync(home.join("a.fidx"), fixedFile.bytes);
    assert.deepEqual(chunksOf(home.join("a.didx")), {
      summary: { size: end, count, checksum: dynamicFile.checksum },
      chunks: inDynamic,
    });
    assert.deepEqual(chunksOf(home.join("a.fidx")), {
      summary: { size: count * 4096 - 7, count, checksum: fixedFile.checksum },
      chunks: inFixed,
    });
  }
});

Deno.test("scanIndex refuses what is damaged", () => {
  using home = new TempDirectory("index");
  const builder = new DynamicIndexBuilder();
  for (let i = 1; i <= 5; i++) builder.add(digestOf(new Uint8Array(32).fill(i)), i * 100);
  const { bytes } = builder.finish(STAMP, sha256Of);
  const path = home.join("a.didx");
  const scanned = (content: Uint8Array) => {
    Deno.writeFileSync(path, content);
    return () => scanFile(path);
  };
  for (let size = 0; size < bytes.length; size += size < 4000 ? 500 : 7) {
    assert.throws(
      scanned(bytes.slice(0, size)),
      (error) =>
        (error instanceof FormatError || error instanceof IntegrityError) && error.path === path,
    );
  }
  for (const offset of [0, 7, 32, 63, 64, 4095, 4096, 4104, bytes.length - 1]) {
    const damaged = bytes.slice();
    damaged[offset]! ^= 1;
    assert.throws(
      scanned(damaged),
      (error) => error instanceof FormatError || error instanceof IntegrityError,
    );
  }
  scanned(bytes)();
  Deno.renameSync(path, home.join("b.fidx"));
  assert.throws(() => scanFile(home.join("b.fidx")), FormatError);
  assert.throws(() => scanFile(home.join("none.didx")), OsError);
  Deno.symlinkSync("b.fidx", home.join("c.didx"));
  assert.throws(() => scanFile(home.join("c.didx")), OsError);
  Deno.mkdirSync(home.join("d.didx"));
  assert.throws(() => scanFile(home.join("d.didx")), OsError);
});
