/**
 * Stored bytes read in order.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";
import { readSound } from "#src/io/sound_read.ts";
import type { SequentialSource } from "#src/io/streams.ts";

/**
 * Reads a source from its beginning. What is skipped is not loaded. Of bytes before damage none are
 * lost.
 */
export function streamOf(source: ByteSource): SequentialSource {
  let position = 0;
  return {
    read: (target) => {
      const buffer = { bytes: target as Uint8Array<ArrayBuffer>, address: 0n };
      const read = (size: number) => source.readAt(buffer, 0, size, position);
      const count = readSound(read, target.length);
      position += count;
      return count;
    },
    skip: (size) => {
      const count = Math.min(size, source.size - position);
      position += count;
      return count;
    },
    goTo: (offset) => {
      position = offset;
    },
  };
}
