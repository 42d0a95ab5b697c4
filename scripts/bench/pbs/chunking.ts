/**
 * Measures the chunk pipeline by itself: the search for boundaries, with SHA-256, and with
 * compression into a datastore.
 *
 *     deno task bench chunking
 *
 * Needs root, to mount the tmpfs on which the datastore is made. Rates are in units of 1,000,000
 * bytes, and the best of several runs: what else the machine does can only make them worse.
 *
 * @module
 */

import { ChunkArena } from "#src/chunking/arena.ts";
import { SCANNER_SIZE } from "#src/chunking/buzhash.ts";
import type { ChunkHandler } from "#src/chunking/chunk_handler.ts";
import type { CutRule } from "#src/chunking/chunk_stream.ts";
import { Chunker } from "#src/chunking/chunker.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import type { ChunkWorkers } from "#src/chunking/worker_threads.ts";
import type { DirectoryDescription } from "#src/pbs/storage/directory/directory_storage.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { describeStorageKeeper } from "#src/pbs/writing/storage_keeper.ts";
import {
  StoreChunkHandler,
  type StoreChunkHandlerDescription,
} from "#src/pbs/writing/store_chunk_handler.ts";
import { startStoreThread } from "#src/pbs/thread_start.ts";
import { openHashHandler } from "#tests/chunking/support/hash_handler.ts";
import { hashWorkers } from "#tests/chunking/support/worker_options.ts";
import { PxarReport } from "../pxar/report.ts";
import { withTmpfs } from "../tmpfs.ts";

const MEGABYTE = 1_000_000;
const MEBIBYTE = 1 << 20;
const ARCHIVE: CutRule = { kind: "dynamic", averageSize: 4 * MEBIBYTE };
const PIECE_SIZE = MEBIBYTE;
const SMALL_FILE_SIZE = 4096;
const SMALL_FILE_COUNT = 1000;

/** The least of several times, in seconds. */
function bestSeconds(runs: number, run: (index: number) => void): number {
  let best = Infinity;
  for (let index = 0; index < runs; index++) {
    const start = performance.now();
    run(index);
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

function fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
  const step = 65536;
  for (let offset = 0; offset < bytes.length; offset += step) {
    crypto.getRandomValues(bytes.subarray(offset, offset + step));
  }
}

/**
 * Files from 4 KiB to 64 MiB as one stream: every other one is text, which compresses to about a
 * third.
 */
function mixedBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  fillRandom(bytes);
  const words = Array.from({ length: 4096 }, (_, index) => (index * 2654435761 >>> 0).toString(36));
  const text = new TextEncoder();
  let fileSize = 4096;
  for (let offset = 0, index = 0; offset < size; offset += fileSize, index++) {
    fileSize = 4096 << (index % 15);
    if (index % 2 === 0) continue;
    const end = Math.min(size, offset + fileSize);
    for (let at = offset; at < end;) {
      const random = bytes[at]! | bytes[at + 1]! << 8;
      at += text.encodeInto(`${words[random % words.length]} `, bytes.subarray(at, end)).written;
    }
  }
  return bytes;
}

function benchmarkChunker(report: PxarReport): void {
  const size = 256 * MEBIBYTE;
  const arena = new ChunkArena(size);
  fillRandom(arena.buffer.bytes.subarray(SCANNER_SIZE, SCANNER_SIZE + size));
  for (
    const [averageSize, name, target] of [
      [4 * MEBIBYTE, "4 MiB", ">= 600"],
      [65536, "64 KiB", undefined],
      [4096, "4 KiB", undefined],
    ] as const
  ) {
    const seconds = bestSeconds(5, () => {
      const chunker = new Chunker(arena.scanner, averageSize);
      const end = SCANNER_SIZE + size;
      for (let start = SCANNER_SIZE;;) {
        const chunkSize = chunker.cut(start, end - start);
        if (chunkSize === 0) break;
        start += chunkSize;
      }
    });
    report.add({
      name: `chunker, ${name} on average`,
      unit: "MB/s",
      value: size / MEGABYTE / seconds,
      target,
    });
  }
}

