/**
 * A catalog in a stream with random access, such as a snapshot's `catalog.pcat1.didx`.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { CatalogBytes } from "../format/catalog_reader.ts";

/**
 * The bytes of a catalog, read when they are asked for. Reading throws what the source throws.
 *
 * @param allocate makes buffers that the source can read into
 */
export function catalogBytes(
  source: ByteSource,
  allocate: (sizeBytes: number) => NativeBuffer,
): CatalogBytes {
  let buffer = allocate(0);
  return {
    size: source.size,
    read(offset, size) {
      if (buffer.bytes.length < size) buffer = allocate(size);
      if (source.readAt(buffer, 0, size, offset) < size) {
        throw new FormatError("Cannot read catalog: it is shorter than its index says", { offset });
      }
      return buffer.bytes.subarray(0, size);
    },
  };
}
