/**
 * New archives of old ones: parts of one, or several united.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { openStandardInputFiles, STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import { copy, type CopyPath, merge } from "#src/transfer/copy.ts";
import type { ConflictPolicy } from "#src/transfer/conflict.ts";
import { copyStream } from "#src/transfer/copy_stream.ts";
import type { TransferProgress } from "#src/transfer/write_tree.ts";
import type { ArchiveWriter } from "#src/transfer/writer.ts";
import { joinPath, splitPath } from "#src/tree/paths.ts";
import { type ArchiveInput, fileInput } from "#src/sources/pxar/archive_input.ts";
import { closeAll, openArchiveAsTree } from "./trees.ts";

/** How entries are written. */
export interface CopyRequest {
  /** What becomes of a path that comes twice. */
  readonly conflict: ConflictPolicy;
  readonly progress: TransferProgress;
}

/** Writes paths of an archive. @throws {StateError} `not-found`; `exists` for conflicts */
export function copyArchive(
  archive: Pick<ArchiveInput, "openFiles">,
  paths: readonly CopyPath[],
  writer: ArchiveWriter,
  request: CopyRequest,
): void {
  using source = openArchiveAsTree(archive);
  copy(source.tree, paths, writer, request);
}

/**
 * As {@link copyArchive}, from standard input, which may be a pipe.
 *
 * @param payload path of the payload stream, where there is one
 * @throws {UsageError} for more than one path of a pipe, or another name
 */
export function copyStandardInput(
  payload: string | undefined,
  paths: readonly CopyPath[],
  writer: ArchiveWriter,
  request: CopyRequest,
): void {
  const [{ from, to } = { from: "/" }] = paths;
  const isWhole = from === "/" && to === "/" && paths.length === 1;
  // A part of a file is better found by its tables: a link may refer to what is not part of it.
  const files = isWhole ? undefined : openStandardInputFiles(payload);
  if (files !== undefined) return copyArchive({ openFiles: () => files }, paths, writer, request);
  if (paths.length > 1 || !isWhole && to !== undefined) {
    throw new UsageError("Cannot rename what comes through a pipe", {
      option: "path",
      hint: "Give one path, or the archive as a file",
    });
  }
  using streams = fileInput(STANDARD_STREAM, payload).openStreams();
  const { name, source, payload: payloadSource } = streams;
  const decoder = new PxarDecoder(source, { name, payload: payloadSource });
  const wanted = joinPath(splitPath(from));
  copyStream(decoder, writer, { ...request, select: (path) => path === wanted });
}

/** Writes several archives as one. @throws {StateError} `exists` for conflicts */
export function mergeArchives(
  archives: readonly ArchiveInput[],
  writer: ArchiveWriter,
  request: CopyRequest,
): void {
  const sources: ReturnType<typeof openArchiveAsTree>[] = [];
  try {
    for (const archive of archives) sources.push(openArchiveAsTree(archive));
    merge(sources.map(({ tree }) => tree), writer, request);
  } finally {
    closeAll(sources);
  }
}
