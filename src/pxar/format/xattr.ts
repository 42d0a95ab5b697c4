/**
 * Content of an XATTR: name, NUL, value.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import type { Xattr } from "#src/bytes/xattr.ts";
import { FormatError, UsageError } from "#src/errors.ts";
import { XATTR_CONTENT_SIZE_MAX, XATTR_NAME_SIZE_MAX } from "./limits.ts";
import { decodeText } from "./name.ts";

/** The content of an XATTR. @throws {UsageError} when it would be too large or has no name */
export function encodeXattr(xattr: Xattr): Uint8Array {
  const name = encodeFileName(xattr.name);
  const content = new Uint8Array(name.length + 1 + xattr.value.length);
  const isName = name.length > 0 && name.length <= XATTR_NAME_SIZE_MAX && !name.includes(0);
  if (!isName || content.length > XATTR_CONTENT_SIZE_MAX) {
    throw new UsageError(
      `Cannot store xattr ${JSON.stringify(xattr.name)} of ${xattr.value.length} bytes`,
    );
  }
  content.set(name);
  content.set(xattr.value, name.length + 1);
  return content;
}

/**
 * Reads the content of an XATTR of `size` bytes; the value is a copy. @throws {FormatError}
 * `bad-xattr`
 */
export function decodeXattr(bytes: Uint8Array, start: number, size: number): Xattr {
  const nameEnd = bytes.indexOf(0, start);
  const nameSize = nameEnd - start;
  if (nameSize <= 0 || nameSize > XATTR_NAME_SIZE_MAX || nameSize >= size) {
    throw new FormatError("Cannot read xattr: no name with a NUL behind it", {
      code: "bad-xattr",
    });
  }
  return {
    name: decodeText(bytes, start, nameEnd),
    value: bytes.slice(nameEnd + 1, start + size),
  };
}
