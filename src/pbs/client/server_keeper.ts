/**
 * Keeps the chunks of a backup on a server: whoever has encoded one hands it to the network thread.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { ChunkOutcome } from "#src/chunking/chunk_handler.ts";
import type { EncodedBlob } from "../crypt/blob_codec.ts";
import type { ChunkKeeper, KeeperDescription } from "../writing/chunk_keeper.ts";
import { NetworkLink } from "./network_link.ts";

/** Names a {@link ServerKeeper}. */
export interface ServerKeeperDescription extends KeeperDescription {
  readonly kind: "server";
  /** The mailbox of the network thread. */
  readonly mailbox: SharedArrayBuffer;
  /** The backup, for the network thread. */
  readonly session: number;
}

/** See {@link ChunkKeeper}. */
export class ServerKeeper implements ChunkKeeper {
  readonly #link: NetworkLink;
  readonly #session: number;

  constructor({ mailbox, session }: ServerKeeperDescription) {
    this.#link = new NetworkLink(mailbox);
    this.#session = session;
  }

  /** See {@link ChunkKeeper.find}. */
  find(digest: ChunkDigest): number {
    return this.#link.ask({ what: "find", session: this.#session, digest }) === true ? 0 : -1;
  }

  /** On its way on return; whether it has arrived is found out before an index names it. */
  keep(
    digest: ChunkDigest,
    plainSize: number,
    { buffer, start, size }: EncodedBlob,
    wid: number,
  ): ChunkOutcome {
    const payload = buffer.bytes.subarray(start, start + size);
    const isNew = this.#link.ask(
      { what: "upload", session: this.#session, wid, digest, size: plainSize },
      { payload },
    ) === true;
    return { digest, storedSize: size, isNew };
  }

  /** The session goes on. */
  close(): void {}
}
