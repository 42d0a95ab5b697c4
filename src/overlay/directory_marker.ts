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
import { FormatError } from "#src/errors.ts";

/** Name of the marker; hidden from the mount and refused as a name there. */
export const MARKER_NAME = ".pbkfs-directory";

/** Longest marker: the longest path and the words around it. */
export const MARKER_SIZE_MAX = 4096 + 16;

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
