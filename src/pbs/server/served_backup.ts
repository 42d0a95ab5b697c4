/**
 * A backup on one connection: its calls, as the reference's server answers them.
 *
 * Writers, known chunks and counts are kept here, in the main isolate. What touches the disk or
 * computes is done by store threads: chunks by whichever is free, the snapshot's files by the one
 * that has it locked, in order.
 *
 * @module
 */

import { LimitError, ProtocolError } from "#src/errors.ts";
import type { HttpAnswer, HttpHandler, HttpRequest } from "#src/net/http.ts";
import type { Lane } from "#src/threads/call_pool.ts";
import { formatSnapshot, type SnapshotId } from "../format/snapshot_path.ts";
import { isIndexName } from "../reading/index_scan.ts";
import { serveRoutes } from "./call_routes.ts";
import { IndexWriters, type WriterKind, WRITERS_MAX } from "./index_writers.ts";
import { KnownChunks } from "./known_chunks.ts";
import {
  allParameters,
  checkParameters,
  FILE_NAME_PATTERN,
  type ParameterRules,
  queryParameters,
} from "./parameters.ts";
import { answerData, Refusal } from "./refusal.ts";
import type { ServedStore } from "./served_store.ts";
import { checkArchiveType, nextHandle } from "./session_calls.ts";
import { answerFile } from "./session_files.ts";
import type { HttpSession, SessionContext } from "./session.ts";
import type { MemoryShare, TransferMemory } from "./transfer_memory.ts";
import { CHUNK_SIZE_MAX, ENCODED_SIZE_MAX, ENCODED_SIZE_MIN } from "./upload_limits.ts";

const NAME = { kind: "text", pattern: FILE_NAME_PATTERN } as const;
const WID = { kind: "integer", min: 1, max: WRITERS_MAX } as const;
const COUNT = { kind: "integer", min: 1, max: Number.MAX_SAFE_INTEGER } as const;
const ENCODED = { kind: "integer", min: ENCODED_SIZE_MIN, max: ENCODED_SIZE_MAX } as const;

const PREVIOUS = { "archive-name": NAME } as const;
const DYNAMIC_INDEX = { "archive-name": NAME } as const;
const FIXED_INDEX = {
  "archive-name": NAME,
  size: COUNT,
  "reuse-csum": { kind: "digest", isOptional: true },
} as const;
const CHUNK = {
  wid: WID,
  digest: { kind: "digest" },
  size: { kind: "integer", min: 1, max: CHUNK_SIZE_MAX },
  "encoded-size": ENCODED,
} as const;
const APPEND = {
  wid: WID,
  "digest-list": { kind: "digests" },
  "offset-list": { kind: "integers", min: 0, max: Number.MAX_SAFE_INTEGER },
} as const;
const CLOSE = { wid: WID, "chunk-count": COUNT, size: COUNT, csum: { kind: "digest" } } as const;
const COUNT_OR_NONE = { ...COUNT, min: 0 } as const;
/** Of an index that began with that of the base nothing need have been appended. */
const FIXED_CLOSE = { ...CLOSE, "chunk-count": COUNT_OR_NONE, size: COUNT_OR_NONE } as const;
const BLOB = {
  "file-name": NAME,
  // An empty blob is a header.
  "encoded-size": { ...ENCODED, min: ENCODED_SIZE_MIN - 1 },
} as const;
const NOTHING = {} satisfies ParameterRules;

/** A body must come in this time, and in this much more for each of its bytes. */
const BODY_TIMEOUT_MS = 60_000;
const BODY_TIMEOUT_MS_PER_BYTE = 1 / 50;

/** See the head of the module. */
export class ServedBackup implements HttpSession {
  readonly description: string;
  readonly handler: HttpHandler;
  readonly #store: ServedStore;
  readonly #lane: Lane;
  readonly #handle: number;
  readonly #base: SnapshotId | undefined;
  readonly #memory: MemoryShare;
  readonly #known = new KnownChunks();
  readonly #writers = new IndexWriters();
  readonly #uploads = { count: 0, size: 0, compressedSize: 0, duplicates: 0 };
  #fileCount = 0;
  /** Indexes that are being written. */
  #pendingCount = 0;
  #state: "open" | "finishing" | "finished" = "open";
  #closing: Promise<void> | undefined;

