/**
 * What becomes of the encoded chunks of a backup. Threads that name, compress and encrypt chunks
 * each have a keeper: that of a storage writes in the same thread; that of a server hands them to
 * the one thread that has the connection, and waits for it.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { ChunkOutcome } from "#src/chunking/chunk_handler.ts";
import type { Description } from "#src/threads/openers.ts";
import type { EncodedBlob } from "../crypt/blob_codec.ts";

/** Plain values that name what keeps chunks: are sent to threads, where `openKeeper` opens it. */
export type KeeperDescription = Description;

/** An open keeper, for one thread. Chunks of several threads may be the same. */
export interface ChunkKeeper {
  /**
   * Looks for a chunk. One that is there is not collected as garbage from now on, until the
   * snapshot that needs it is finished.
   *
   * @param plainSize bytes of the chunk before it is encoded
   * @returns its stored bytes, 0 where only its presence is known; -1 when it has to be encoded for
   *   {@link keep}: it is not there, or to find out costs more than that
   * @throws {OsError | ProtocolError}
   */
  find(digest: ChunkDigest, plainSize: number): number;
  /**
   * Keeps a chunk that {@link find} did not find, unless it is there. On return it is kept.
   *
   * @param plainSize bytes of the chunk before it was encoded
   * @param encoded valid during the call
   * @param stream number of the stream that it is cut from
   * @throws {OsError | ProtocolError}
   */
  keep(
    digest: ChunkDigest,
    plainSize: number,
    encoded: EncodedBlob,
    stream: number,
  ): ChunkOutcome;
  /** Gives up what it holds. No chunk follows. */
  close(): void;
}
