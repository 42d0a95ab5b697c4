import assert from "node:assert/strict";
import fc from "fast-check";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { LimitError, StateError, UsageError } from "#src/errors.ts";
import { At, close, open, openAt, OpenFlag } from "#ffi/libc/calls.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { expectedChunks, openHeard, writeInPieces } from "./support/cut_streams.ts";
import { openHashHandler } from "./support/hash_handler.ts";
import { naiveChunkSizes } from "./support/naive_chunker.ts";
import { patchedBytes, seededBytes } from "./support/random_bytes.ts";
import { streamOf, VECTORS } from "./support/vectors.ts";

const AVERAGE = 4096;

function inlinePipeline(budgetBytes?: number): ChunkPipeline {
  return new ChunkPipeline({
    handler: openHashHandler(),
    budgetBytes,
  });
}

Deno.test("ChunkPipeline cuts streams as the real chunker does", () => {
  const pipeline = inlinePipeline();
  for (const { stream: name, length, avg, chunks } of VECTORS.chunker) {
    const { stream, heard } = openHeard(pipeline, { kind: "dynamic", averageSize: avg });
    const bytes = streamOf(name, length);
    writeInPieces(stream, bytes, [1_000_003]);
    stream.finish();
    assert.equal(stream.position, length);
    assert.deepEqual(heard, expectedChunks(bytes, chunks));
  }
  pipeline.finish();
});

Deno.test("ChunkPipeline gives the same chunks for every way of writing a stream", () => {
  fc.assert(
    fc.property(
      patchedBytes(400_000),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 10 }),
      (bytes, pieces) => {
        // As little memory as there can be, so that streams move on in it.
        const pipeline = inlinePipeline(1);
        const dynamic = openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE });
        writeInPieces(dynamic.stream, bytes, pieces);
        dynamic.stream.finish();
        assert.deepEqual(dynamic.heard, expectedChunks(bytes, naiveChunkSizes(bytes, AVERAGE)));

        const chunkSize = 10_000;
        const fixed = openHeard(pipeline, { kind: "fixed", chunkSize });
        writeInPieces(fixed.stream, bytes, pieces);
        fixed.stream.finish();
        const count = Math.ceil(bytes.length / chunkSize);
        const sizes = Array.from(
          { length: count },
          (_, index) => Math.min(chunkSize, bytes.length - index * chunkSize),
        );
        assert.deepEqual(fixed.heard, expectedChunks(bytes, sizes));
        pipeline.finish();
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("ChunkPipeline moves streams on in its memory without losing a byte", () => {
  const bytes = seededBytes(9_000_000, 5);
  const pipeline = inlinePipeline(1);
  const { stream, heard } = openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE });
  writeInPieces(stream, bytes, [700_001, 3, 65_536]);
  stream.finish();
  assert.deepEqual(heard, expectedChunks(bytes, naiveChunkSizes(bytes, AVERAGE)));
  pipeline.finish();
});

Deno.test("ChunkPipeline cuts payload streams the same for every way of writing them", () => {
  const bytes = streamOf("sha", 3_000_000);
  const files = Array.from({ length: 60 }, (_, index) => 16 + index * 50_000);
  const run = (pieceSize: number) => {
    const pipeline = inlinePipeline();
    const { stream, heard } = openHeard(pipeline, { kind: "payload", averageSize: 64 << 10 });
    let next = 0;
    for (let done = 0; done < bytes.length;) {
      while (files[next]! <= done) stream.suggestBoundary(files[next++]!);
      const fileEnd = files[next] ?? bytes.length;
      const size = Math.min(pieceSize, fileEnd - done);
      stream.write(bytes.subarray(done, done + size));
      done += size;
    }
    stream.finish();
    pipeline.finish();
    return heard;
  };
  const heard = run(1 << 20);
  assert.deepEqual(run(4096), heard);
  assert.deepEqual(run(777), heard);
  assert.deepEqual(heard, expectedChunks(bytes, heard.map(({ size }) => size)));
  // Most chunks end where a file starts.
  const ends = heard.filter(({ endOffset }) => files.includes(endOffset));
  assert.ok(ends.length > 30, `${ends.length}`);
});

