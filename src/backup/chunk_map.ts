/**
 * Which chunks the files of an archive are in.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { FormatError } from "#src/errors.ts";
import type { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import type { FileNode, Node } from "#src/tree/node.ts";
import { requireEntry } from "#src/tree/paths.ts";
import { sortedEntries } from "#src/tree/sorted_entries.ts";
import { openArchive, requireDirectoryFiles } from "./archive_access.ts";

/** A chunk that holds a part of a file. */
export interface FileChunk {
  /** Place in the index. */
  readonly index: number;
  /** Name of the chunk in the store. */
  readonly digest: ChunkDigest;
  /** Length of the chunk's plain data. */
  readonly chunkSize: number;
  /** Where the part begins in the chunk. */
  readonly chunkOffset: number;
  /** Where the part begins in the file. */
  readonly fileOffset: number;
  /** Length of the part; an empty file has none. */
  readonly size: number;
}

/** A regular file and its chunks. */
export interface FileChunks {
  /** Path in the archive. */
  readonly path: string;
  /** Length of the content in bytes; 0 has no chunks. */
  readonly size: number;
  /** File of the snapshot whose index the chunks are of. */
  readonly stream: string;
  /** In the order of the content; the first and the last may hold other files, too. */
  readonly chunks: readonly FileChunk[];
}

/**
 * The chunks of the files at and below `path`, by name. Contents are not loaded. A file with
 * several names is told of under each.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when the archive is none of a directory
 */
export function* mapChunks(
  snapshot: SnapshotReader,
  archive: string,
  path = "/",
): Generator<FileChunks, void, undefined> {
  const found = requireDirectoryFiles(snapshot, archive);
  const stream = found.kind === "pxar" ? found.index : found.payload;
  const index = snapshot.dynamicIndex(stream);
  using open = openArchive(snapshot, archive);
  const start = requireEntry(pxarTree(open.accessor), path);
  for (const [filePath, file] of filesIn(start, path === "/" ? "" : path.replace(/\/+$/, ""))) {
    yield { path: filePath, size: file.attributes.size, stream, chunks: chunksOf(index, file) };
  }
}

/**
 * Regular files in the order of a walk, whose directories may lie deeper than the stack reaches.
 */
function* filesIn(start: Node, path: string): Generator<[path: string, file: FileNode]> {
  const stack: [path: string, entry: Node][] = [[path, start]];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const [itemPath, entry] = item;
    if (entry.kind === "file") yield [itemPath, entry];
    if (entry.kind !== "directory") continue;
    for (const child of sortedEntries(entry).toReversed()) {
      stack.push([`${itemPath}/${child.name}`, child.node]);
    }
  }
}

function chunksOf(index: DynamicIndex, { payload }: FileNode): FileChunk[] {
  const chunks: FileChunk[] = [];
  if (payload === undefined) return chunks;
  const end = payload.offset + payload.size;
  if (end > index.size) {
    throw new FormatError(`Cannot map content that ends at ${end}: the stream has ${index.size}`);
  }
  for (let position = payload.offset, at = index.find(position); position < end; at++) {
    const partEnd = Math.min(index.endOf(at), end);
    chunks.push({
      index: at,
      digest: index.digestOf(at),
      chunkSize: index.endOf(at) - index.startOf(at),
      chunkOffset: position - index.startOf(at),
      fileOffset: position - payload.offset,
      size: partEnd - position,
    });
    position = partEnd;
  }
  return chunks;
}