  private constructor(
    context: SessionContext,
    lane: Lane,
    handle: number,
    base: SnapshotId | undefined,
    memory: MemoryShare,
  ) {
    const { store, group, time } = context;
    this.description = `backup ${formatSnapshot({ group, time })}`;
    this.#store = store;
    this.#lane = lane;
    this.#handle = handle;
    this.#base = base;
    this.#memory = memory;
    const open = (answer: (request: HttpRequest) => Promise<HttpAnswer>) => {
      return async (request: HttpRequest) => {
        this.#checkOpen();
        return await answer(request);
      };
    };
    this.handler = serveRoutes({
      "GET /previous_backup_time": open((request) => this.#previousTime(request)),
      "GET /previous": open((request) => this.#previous(request)),
      "POST /dynamic_index": open((request) => this.#openDynamic(request)),
      "POST /dynamic_chunk": open((request) => this.#chunk("dynamic", request)),
      "PUT /dynamic_index": open((request) => this.#append("dynamic", request)),
      "POST /dynamic_close": open((request) => this.#closeIndex("dynamic", request)),
      "POST /fixed_index": open((request) => this.#openFixed(request)),
      "POST /fixed_chunk": open((request) => this.#chunk("fixed", request)),
      "PUT /fixed_index": open((request) => this.#append("fixed", request)),
      "POST /fixed_close": open((request) => this.#closeIndex("fixed", request)),
      "POST /blob": (request) => this.#blob(request),
      "POST /speedtest": open(discardBody),
      "POST /finish": open((request) => this.#finish(request)),
    });
  }

  /** See `startBackupSession()`. */
  static async start(
    context: SessionContext,
    memory: TransferMemory,
    signal: AbortSignal,
  ): Promise<ServedBackup> {
    const { store, group, time, authId, isBenchmark } = context;
    const lane = store.takeLane();
    const handle = nextHandle();
    let base: SnapshotId | undefined;
    try {
      const request = { group, time, authId, isBenchmark };
      base = await store.callWith({ lane }, "startBackup", handle, request);
    } catch (error) {
      lane.release();
      throw error;
    }
    const session = new ServedBackup(context, lane, handle, base, memory.share());
    if (!signal.aborted) return session;
    await session.close();
    throw new ProtocolError("Cannot start the backup: the client is gone");
  }

  get isFinished(): boolean {
    return this.#state === "finished";
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#memory.close();
    this.#writers.clear();
    try {
      // Behind whatever this session has still to do in that thread.
      await this.#inLane("release", this.#handle);
    } catch {
      // The thread is gone; the next backup removes what is left of this one.
    } finally {
      this.#lane.release();
    }
  }

  get #inLane(): ServedStore["call"] {
    return (name, ...args) => this.#store.callWith({ lane: this.#lane }, name, ...args);
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ProtocolError("Cannot go on: the session is closed");
    if (this.#state !== "open") throw new Refusal(400, "backup already marked as finished.");
  }

  async #previousTime(request: HttpRequest): Promise<HttpAnswer> {
    checkParameters(NOTHING, await allParameters(request));
    return answerData(this.#base?.time ?? null);
  }

  async #previous(request: HttpRequest): Promise<HttpAnswer> {
    const { "archive-name": name } = checkParameters(PREVIOUS, await allParameters(request));
    const base = this.#base;
    if (base === undefined) throw new Refusal(400, "no valid previous backup");
    checkArchiveType(name);
    if (isIndexName(name) && !this.#known.hasIndex(name)) {
      this.#known.addIndex(name, await this.#store.call("indexChunks", base, name, true));
    }
    return await answerFile(this.#store, this.#memory, base, name, request.signal);
  }

  async #openDynamic(request: HttpRequest): Promise<HttpAnswer> {
    const { "archive-name": name } = checkParameters(DYNAMIC_INDEX, await allParameters(request));
    checkExtension(name, ".didx");
    return answerData(this.#writers.openDynamic(name));
  }

  async #openFixed(request: HttpRequest): Promise<HttpAnswer> {
    const { "archive-name": name, size, "reuse-csum": csum } = checkParameters(
      FIXED_INDEX,
      await allParameters(request),
    );
    checkExtension(name, ".fidx");
    const base = csum === undefined ? undefined : await this.#reusedIndex(name, size, csum);
    return answerData(this.#writers.openFixed(name, size, base));
  }

  async #reusedIndex(name: string, size: number, csum: string): Promise<Uint8Array<ArrayBuffer>> {
    const base = this.#base;
    if (base === undefined) {
      throw new Refusal(400, "cannot reuse index - no valid previous backup exists");
    }
    return await this.#store.call("reusableIndex", base, name, size, csum);
  }

  async #chunk(kind: WriterKind, request: HttpRequest): Promise<HttpAnswer> {
    const parameters = checkParameters(CHUNK, queryParameters(request.target));
    const { wid, digest, size, "encoded-size": encodedSize } = parameters;
    this.#writers.get(kind, wid);
    const giveBack = await this.#memory.take(encodedSize);
    try {
      const buffer = this.#memory.buffers.take(encodedSize);
      const count = await receive(request, buffer);
      if (count > encodedSize) throw new Refusal(400, "uploaded chunk is larger than announced.");
      if (count < encodedSize) throw new Refusal(400, "uploaded chunk has unexpected size.");
      const options = { transfer: [buffer.buffer] };
      const stored = await this.#store.callWith(options, "storeChunk", digest, size, buffer);
      this.#memory.buffers.giveBack(stored.bytes);
      this.#checkOpen();
      this.#writers.get(kind, wid).noteUpload(wid, size, stored);
      this.#known.add(digest, size);
      return answerData(digest);
    } finally {
      giveBack();
    }
  }

  async #append(kind: WriterKind, request: HttpRequest): Promise<HttpAnswer> {
    const parameters = checkParameters(APPEND, await allParameters(request));
    const { wid, "digest-list": digests, "offset-list": offsets } = parameters;
    this.#checkOpen();
    if (offsets.length !== digests.length) {
      throw new Refusal(
        400,
        `offset list has wrong length (${offsets.length} != ${digests.length})`,
      );
    }
    digests.forEach((digest, index) => {
      const size = this.#known.sizeOf(digest);
      if (size === 0) throw new Refusal(400, `no such chunk ${digest}`);
      this.#writers.append(kind, wid, digest, size, offsets[index]!);
    });
    return answerData(null);
  }

  async #closeIndex(kind: WriterKind, request: HttpRequest): Promise<HttpAnswer> {
    const rules = kind === "fixed" ? FIXED_CLOSE : CLOSE;
    const { wid, ...close } = checkParameters(rules, await allParameters(request));
    this.#checkOpen();
    const { writer, bytes } = this.#writers.close(kind, wid, close);
    const { name, uploads } = writer;
    this.#pendingCount++;
    try {
      const transfer = [bytes.buffer];
      const options = { lane: this.#lane, transfer };
      await this.#store.callWith(
        options,
        "writeIndex",
        this.#handle,
        kind,
        name,
        bytes,
        close.csum,
      );
    } finally {
      this.#pendingCount--;
    }
    this.#fileCount++;
    this.#uploads.count += uploads.count;
    this.#uploads.size += uploads.size;
    this.#uploads.compressedSize += uploads.compressedSize;
    this.#uploads.duplicates += uploads.duplicates;
    return answerData(null);
  }

  async #blob(request: HttpRequest): Promise<HttpAnswer> {
    const parameters = checkParameters(BLOB, queryParameters(request.target));
    const { "file-name": name, "encoded-size": encodedSize } = parameters;
    if (!name.endsWith(".blob")) throw new Refusal(400, `wrong blob file extension: '${name}'`);
    const giveBack = await this.#memory.take(encodedSize);
    try {
      const bytes = new Uint8Array(encodedSize);
      const count = await receive(request, bytes);
      if (count !== encodedSize) {
        throw new Refusal(400, `got blob with unexpected length (${encodedSize} != ${count})`);
      }
      await this.#store.callWith(
        { lane: this.#lane, transfer: [bytes.buffer] },
        "writeBlob",
        this.#handle,
        name,
        bytes,
      );
    } finally {
      giveBack();
    }
    this.#uploads.size += encodedSize;
    this.#fileCount++;
    return answerData(null);
  }

  async #finish(request: HttpRequest): Promise<HttpAnswer> {
    checkParameters(NOTHING, await allParameters(request));
    this.#checkOpen();
    if (this.#writers.openCount + this.#pendingCount > 0) {
      throw new Refusal(400, "found open index writer - unable to finish backup");
    }
    if (this.#fileCount === 0) {
      throw new Refusal(400, "backup does not contain valid files (file count == 0)");
    }
    this.#state = "finishing";
    try {
      await this.#inLane("finishBackup", this.#handle, this.#uploads);
    } catch (error) {
      this.#state = "open";
      throw error;
    }
    this.#state = "finished";
    return answerData(null);
  }
}

/** Reads a body that shall fill the target. @returns how many bytes it has, or is said to have */
async function receive(
  { body }: HttpRequest,
  target: Uint8Array<ArrayBuffer>,
): Promise<number> {
  if (body.length !== undefined && body.length !== target.length) return body.length;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new ProtocolError("Cannot read the body: it comes too slowly", {
        code: "timeout",
        isTemporary: true,
      }),
    );
  }, BODY_TIMEOUT_MS + target.length * BODY_TIMEOUT_MS_PER_BYTE);
  try {
    return await Promise.race([late, body.readInto(target)]);
  } catch (error) {
    if (error instanceof LimitError) return target.length + 1;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Measures how fast a body comes. */
async function discardBody({ body }: HttpRequest): Promise<HttpAnswer> {
  while (await body.read() !== undefined);
  return answerData(null);
}

function checkExtension(name: string, extension: string): void {
  if (name.endsWith(extension)) return;
  throw new Refusal(400, `wrong archive extension: '${name}'`);
}