Deno.test("ChunkPipeline cuts payload streams as the real chunker does with pieces of the same size", () => {
  const vectors = VECTORS.payload_chunker.filter(({ avg, feed }) =>
    feed === Math.max(avg / 4, 65536)
  );
  assert.ok(vectors.length >= 3);
  for (const { stream: name, length, avg, suggestions, chunks } of vectors) {
    const pipeline = inlinePipeline();
    const { stream, heard } = openHeard(pipeline, { kind: "payload", averageSize: avg });
    for (const position of suggestions) stream.suggestBoundary(position);
    const bytes = streamOf(name, length);
    writeInPieces(stream, bytes, [10_000]);
    stream.finish();
    pipeline.finish();
    assert.deepEqual(heard, expectedChunks(bytes, chunks));
  }
});

Deno.test("ChunkStream.inject() ends the running chunk and counts the known ones", () => {
  const bytes = streamOf("sha", 500_000);
  const known = [
    { digest: digestOf(new Uint8Array(32).fill(1)), size: 70_000 },
    { digest: digestOf(new Uint8Array(32).fill(2)), size: 5 },
  ];
  const pipeline = inlinePipeline();
  const { stream, heard, records } = openHeard(pipeline, { kind: "payload", averageSize: AVERAGE });
  stream.inject([]);
  stream.write(bytes.subarray(0, 16));
  assert.equal(stream.position, 16);
  stream.inject(known);
  assert.equal(stream.position, 70_021);
  assert.deepEqual(heard.map(({ endOffset }) => endOffset), [16, 70_016, 70_021]);
  // Suggestions count positions with the injected bytes.
  stream.suggestBoundary(70_021 + 5_000);
  stream.write(bytes.subarray(16, 20_016));
  stream.inject(known.slice(1));
  stream.write(bytes.subarray(20_016, 20_032));
  stream.finish();
  assert.equal(heard[3]!.endOffset, 75_021);
  assert.deepEqual(heard.slice(-2).map(({ endOffset }) => endOffset), [90_026, 90_042]);
  assert.deepEqual(records[1], { ...known[0], storedSize: 0, isNew: false });
  const own = heard.filter(({ digest }) => !known.some((chunk) => chunk.digest === digest));
  assert.deepEqual(
    own.map(({ digest }) => digest),
    expectedChunks(bytes.subarray(0, 20_032), own.map(({ size }) => size))
      .map(({ digest }) => digest),
  );
  const statistics = pipeline.finish();
  assert.equal(statistics.injectedChunkCount, 3);
  assert.equal(statistics.injectedBytes, 70_010);
  assert.equal(statistics.plainBytes, 90_042);
  assert.equal(statistics.newPlainBytes, 20_032);
  assert.equal(statistics.newStoredBytes, 20_032 + 12 * statistics.newChunkCount);
  assert.equal(statistics.chunkCount, statistics.newChunkCount + 3);
});

Deno.test("ChunkStream.inject() cuts what can be cut by content before", () => {
  const bytes = streamOf("sha", 300_000);
  const pipeline = inlinePipeline();
  const { stream, heard } = openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE });
  stream.write(bytes);
  stream.inject([{ digest: digestOf(new Uint8Array(32)), size: 1000 }]);
  stream.write(bytes);
  stream.finish();
  const sizes = naiveChunkSizes(bytes, AVERAGE);
  assert.deepEqual(heard.map(({ size }) => size), [...sizes, 1000, ...sizes]);
  pipeline.finish();
});

Deno.test("ChunkStream.copyFrom() takes bytes of a file, and fewer when it ends", () => {
  using directory = new TempDirectory("chunks");
  const bytes = streamOf("sha", 1_500_000);
  Deno.writeFileSync(directory.join("file"), bytes);
  const fd = open(directory.join("file"), OpenFlag.RDONLY);
  const pipeline = inlinePipeline();
  const { stream, heard } = openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE });
  stream.write(bytes.subarray(0, 10));
  assert.equal(stream.copyFrom(fd, 10, 100), 100);
  assert.equal(stream.copyFrom(fd, 110, 2_000_000), 1_499_890);
  assert.equal(stream.copyFrom(fd, 1_500_000, 10), 0);
  close(fd);
  // What cannot be read is not taken: the caller finds out why.
  const folder = openAt(At.FDCWD, directory.path, OpenFlag.RDONLY);
  assert.equal(stream.copyFrom(folder, 0, 10), 0);
  close(folder);
  stream.finish();
  assert.deepEqual(heard, expectedChunks(bytes, naiveChunkSizes(bytes, AVERAGE)));
  pipeline.finish();
});

