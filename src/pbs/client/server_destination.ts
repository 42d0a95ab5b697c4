/**
 * A new snapshot on a server.
 *
 * @module
 */

import { type ChunkDigest, DIGEST_SIZE, digestBytes } from "#src/bytes/chunk_digest.ts";
import { StateError, UsageError } from "#src/errors.ts";
import type { ChunkIndex } from "../format/chunk_index.ts";
import { type Manifest, MANIFEST_NAME } from "../format/manifest.ts";
import type { SnapshotId } from "../format/snapshot_path.ts";
import type { SnapshotReader } from "../ports.ts";
import type {
  NewIndex,
  OpenIndex,
  SnapshotDestination,
  StoredOrigin,
} from "../snapshots/snapshot_destination.ts";
import { APPEND_ENTRY_SIZE, type NetworkRequest, SENT_BLOB_SIZE_MAX } from "./calls.ts";
import type { NetworkLink } from "./network_link.ts";
import type { ServerKeeperDescription } from "./server_keeper.ts";

/** So many chunks of an index are handed to the network thread at once. */
const APPEND_COUNT = 64;
/** Digests that are told to be known at once. */
const KNOWN_COUNT = 100_000;

/** What is known of a backup that a server has begun. */
export interface ServerBackup {
  readonly id: SnapshotId;
  readonly session: number;
  readonly previous: SnapshotReader | undefined;
}

/** See {@link SnapshotDestination}. */
export class ServerDestination implements SnapshotDestination {
  readonly id: SnapshotId;
  readonly previous: SnapshotReader | undefined;
  readonly #link: NetworkLink;
  readonly #session: number;

  constructor(link: NetworkLink, { id, session, previous }: ServerBackup) {
    this.id = id;
    this.previous = previous;
    this.#link = link;
    this.#session = session;
  }

  keeper(): ServerKeeperDescription {
    return { kind: "server", mailbox: this.#link.shared, session: this.#session };
  }

  openIndex({ name, size, previous }: NewIndex): OpenIndex {
    const kind = name.endsWith(".fidx") ? "fixed" : "dynamic";
    if (kind === "fixed" && size === undefined) {
      throw new UsageError(`Cannot send "${name}": a server has to know its size at the beginning`);
    }
    const base = previous();
    if (base !== undefined) this.#know(base);
    const reused = kind === "fixed" && base?.size === size ? base : undefined;
    const wid = this.#ask({
      what: "open-index",
      kind,
      name,
      size,
      reusedChecksum: reused?.statedChecksum,
    }) as number;
    const appends = new Appends((payload) => this.#ask({ what: "append", wid }, payload));
    return {
      streamNumber: wid,
      appended: (digest, offset) => {
        if (reused !== undefined && isAt(reused, offset, digest)) return;
        appends.add(digest, offset);
      },
      close: ({ checksum }, size) => {
        appends.flush();
        const { count } = appends;
        this.#ask({ what: "close-index", wid, count, size, checksum });
      },
    };
  }

  writeBlob(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length > SENT_BLOB_SIZE_MAX) {
      throw new UsageError(
        `Cannot send "${name}": a server takes no blob of more than ${SENT_BLOB_SIZE_MAX} bytes`,
      );
    }
    this.#ask({ what: "blob", name }, bytes);
  }

  /** Only what the session knows can be named by its indexes; anything else is sent. */
  keepChunk(digest: ChunkDigest, _isEncrypted: boolean, origin?: StoredOrigin): boolean {
    if (this.#ask({ what: "find", digest }) === true) return true;
    if (origin === undefined) return false;
    const { snapshot, size, streamNumber: wid } = origin;
    this.#ask({ what: "upload", wid, digest, size }, snapshot.storedChunk(digest, size));
    return true;
  }

  commit(sent: Uint8Array<ArrayBuffer>, _manifest: Manifest): void {
    this.writeBlob(MANIFEST_NAME, sent);
    this.#ask({ what: "finish" });
    this.previous?.close();
  }

  remove(): void {
    this.previous?.close();
    try {
      this.#ask({ what: "close" });
    } catch (error) {
      // Without the thread there is no connection either.
      if (!(error instanceof StateError || isThreadGone(error))) throw error;
    }
  }

  #know(index: ChunkIndex): void {
    for (let from = 0; from < index.count; from += KNOWN_COUNT) {
      const count = Math.min(KNOWN_COUNT, index.count - from);
      const digests = new Uint8Array(count * DIGEST_SIZE);
      for (let position = 0; position < count; position++) {
        digests.set(digestBytes(index.digestOf(from + position)), position * DIGEST_SIZE);
      }
      this.#ask({ what: "know" }, digests);
    }
  }

  #ask(request: WithoutSession, payload?: Uint8Array): unknown {
    const full = { ...request, session: this.#session } as NetworkRequest;
    return this.#link.ask(full, payload === undefined ? {} : { payload });
  }
}

/** A request of the session. */
type WithoutSession = OmitSession<Extract<NetworkRequest, { readonly session: number }>>;
type OmitSession<Request> = Request extends unknown ? Omit<Request, "session"> : never;

/** Chunks of an index, gathered. */
class Appends {
  readonly #send: (payload: Uint8Array) => void;
  readonly #bytes = new Uint8Array(APPEND_COUNT * APPEND_ENTRY_SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  #waiting = 0;
  /** How many there were. */
  count = 0;

  constructor(send: (payload: Uint8Array) => void) {
    this.#send = send;
  }

  add(digest: ChunkDigest, offset: number): void {
    const start = this.#waiting * APPEND_ENTRY_SIZE;
    this.#bytes.set(digestBytes(digest), start);
    this.#view.setBigUint64(start + DIGEST_SIZE, BigInt(offset), true);
    this.count++;
    this.#waiting++;
    if (this.#waiting === APPEND_COUNT) this.flush();
  }

  flush(): void {
    if (this.#waiting === 0) return;
    const payload = this.#bytes.subarray(0, this.#waiting * APPEND_ENTRY_SIZE);
    this.#waiting = 0;
    this.#send(payload);
  }
}

/** Whether an index has this chunk at this offset. */
function isAt(index: ChunkIndex, offset: number, digest: ChunkDigest): boolean {
  const position = index.find(offset);
  return index.startOf(position) === offset && index.digestOf(position) === digest;
}

function isThreadGone(error: unknown): boolean {
  return (error as { code?: unknown }).code === "thread-ended";
}