/** Writes `bytes` through a pipeline `rounds` times, as one stream. */
function writeAll(
  handler: ChunkHandler,
  workers: ChunkWorkers | undefined,
  bytes: Uint8Array,
  rounds: number,
): void {
  const pipeline = new ChunkPipeline({ handler, workers });
  const stream = pipeline.openStream(ARCHIVE, () => {});
  for (let round = 0; round < rounds; round++) {
    for (let offset = 0; offset < bytes.length; offset += PIECE_SIZE) {
      stream.write(bytes.subarray(offset, offset + PIECE_SIZE));
    }
  }
  stream.finish();
  pipeline.finish();
}

function benchmarkHashing(report: PxarReport): void {
  const bytes = new Uint8Array(128 * MEBIBYTE);
  fillRandom(bytes);
  const rounds = 8;
  for (const [threads, target] of [[1, ">= 500"], [2, ">= 900"]] as const) {
    const workers = threads === 1 ? undefined : hashWorkers(threads - 1);
    const seconds = bestSeconds(4, () => writeAll(openHashHandler(), workers, bytes, rounds));
    report.add({
      name: `chunk + SHA-256 in memory, ${threads} ${threads === 1 ? "thread" : "threads"}`,
      unit: "MB/s",
      value: rounds * bytes.length / MEGABYTE / seconds,
      target,
    });
  }
}

function storeWorkers(description: StoreChunkHandlerDescription): ChunkWorkers {
  return { count: 1, spawn: startStoreThread, description };
}

/** Backs up into a new datastore, then again into the same one. */
function benchmarkStore(report: PxarReport, directory: string, isEncrypted: boolean): void {
  const bytes = mixedBytes(512 * MEBIBYTE);
  const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  const key = isEncrypted ? crypto.getRandomValues(new Uint8Array(32)) : undefined;
  const times = Array.from({ length: 3 }, (_, run) => {
    const storePath = `${directory}/store-${run}`;
    Datastore.create(storePath, { owner });
    const storage = {
      kind: "directory",
      path: storePath,
      writing: { owner, syncLevel: "none" },
    } satisfies DirectoryDescription;
    const description = { keeper: describeStorageKeeper(storage, isEncrypted), key };
    const write = () =>
      writeAll(new StoreChunkHandler(description), storeWorkers(description), bytes, 1);
    const seconds = { first: bestSeconds(1, write), again: bestSeconds(1, write) };
    Deno.removeSync(storePath, { recursive: true });
    return seconds;
  });
  const name = `into a store${isEncrypted ? ", encrypted" : ""}, 2 threads`;
  const rate = (seconds: readonly number[]) => bytes.length / MEGABYTE / Math.min(...seconds);
  report.add({
    name: `with zstd ${name}`,
    unit: "MB/s",
    value: rate(times.map(({ first }) => first)),
    target: isEncrypted ? undefined : ">= 400",
  });
  report.add({
    name: `nothing new ${name}`,
    unit: "MB/s",
    value: rate(times.map(({ again }) => again)),
  });
}

function benchmarkSmallFiles(report: PxarReport): void {
  const files = Array.from({ length: SMALL_FILE_COUNT }, () => {
    return crypto.getRandomValues(new Uint8Array(SMALL_FILE_SIZE));
  });
  const header = new Uint8Array(72);
  const rule: CutRule = { kind: "dynamic", averageSize: SMALL_FILE_SIZE };
  const seconds = bestSeconds(10, () => {
    const pipeline = new ChunkPipeline({ handler: openHashHandler() });
    const stream = pipeline.openStream(rule, () => {});
    for (const file of files) {
      stream.write(header);
      stream.write(file);
    }
    stream.finish();
    pipeline.finish();
  });
  report.add({
    name: "1,000 files of 4 KiB in chunks of 4 KiB, SHA-256 only",
    unit: "ms",
    value: seconds * 1000,
  });
}

/** Measures all of it. */
export async function measureChunking(report: PxarReport): Promise<void> {
  benchmarkSmallFiles(report);
  benchmarkChunker(report);
  benchmarkHashing(report);
  await withTmpfs("2g", (path) => {
    for (const isEncrypted of [false, true]) benchmarkStore(report, path, isEncrypted);
  });
}

/** Runs all of it, prints a table, and leaves `dist/bench-chunking.json`. */
export async function benchmarkChunking(checkout: string): Promise<void> {
  const report = new PxarReport();
  await measureChunking(report);
  console.log(report.table());
  await Deno.mkdir(`${checkout}dist`, { recursive: true });
  await Deno.writeTextFile(`${checkout}dist/bench-chunking.json`, report.json() + "\n");
}
