/**
 * Writing a snapshot to a server: uploads under way beside each other within a window, and lists of
 * chunks in the order of their streams, each when its chunks have arrived.
 *
 * What fails in the background is thrown by the next call. A session whose connection was lost is
 * over: the server has removed the snapshot by then.
 *
 * @module
 */

import { DigestTable } from "#src/bytes/digest_table.ts";
import { ProtocolError } from "#src/errors.ts";
import { freeMemory } from "#src/bytes/freed_memory.ts";
import type { IndexKind } from "../calls.ts";
import { type AppendList, AppendQueue } from "./append_queue.ts";
import type { SessionClient } from "./session_client.ts";

/**
 * Uploads under way at a time, and their bytes: half of a server's window, so that bodies which it
 * does not read yet never take the room of the one that it reads.
 */
const UPLOAD_COUNT_MAX = 64;
const UPLOAD_BYTES_MAX = 16 << 20;
/** Enough for two million digests; whoever forgets more sends some chunks again. */
const KNOWN_BUDGET_SIZE = 96 << 20;
/** Requests under way at once when speed is measured. */
const MEASURED_COUNT = 8;
/** A server syncs its disk before it answers. */
const FINISH_TIMEOUT_MS = 1_800_000;

/** A chunk on its way. */
export interface NewChunk {
  readonly wid: number;
  /** In hex. */
  readonly digest: string;
  /** Plain bytes. */
  readonly size: number;
}

interface Writer {
  readonly kind: IndexKind;
  readonly appends: AppendQueue;
}

/** A snapshot in the making, on one connection. */
export class BackupSession {
  readonly #client: SessionClient;
  readonly #known = new DigestTable(KNOWN_BUDGET_SIZE);
  readonly #writers = new Map<number, Writer>();
  /** By digest. */
  readonly #uploads = new Map<string, Promise<void>>();
  #uploadBytes = 0;
  #failure: unknown;
  /** Those who wait for room in the window. */
  readonly #waiting: (() => void)[] = [];
  #isOver = false;

  constructor(client: SessionClient) {
    this.#client = client;
    client.closed.then(() => {
      if (this.#isOver) return;
      this.#fail(
        new ProtocolError(
          `Cannot go on with the backup: ${client.peer} has closed the connection`,
          {
            code: "connection-lost",
            isTemporary: true,
            hint: "The server keeps nothing of it but chunks; start it again",
          },
        ),
      );
    });
  }

  /** Unix time of the snapshot that this one is based on. */
  async previousTime(signal: AbortSignal): Promise<number | undefined> {
    const time = await this.#call("GET", "/previous_backup_time", {}, signal);
    if (time === null) return undefined;
    if (typeof time === "number" && Number.isSafeInteger(time) && time > 0) return time;
    throw this.#nonsense("/previous_backup_time");
  }

  /** Sends the same bytes for some time, several requests under way at once. */
  async measure(
    body: Uint8Array<ArrayBuffer>,
    timeMs: number,
    signal: AbortSignal,
  ): Promise<{ requests: number; seconds: number }> {
    const beginMs = performance.now();
    const passedMs = () => performance.now() - beginMs;
    let requests = 0;
    const send = async () => {
      do {
        await this.#client.call("POST", "/speedtest", {}, { body, signal });
        requests++;
      } while (passedMs() < timeMs);
    };
    await Promise.all(Array.from({ length: MEASURED_COUNT }, send));
    return { requests, seconds: passedMs() / 1000 };
  }

  /** A file of the snapshot that this one is based on, in parts. */
  async *previousFile(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    this.#check();
    const body = await this.#client.download("/previous", { "archive-name": name }, signal);
    for (let part = await body.read(); part !== undefined; part = await body.read()) yield part;
  }

  /** Chunks that the server has for this session. @param digests 32 bytes each */
  know(digests: Uint8Array): void {
    for (let offset = 0; offset + DIGEST_SIZE <= digests.length; offset += DIGEST_SIZE) {
      this.#known.set(digests, offset, 1);
    }
  }

  /** Whether a chunk need not be sent: the server has it, or it is on its way. */
  knows(digest: string): boolean {
    this.#check();
    return this.#known.get(Uint8Array.fromHex(digest), 0) !== 0;
  }

