/**
 * The marker file that names the directory of the lower tree that a directory of the diff
 * continues.
 *
 * Without a marker it is the lower directory at the same place, if there is one. A directory that
 * was moved, or made where the lower tree has another, carries the file {@link MARKER_NAME} inside
 * of it, so that the rename of the directory is one host operation and stays atomic. Content:
 * `lower PATH\n`, or `none\n`.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import * as host from "#ffi/libc/calls.ts";
import { FormatError } from "#src/errors.ts";
import type { OverlayContext } from "./context.ts";

const { Errno, OpenFlag } = host;

/** Name of the marker; hidden from the mount and refused as a name there. */
export const MARKER_NAME = ".pbkfs-directory";

/** Longest marker: the longest path and the words around it. */
const MARKER_SIZE_MAX = 4096 + 16;

/**
 * Encodes a marker. `lowerPath` has no leading slash; undefined says that no lower directory is
 * continued.
 */
export function encodeMarker(lowerPath: string | undefined): Uint8Array<ArrayBuffer> {
  const text = lowerPath === undefined ? "none\n" : `lower ${lowerPath}\n`;
  return new Uint8Array(encodeFileName(text));
}

/**
 * Decodes a marker.
 *
 * @throws {FormatError} when it is neither of the two forms
 */
export function decodeMarker(bytes: Uint8Array, path: string): string | undefined {
  const text = decodeFileName(bytes);
  if (text === "none\n") return undefined;
  if (!text.startsWith("lower ") || !text.endsWith("\n")) {
    throw new FormatError("Cannot read directory marker: unknown content", { path, offset: 0 });
  }
  return text.slice("lower ".length, -1);
}

/**
 * The marker in an open directory of the diff.
 *
 * @param buffer of at least 8 KiB
 * @returns a lower path, undefined for "none", null without a marker
 * @throws {FormatError | OsError}
 */
export function readMarker(
  directoryFd: number,
  { bytes, address }: NativeBuffer,
): string | undefined | null {
  const marker = host.openAt(directoryFd, MARKER_NAME, OpenFlag.RDONLY | OpenFlag.NOFOLLOW);
  if (marker === -Errno.ENOENT) return null;
  host.unwrap(marker, "open", MARKER_NAME);
  const length = host.preadFully(marker, address, MARKER_SIZE_MAX, 0);
  host.close(marker);
  host.unwrap(length, "read", MARKER_NAME);
  return decodeMarker(bytes.subarray(0, length), MARKER_NAME);
}

/**
 * Writes the marker that says which lower directory a directory of the diff continues. Wants the
 * namespace lock.
 *
 * @param directoryFd the directory, open
 * @param lowerPath see {@link encodeMarker}
 * @returns 0 or a negative errno
 */
export function writeMarker(
  context: OverlayContext,
  directoryFd: number,
  lowerPath: string | undefined,
): number {
  const { tmpFd, options } = context;
  const temporary = context.temporaryName();
  const fd = host.openAt(
    tmpFd,
    temporary,
    OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW,
    0o600,
  );
  if (fd < 0) return fd;
  const content = host.nativeBufferOf(encodeMarker(lowerPath));
  let result = host.pwriteFully(fd, content.address, content.bytes.length, 0);
  if (result >= 0) result = result < content.bytes.length ? -Errno.ENOSPC : 0;
  if (result === 0 && !options.skipFsync) result = host.fdatasync(fd);
  host.close(fd);
  if (result === 0) result = host.renameAt(tmpFd, temporary, directoryFd, MARKER_NAME);
  if (result < 0) host.unlinkAt(tmpFd, temporary);
  return result;
}
