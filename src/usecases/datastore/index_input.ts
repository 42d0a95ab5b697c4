/**
 * An archive that is named by the file of its index: in a snapshot of a datastore, or beside a
 * directory of chunks.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import type { ArchiveHolder } from "#src/backup/archive_access.ts";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { IntegrityError, located } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { INDEX_FILE_SIZE_MAX } from "#src/pbs/snapshots/listed_files.ts";
import { ChunkCache } from "#src/pbs/reading/chunk_cache.ts";
import { ChunkedSource } from "#src/pbs/reading/chunked_source.ts";
import { LocalChunkSource } from "#src/pbs/reading/local_chunk_source.ts";
import { DirectoryChunks } from "#src/pbs/storage/directory/directory_chunks.ts";
import { type IndexPlace, locateIndex } from "#src/sources/pbs/snapshot_place.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";
import { spawnThread } from "../threads.ts";
import { holderInput } from "#src/sources/pbs/snapshot_input.ts";

const CACHE_BYTES = 64 << 20;

/**
 * The archive whose index, or one of whose two, is at `path`. @throws what {@link locateIndex}
 * throws
 */
export function indexInput(path: string): ArchiveInput {
  const place = locateIndex(path);
  const open = <Opened extends Disposable>(openPart: (input: ArchiveInput) => Opened): Opened => {
    using stack = new DisposableStack();
    const opened = stack.use(openPart(holderInput(openHolder(place, stack), place.file, path)));
    const kept = stack.move();
    return { ...opened, [Symbol.dispose]: () => kept.dispose() };
  };
  return {
    name: path,
    isPipe: false,
    openFiles: () => open((input) => input.openFiles()),
    openStreams: () => open((input) => input.openStreams()),
  };
}

/** What is closed with it goes to `stack`. */
function openHolder({ storePath, snapshot }: IndexPlace, stack: DisposableStack): ArchiveHolder {
  if (snapshot === undefined) return openLooseIndexes(storePath, stack);
  const store = stack.adopt(Datastore.open(storePath), (it) => it.close());
  const options = navigator.hardwareConcurrency > 1 ? { readAhead: { spawn: spawnThread } } : {};
  return stack.adopt(store.openSnapshot(snapshot, options), (it) => it.close());
}

/**
 * Indexes that no manifest lists. Their chunks are not encrypted: nothing would say with which key.
 */
function openLooseIndexes(directory: string, stack: DisposableStack): ArchiveHolder {
  const codecs = hostCodecs();
  const store = stack.adopt(DirectoryChunks.open(directory), (it) => it.close());
  const chunks = new LocalChunkSource({
    store,
    codec: new BlobCodec(codecs),
    isEncrypted: false,
    crypt: undefined,
  });
  const cache = new ChunkCache(chunks, (size) => codecs.allocate(size), CACHE_BYTES);
  const files = hostFiles.entries(directory).map(({ name }) => ({ filename: name }));
  return {
    manifest: { files },
    openArchive: (name) => openIndex(`${directory}/${name}`, cache),
  };
}

function openIndex(path: string, cache: ChunkCache): ByteSource {
  const bytes = hostFiles.read(path, INDEX_FILE_SIZE_MAX);
  const index = located(() => ({ path }), () => DynamicIndex.parse(bytes));
  if (index.computeChecksum(sha256Of) === index.statedChecksum) {
    return new ChunkedSource({ index, cache });
  }
  throw new IntegrityError("Cannot use index: its header states another checksum", {
    code: "checksum",
    path,
  });
}