  /** Starts an index. @param reusedChecksum of the previous index that it begins as a copy of */
  async openIndex(
    kind: IndexKind,
    name: string,
    size: number | undefined,
    reusedChecksum: string | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const parameters = { "archive-name": name, "reuse-csum": reusedChecksum, size };
    const wid = await this.#call("POST", `/${kind}_index`, parameters, signal);
    if (typeof wid !== "number" || !Number.isSafeInteger(wid) || this.#writers.has(wid)) {
      throw this.#nonsense(`/${kind}_index`);
    }
    const appends = new AppendQueue({
      uploaded: (digest) => this.#uploads.get(digest),
      send: (list) => this.#guard(this.#append(kind, wid, list)),
    });
    this.#writers.set(wid, { kind, appends });
    return wid;
  }

  /**
   * Takes a chunk; on return it is on its way.
   *
   * @param takeBytes copies the encoded chunk, when there is room for it
   * @returns false when another thread has sent the same one meanwhile
   */
  async upload(
    { wid, digest, size }: NewChunk,
    encodedSize: number,
    takeBytes: () => Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const writer = this.#writer(wid);
    while (this.#isWindowFull(encodedSize)) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      signal.throwIfAborted();
      this.#check();
    }
    if (this.knows(digest)) return false;
    this.#known.set(Uint8Array.fromHex(digest), 0, 1);
    const parameters = { wid, digest, size, "encoded-size": encodedSize };
    this.#uploadBytes += encodedSize;
    const body = takeBytes();
    const upload = this.#guard(
      this.#client.call("POST", `/${writer.kind}_chunk`, parameters, { body }),
    ).then((answer) => {
      if (answer === digest) freeMemory(body);
      else this.#fail(this.#nonsense(`/${writer.kind}_chunk`));
    }).finally(() => {
      this.#uploads.delete(digest);
      this.#uploadBytes -= encodedSize;
      this.#wake();
    });
    this.#uploads.set(digest, upload);
    upload.catch(() => {});
    return true;
  }

  /**
   * Appends chunks to an index. @param entries a digest and where it is in the stream
   */
  async append(
    wid: number,
    entries: Iterable<readonly [digest: string, offset: number]>,
  ): Promise<void> {
    await this.#writer(wid).appends.add(entries);
  }

  /** Ends an index. */
  async closeIndex(
    wid: number,
    { count, size, checksum }: {
      readonly count: number;
      readonly size: number;
      readonly checksum: string;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { kind, appends } = this.#writer(wid);
    await appends.finish();
    this.#check();
    const parameters = { wid, "chunk-count": count, size, csum: checksum };
    await this.#call("POST", `/${kind}_close`, parameters, signal, FINISH_TIMEOUT_MS);
    this.#writers.delete(wid);
  }

  /** Stores a blob. */
  async blob(name: string, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    this.#check();
    const parameters = { "file-name": name, "encoded-size": body.length };
    await this.#client.call("POST", "/blob", parameters, { body, signal });
  }

  /** Makes the snapshot a finished one, and ends the session. */
  async finish(signal: AbortSignal): Promise<void> {
    await this.#call("POST", "/finish", {}, signal, FINISH_TIMEOUT_MS);
    this.close();
  }

  /** Ends the session; unless it is finished, the server removes the snapshot. */
  close(): void {
    this.#isOver = true;
    this.#client.close();
    this.#wake();
  }

  #isWindowFull(size: number): boolean {
    const count = this.#uploads.size;
    if (count === 0) return false;
    return count >= UPLOAD_COUNT_MAX || this.#uploadBytes + size > UPLOAD_BYTES_MAX;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #append(kind: IndexKind, wid: number, { digests, offsets }: AppendList): Promise<void> {
    // One of them may not have arrived.
    this.#check();
    const json = { "digest-list": digests, "offset-list": offsets, wid };
    await this.#client.call("PUT", `/${kind}_index`, {}, { json });
  }

  async #call(
    method: string,
    path: string,
    parameters: Readonly<Record<string, string | number | undefined>>,
    signal: AbortSignal,
    timeoutMs?: number,
  ): Promise<unknown> {
    this.#check();
    const time = timeoutMs === undefined ? {} : { timeoutMs };
    return await this.#client.call(method, path, parameters, { signal, ...time });
  }

  /** What is done in the background: its failure is that of the session. */
  async #guard<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #writer(wid: number): Writer {
    this.#check();
    const writer = this.#writers.get(wid);
    if (writer !== undefined) return writer;
    throw new ProtocolError(`Cannot write to index ${wid}: it is not open`);
  }

  #nonsense(path: string): ProtocolError {
    return new ProtocolError(`Cannot understand ${this.#client.peer}: its answer to ${path}`);
  }
}

const DIGEST_SIZE = 32;
