/**
 * A snapshot that a client reads on one connection: its calls, as the reference's server answers
 * them.
 *
 * @module
 */

import { pause } from "#src/io/pause.ts";
import { ProtocolError } from "#src/errors.ts";
import type { HttpAnswer, HttpHandler, HttpRequest } from "#src/net/http.ts";
import type { Lane } from "#src/threads/call_pool.ts";
import { ENCRYPTED_BLOB_HEADER_SIZE } from "../format/blob.ts";
import { formatSnapshot, type SnapshotId } from "../format/snapshot_path.ts";
import { isIndexName } from "../reading/index_scan.ts";
import { serveRoutes } from "./call_routes.ts";
import { KnownChunks } from "./known_chunks.ts";
import { allParameters, checkParameters, FILE_NAME_PATTERN } from "./parameters.ts";
import { Refusal } from "./refusal.ts";
import type { ServedStore } from "./served_store.ts";
import { answerFile, OCTETS, sentOnce } from "./session_files.ts";
import { checkArchiveType, nextHandle } from "./session_calls.ts";
import type { HttpSession, SessionContext } from "./session.ts";
import type { MemoryShare, TransferMemory } from "./transfer_memory.ts";

const DOWNLOAD = { "file-name": { kind: "text", pattern: FILE_NAME_PATTERN } } as const;
const CHUNK = { digest: { kind: "digest" } } as const;
const NOTHING = {} as const;

/** How long an answer is held back that says what is not allowed. */
const REFUSAL_DELAY_MS = 3000;
const SPEEDTEST_SIZE = 1 << 20;
const LETTER_A = 0x41;

/** See the head of the module. */
export class ServedReader implements HttpSession {
  readonly description: string;
  readonly isFinished = true;
  readonly handler: HttpHandler;
  readonly #store: ServedStore;
  readonly #lane: Lane;
  readonly #handle: number;
  readonly #snapshot: SnapshotId;
  readonly #memory: MemoryShare;
  readonly #known = new KnownChunks();
  #closing: Promise<void> | undefined;

  private constructor(
    store: ServedStore,
    lane: Lane,
    handle: number,
    snapshot: SnapshotId,
    memory: MemoryShare,
  ) {
    this.description = `reader ${formatSnapshot(snapshot)}`;
    this.#store = store;
    this.#lane = lane;
    this.#handle = handle;
    this.#snapshot = snapshot;
    this.#memory = memory;
    this.handler = serveRoutes({
      "GET /download": (request) => this.#download(request),
      "GET /chunk": (request) => this.#chunk(request),
      "GET /speedtest": answerSpeedtest,
    });
  }

  /** See `startReaderSession()`. */
  static async start(
    { store, group, time }: SessionContext,
    memory: TransferMemory,
    signal: AbortSignal,
  ): Promise<ServedReader> {
    const snapshot = { group, time };
    const lane = store.takeLane();
    const handle = nextHandle();
    try {
      await store.callWith({ lane }, "openSnapshot", handle, snapshot);
    } catch (error) {
      lane.release();
      throw error;
    }
    const session = new ServedReader(store, lane, handle, snapshot, memory.share());
    if (!signal.aborted) return session;
    await session.close();
    throw new ProtocolError("Cannot open the snapshot: the client is gone");
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#memory.close();
    try {
      await this.#store.callWith({ lane: this.#lane }, "release", this.#handle);
    } catch {
      // The thread is gone, and with it what it had.
    } finally {
      this.#lane.release();
    }
  }

  async #download(request: HttpRequest): Promise<HttpAnswer> {
    const { "file-name": name } = checkParameters(DOWNLOAD, await allParameters(request));
    checkArchiveType(name);
    if (isIndexName(name) && !this.#known.hasIndex(name)) {
      const chunks = await this.#store.call("indexChunks", this.#snapshot, name, false);
      this.#known.addIndex(name, chunks);
    }
    return await answerFile(this.#store, this.#memory, this.#snapshot, name, request.signal);
  }

  async #chunk(request: HttpRequest): Promise<HttpAnswer> {
    const { digest } = checkParameters(CHUNK, await allParameters(request));
    const size = this.#known.sizeOf(digest);
    if (size === 0) {
      await pause(REFUSAL_DELAY_MS, request.signal);
      throw new Refusal(401, `download chunk ${digest} not allowed`);
    }
    // What is encoded is not larger than what is not.
    const room = size + ENCRYPTED_BLOB_HEADER_SIZE;
    const giveBack = await this.#memory.takeFor(request.signal, room);
    try {
      const bytes = await this.#store.call("readStoredChunk", digest);
      const headers = { ...OCTETS, "content-length": `${bytes.length}` };
      return { status: 200, headers, body: sentOnce(bytes, giveBack) };
    } catch (error) {
      giveBack();
      throw error;
    }
  }
}

/** Sends what has no meaning, so that the client can measure. */
async function answerSpeedtest(request: HttpRequest): Promise<HttpAnswer> {
  checkParameters(NOTHING, await allParameters(request));
  return { status: 200, headers: OCTETS, body: new Uint8Array(SPEEDTEST_SIZE).fill(LETTER_A) };
}
