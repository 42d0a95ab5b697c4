/**
 * Stored bytes read in order.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";
import type { SequentialSource } from "#src/io/streams.ts";

/** Reads a source from its beginning. What is skipped is not loaded. */
export function streamOf(source: ByteSource): SequentialSource {
  let position = 0;
  return {
    read: (target) => {
      const buffer = { bytes: target as Uint8Array<ArrayBuffer>, address: 0n };
      const count = source.readAt(buffer, 0, target.length, position);
      position += count;
      return count;
    },
    skip: (size) => {
      const count = Math.min(size, source.size - position);
      position += count;
      return count;
    },
  };
}
