/**
 * One file of a WAL archive for a server that recovers: what its `restore_command` asks for.
 *
 * The server asks for segments and histories that may not exist, and takes "not there" for the end
 * of the archive: then it stops recovering and begins to write. So nothing else may look like that.
 * A file that is there but damaged, of another cluster or unreadable, is an error of another kind.
 *
 * @module
 */

import { IntegrityError, StateError, UsageError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { replaceFile } from "#src/io/files/whole_file.ts";
import { readInstance } from "#src/pgprobackup/catalog.ts";
import { type ArchivedFile, ArchiveDirectory } from "./archive_directory.ts";

/** A segment, also one that was not complete, or the label of a backup. */
const SEGMENT_NAME = /^[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?$/u;
const HISTORY_NAME = /^[0-9A-F]{8}\.history$/u;

/** Largest file that is no segment, and largest segment. */
const SMALL_SIZE_MAX = 1 << 20;
const SEGMENT_SIZE_MAX = 1 << 30;
const SEGMENT_MODE = 0o600;

/** Long header of a segment's first page. */
const Header = {
  INFO: 2,
  ADDRESS: 8,
  SYSTEM_IDENTIFIER: 24,
  SEGMENT_SIZE: 32,
  SIZE: 40,
} as const;
/** Bit of {@link Header.INFO}: the header is a long one. */
const IS_LONG_HEADER = 2;

/** Which file is wanted, and where. */
export interface WalRequest {
  /** Directory of the catalog. */
  readonly store: string;
  readonly instance: string;
  /** As the server calls it. */
  readonly name: string;
  /** Where it is wanted. */
  readonly targetPath: string;
}

/** What was given. */
export interface WalAnswer {
  /** The file of the archive. */
  readonly path: string;
  /** Bytes written. */
  readonly sizeBytes: number;
}

/**
 * Fetches a file; durable, with a name only when it is complete.
 *
 * @returns undefined when the archive does not have it
 * @throws {UsageError} for a name that no server asks for
 * @throws {StateError} `not-found` when there is no such catalog, instance or archive
 * @throws {IntegrityError} when it is damaged, or of another cluster
 * @throws {OsError}
 */
export function getWal({ store, instance: name, ...request }: WalRequest): WalAnswer | undefined {
  if (!SEGMENT_NAME.test(request.name) && !HISTORY_NAME.test(request.name)) {
    throw new UsageError(`Cannot fetch "${request.name}": it is not the name of a file of WAL`);
  }
  const instance = readInstance(store, name);
  const archive = new ArchiveDirectory(store, instance.name);
  if (!archive.exists) {
    throw new StateError("not-found", `Cannot find the WAL archive "${archive.path}"`);
  }
  const file = archive.find(request.name);
  if (file === undefined) return undefined;
  const bytes = readWal(file, request.name, instance.config?.walSegmentSizeBytes);
  checkSegment(bytes, request.name, file.path, instance.config?.systemIdentifier);
  const { targetPath } = request;
  replaceFile(targetPath, `${targetPath}.pbkfs`, bytes, { mode: SEGMENT_MODE, isDurable: true });
  return { path: file.path, sizeBytes: bytes.length };
}

function readWal(
  { path, expand }: ArchivedFile,
  name: string,
  segmentSize: number | undefined,
): Uint8Array<ArrayBuffer> {
  const sizeMax = isWholeSegment(name) ? segmentSize ?? SEGMENT_SIZE_MAX : SMALL_SIZE_MAX;
  const isPartial = name.endsWith(".partial");
  const roomBytes = isPartial ? segmentSize ?? SEGMENT_SIZE_MAX : sizeMax;
  // Bytes that cannot be compressed take a little more.
  const stored = hostFiles.read(path, roomBytes + (roomBytes >> 6) + SMALL_SIZE_MAX);
  const target = new Uint8Array(roomBytes);
  const count = expand(stored, target);
  if (count < 0) throw new IntegrityError("Cannot expand a file of the WAL archive", { path });
  if (isWholeSegment(name) && segmentSize !== undefined && count !== segmentSize) {
    throw new IntegrityError(
      `Cannot use a segment of ${count} bytes: those of this cluster have ${segmentSize}`,
      { path },
    );
  }
  return target.subarray(0, count);
}

function isWholeSegment(name: string): boolean {
  return /^[0-9A-F]{24}$/u.test(name);
}

/** Whether it is the segment that its name says, of this cluster. */
function checkSegment(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  path: string,
  systemIdentifier: string | undefined,
): void {
  if (!isWholeSegment(name)) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes.length >= Header.SIZE &&
    (view.getUint16(Header.INFO, true) & IS_LONG_HEADER) !== 0;
  if (!isLong) {
    throw new IntegrityError("Cannot use a segment of WAL without its first header", { path });
  }
  const found = String(view.getBigUint64(Header.SYSTEM_IDENTIFIER, true));
  if (systemIdentifier !== undefined && found !== systemIdentifier) {
    throw new IntegrityError(
      `Cannot use a segment of cluster ${found}: the instance is of cluster ${systemIdentifier}`,
      { path, offset: Header.SYSTEM_IDENTIFIER },
    );
  }
  const segmentSize = BigInt(view.getUint32(Header.SEGMENT_SIZE, true));
  const address = BigInt(`0x${name.slice(8, 16)}`) << 32n |
    BigInt(`0x${name.slice(16)}`) * segmentSize;
  if (view.getBigUint64(Header.ADDRESS, true) !== address) {
    throw new IntegrityError("Cannot use a segment whose content is that of another one", {
      path,
      offset: Header.ADDRESS,
    });
  }
}
