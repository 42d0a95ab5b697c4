/**
 * Files of a snapshot that its manifest lists, compared with it.
 *
 * @module
 */

import { sha256Of } from "#src/codecs/hashing.ts";
import { Errno, IntegrityError, located, OsError, StateError } from "#src/errors.ts";
import type { ChunkIndex } from "../format/chunk_index.ts";
import { DynamicIndex } from "../format/dynamic_index.ts";
import { FixedIndex } from "../format/fixed_index.ts";
import type { ManifestFile } from "../format/manifest.ts";
import type { FileStorage } from "../storage/storage.ts";
import { BLOB_FILE_SIZE_MAX } from "./manifest_file.ts";

/** The largest file of an index that is read: 100 TiB in chunks of the usual size. */
export const INDEX_FILE_SIZE_MAX = 1 << 30;

/** The files of a snapshot. */
export interface SnapshotFolder {
  readonly files: Pick<FileStorage, "pathOf" | "read">;
  /** Name of its folder. */
  readonly folder: string;
}

/** Parses indexes of a kind. */
interface IndexKind<Index extends ChunkIndex> {
  parse(bytes: Uint8Array<ArrayBuffer>): Index;
}

/** An index and its file. */
interface ListedIndex<Index extends ChunkIndex> {
  readonly index: Index;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * A whole file. The manifest's names have no slash in them, and so cannot lead out of the folder.
 *
 * @throws {StateError} `not-found`
 * @throws {LimitError | OsError}
 */
export function readFileOf(
  place: SnapshotFolder,
  name: string,
  sizeMax: number,
): Uint8Array<ArrayBuffer> {
  try {
    return place.files.read(`${place.folder}/${name}`, sizeMax);
  } catch (error) {
    if (!(error instanceof OsError) || error.errno !== Errno.ENOENT) throw error;
    throw new StateError("not-found", `Cannot find "${pathOf(place, name)}"`, { cause: error });
  }
}

/**
 * The file of a blob, as it is stored.
 *
 * @throws {IntegrityError} when size or checksum are not those of the manifest
 * @throws as {@link readFileOf}
 */
export function readListedBlob(
  place: SnapshotFolder,
  file: ManifestFile,
): Uint8Array<ArrayBuffer> {
  const bytes = readFileOf(place, file.filename, BLOB_FILE_SIZE_MAX);
  compare(place, file, bytes.length, sha256Of(bytes).toHex());
  return bytes;
}

/**
 * An index.
 *
 * @throws {IntegrityError} when its size or checksum are not those of the manifest, or its header
 *   states others
 * @throws {FormatError} when it is none
 * @throws as {@link readFileOf}
 */
export function readListedIndex<Index extends ChunkIndex>(
  place: SnapshotFolder,
  file: ManifestFile,
  kind: IndexKind<Index>,
): ListedIndex<Index> {
  const { filename } = file;
  const bytes = readFileOf(place, filename, INDEX_FILE_SIZE_MAX);
  const path = pathOf(place, filename);
  const index = located(() => ({ path }), () => kind.parse(bytes));
  const checksum = index.computeChecksum(sha256Of);
  compare(place, file, index.size, checksum);
  if (checksum === index.statedChecksum) return { index, bytes };
  throw new IntegrityError(`Cannot use "${filename}": its header states another checksum`, {
    code: "checksum",
    path,
  });
}

/** The kind of an index that is called so. */
export function indexKindOf(name: string): IndexKind<ChunkIndex> {
  return name.endsWith(".fidx") ? FixedIndex : DynamicIndex;
}

function pathOf({ files, folder }: SnapshotFolder, name: string): string {
  return files.pathOf(`${folder}/${name}`);
}

function compare(
  place: SnapshotFolder,
  file: ManifestFile,
  size: number,
  checksum: string,
): void {
  const path = pathOf(place, file.filename);
  if (size !== file.size) {
    throw new IntegrityError(
      `Cannot use "${file.filename}": its size is ${size}, in the manifest ${file.size}`,
      { code: "length", path },
    );
  }
  if (checksum !== file.csum) {
    throw new IntegrityError(
      `Cannot use "${file.filename}": its checksum is not that of the manifest`,
      { code: "checksum", path },
    );
  }
}
