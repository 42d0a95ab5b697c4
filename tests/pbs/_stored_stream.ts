/**
 * Streams of the golden datastore, put together from their chunks.
 *
 * @module
 */

import { builtInCodecs } from "#src/codecs/codecs.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
import { chunkPath } from "#tests/support/pbs_fixtures.ts";

/** All bytes that an index describes. */
export function readStream(
  index: ChunkIndex,
  crypt: CryptConfig | undefined,
  codec: BlobCodec = new BlobCodec(builtInCodecs()),
): Uint8Array<ArrayBuffer> {
  const stream = new Uint8Array(index.size);
  for (let position = 0; position < index.count; position++) {
    const digest = index.digestOf(position);
    const start = index.startOf(position);
    const plain = codec.decodeBytes(Deno.readFileSync(chunkPath(digest)), {
      crypt,
      digest,
      size: index.endOf(position) - start,
    });
    stream.set(plain, start);
  }
  return stream;
}