Deno.test("ChunkStream.copyFrom() of a long file comes back now and then", () => {
  using directory = new TempDirectory("chunks");
  const size = 40 << 20;
  Deno.writeFileSync(directory.join("file"), new Uint8Array());
  Deno.truncateSync(directory.join("file"), size);
  const fd = open(directory.join("file"), OpenFlag.RDONLY);
  const pipeline = inlinePipeline();
  const { stream } = openHeard(pipeline, { kind: "fixed", chunkSize: 4 << 20 });
  assert.equal(stream.copyFrom(fd, 0, size), 32 << 20);
  assert.equal(stream.copyFrom(fd, 32 << 20, 8 << 20), 8 << 20);
  close(fd);
  stream.finish();
  pipeline.finish();
});

Deno.test("ChunkStream without bytes has no chunk", () => {
  const pipeline = inlinePipeline();
  for (
    const rule of [{ kind: "dynamic", averageSize: 4096 }, { kind: "fixed", chunkSize: 1 }] as const
  ) {
    const { stream, heard } = openHeard(pipeline, rule);
    stream.write(new Uint8Array(0));
    stream.finish();
    assert.deepEqual(heard, []);
  }
  assert.equal(pipeline.finish().chunkCount, 0);
});

Deno.test("ChunkPipeline refuses sizes that are none, and use after its end", () => {
  const pipeline = inlinePipeline();
  const ignore = () => {};
  for (const size of [0, 100, NaN, Infinity, 2 ** 40, -4096]) {
    for (const kind of ["dynamic", "payload"] as const) {
      assert.throws(() => pipeline.openStream({ kind, averageSize: size }, ignore), UsageError);
    }
    if (size === 100) continue;
    const rule = { kind: "fixed", chunkSize: size } as const;
    assert.throws(() => pipeline.openStream(rule, ignore), UsageError);
  }
  const { stream } = openHeard(pipeline, { kind: "dynamic", averageSize: 4096 });
  assert.throws(() => pipeline.finish(), StateError);
  stream.finish();
  assert.throws(() => stream.write(new Uint8Array(1)), StateError);
  pipeline.finish();
  pipeline.abort();
  assert.throws(() => pipeline.finish(), StateError);
  assert.throws(() => openHeard(pipeline, { kind: "dynamic", averageSize: 4096 }), StateError);
});

Deno.test("ChunkPipeline goes on in the same piece of memory when there is no other", () => {
  const pipeline = inlinePipeline(1);
  openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE }).stream.finish();
  const bytes = seededBytes(6_000_000, 8);
  // Takes nearly all there is.
  const { stream, heard } = openHeard(pipeline, { kind: "fixed", chunkSize: 1_000_000 });
  writeInPieces(stream, bytes, [400_000]);
  stream.finish();
  assert.deepEqual(heard, expectedChunks(bytes, new Array(6).fill(1_000_000)));
  pipeline.finish();
});

Deno.test("ChunkPipeline says when there are too many streams for its memory", () => {
  const pipeline = inlinePipeline(1);
  const streams = Array.from(
    { length: 4 },
    () => openHeard(pipeline, { kind: "dynamic", averageSize: 4096 }).stream,
  );
  assert.throws(() => streams.forEach((stream) => stream.write(new Uint8Array(1))), LimitError);
  assert.throws(() => streams[0]!.write(new Uint8Array(1)), LimitError);
});

Deno.test("ChunkPipeline passes on what its handler throws, and ends", () => {
  const pipeline = new ChunkPipeline({
    handler: openHashHandler({ fails: { prefix: "", how: "state" } }),
  });
  const { stream } = openHeard(pipeline, { kind: "fixed", chunkSize: 10 });
  const isLocked = (error: unknown) => error instanceof StateError && error.code === "locked";
  assert.throws(() => stream.write(new Uint8Array(10)), isLocked);
  assert.throws(() => stream.write(new Uint8Array(10)), isLocked);
  assert.throws(() => stream.finish(), isLocked);
  assert.throws(() => pipeline.finish(), isLocked);
  pipeline.abort();
});

Deno.test("ChunkPipeline refuses budgets and known chunks of impossible sizes", () => {
  for (const budgetBytes of [-1, NaN, 0.5]) {
    assert.throws(() => inlinePipeline(budgetBytes), UsageError);
  }
  const pipeline = inlinePipeline();
  const { stream } = openHeard(pipeline, { kind: "fixed", chunkSize: 4096 });
  const digest = digestOf(new Uint8Array(32));
  for (const size of [-1, 0, NaN]) {
    assert.throws(() => stream.inject([{ digest, size }]), UsageError);
  }
  pipeline.abort();
});
