/**
 * Contents that are names: FILENAME, SYMLINK, HARDLINK, XATTR (format specification, sections 2.1,
 * 4 and 5).
 *
 * Names are bytes; as strings they follow `bytes/file_name.ts`.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import { FormatError, UsageError } from "#src/errors.ts";
import { NAME_SIZE_MAX, TARGET_SIZE_MAX } from "./limits.ts";

const NUL = 0;
const SLASH = 0x2f;
const DOT = 0x2e;
/**
 * Names shorter than this are decoded byte by byte when they are ASCII: quicker than a TextDecoder.
 */
const SHORT_NAME_SIZE = 24;

/**
 * Why the bytes from `start` to `end` cannot be the name of a directory's entry, or undefined when
 * they can.
 */
function nameObjection(bytes: Uint8Array, start: number, end: number): string | undefined {
  const size = end - start;
  if (size === 0) return "it is empty";
  if (size > NAME_SIZE_MAX) return `${size} bytes are more than ${NAME_SIZE_MAX}`;
  if (bytes[start] === DOT && (size === 1 || (size === 2 && bytes[start + 1] === DOT))) {
    return "it means another directory";
  }
  for (let i = start; i < end; i++) {
    if (bytes[i] === SLASH) return "it has a slash";
    if (bytes[i] === NUL) return "it has a NUL";
  }
  return undefined;
}

/** Decodes the bytes from `start` to `end`. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start < SHORT_NAME_SIZE) {
    let text = "";
    let i = start;
    // Four at a time: each text on the way to a longer one is garbage.
    for (; i + 4 <= end; i += 4) {
      const [a, b, c, d] = [bytes[i]!, bytes[i + 1]!, bytes[i + 2]!, bytes[i + 3]!];
      if ((a | b | c | d) >= 0x80) break;
      text += String.fromCharCode(a, b, c, d);
    }
    for (; i < end && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!);
    if (i === end) return text;
  }
  return decodeFileName(bytes.subarray(start, end));
}

/**
 * Reads the content of a FILENAME of `size` bytes.
 *
 * @throws {FormatError} `bad-name`
 */
export function decodeName(bytes: Uint8Array, start: number, size: number): string {
  const end = start + size - 1;
  const objection = bytes[end] === NUL
    ? nameObjection(bytes, start, end)
    : "its terminating NUL is missing";
  if (objection === undefined) return decodeText(bytes, start, end);
  const shown = JSON.stringify(decodeText(bytes, start, Math.min(end, start + 64)));
  throw new FormatError(`Cannot read file name ${shown}: ${objection}`, { code: "bad-name" });
}

/**
 * Reads a link's target with its NUL, `size` bytes. It can be empty, though no Linux makes such a
 * link.
 *
 * @throws {FormatError} with `code` when there is no NUL at the end or another one before
 */
export function decodeTarget(bytes: Uint8Array, start: number, size: number, code: string): string {
  const end = start + size - 1;
  if (size > 0 && bytes.indexOf(NUL, start) === end) return decodeText(bytes, start, end);
  throw new FormatError("Cannot read link target: it does not end with its only NUL", { code });
}

/** Encodes the name of an entry, without NUL. @throws {UsageError} when no entry can have it */
export function encodeName(name: string): Uint8Array {
  const bytes = encodeFileName(name);
  const objection = nameObjection(bytes, 0, bytes.length);
  if (objection !== undefined) {
    throw new UsageError(`Cannot store file name ${JSON.stringify(name)}: ${objection}`);
  }
  return bytes;
}

/** Encodes a link's target, without NUL. @throws {UsageError} when it is impossible */
export function encodeTarget(target: string): Uint8Array {
  const bytes = encodeFileName(target);
  if (bytes.length > TARGET_SIZE_MAX || bytes.includes(NUL)) {
    throw new UsageError(
      `Cannot store link target of ${bytes.length} bytes: more than ${TARGET_SIZE_MAX}, or a NUL`,
    );
  }
  return bytes;
}

/**
 * Why a hard link's path must not be followed from the archive's root, or undefined when it may: it
 * must be relative and consist of names.
 */
export function targetPathObjection(path: string): string | undefined {
  for (const part of path.split("/")) {
    if (part === "" || part === "." || part === "..") return "it leaves the archive";
  }
  return undefined;
}
