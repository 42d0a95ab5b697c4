/**
 * Reading a snapshot of a server: its files, and the chunks of its indexes.
 *
 * The session is made when it is first needed, and again when its connection was lost: whoever asks
 * meanwhile waits for as long as that asker may. A server gives chunks of a session only that its
 * indexes name, so these are asked for again first.
 *
 * @module
 */

import { type Failure, LimitError, ProtocolError } from "#src/errors.ts";
import { freeMemory } from "#src/bytes/freed_memory.ts";
import type { HttpClient, IncomingBody } from "#src/net/http.ts";
import type { MailRequest } from "#src/threads/mailbox/answering.ts";
import { SENT_BLOB_SIZE_MAX, TEXT_SIZE_MAX } from "../calls.ts";
import { isRefusal } from "../server_failure.ts";
import { Prefetched } from "./prefetched.ts";
import { SessionClient } from "./session_client.ts";

const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 5_000;

/** How a session is made. */
export interface ReaderSessionOptions {
  /** What messages call the server. */
  readonly peer: string;
  readonly connect: (signal: AbortSignal) => Promise<HttpClient>;
  /** Is told of each connection that was lost or could not be made, and that there is one again. */
  readonly onTrouble?: (reason: string | undefined) => void;
  /** Default: a timer. */
  readonly pause?: (timeMs: number, signal: AbortSignal) => Promise<void>;
}

/** Does something with a connection. */
type Use<Result> = (client: SessionClient, signal: AbortSignal) => Promise<Result>;

/** One snapshot, open for reading. */
export class ReaderSession {
  readonly #options: ReaderSessionOptions;
  readonly #ended = new AbortController();
  readonly #indexes = new Set<string>();
  readonly #prefetched: Prefetched;
  /** Chunks that somebody waits for. */
  readonly #wanted = new Set<string>();
  #client: Promise<SessionClient> | undefined;
  /** What {@link #client} resolved to. */
  #current: SessionClient | undefined;
  #hasBeenOpen = false;

  constructor(options: ReaderSessionOptions) {
    this.#options = options;
    this.#prefetched = new Prefetched((digest) =>
      this.#once(this.#ended.signal, async (client, signal) => {
        const body = await client.download("/chunk", { digest }, signal);
        return await body.bytes(SENT_BLOB_SIZE_MAX);
      })
    );
  }

  /** Opens the session, to see that there is such a snapshot. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#once(signal, () => Promise.resolve());
  }

  /**
   * Hands a file over in parts.
   *
   * @param sizeMax {@link LimitError} when it has more bytes
   */
  async download(name: string, sizeMax: number, mail: MailRequest): Promise<number> {
    const isIndex = name.endsWith(".didx") || name.endsWith(".fidx");
    let handedOver = 0;
    return await this.#attempt(mail.signal, async (client, signal) => {
      const body = await client.download("/download", { "file-name": name }, signal);
      // An attempt before this one has handed over that much, and the file is the same.
      const skipped = handedOver;
      let size = 0;
      for (let part = await body.read(); part !== undefined; part = await body.read()) {
        const fresh = part.subarray(Math.min(part.length, Math.max(0, skipped - size)));
        size += part.length;
        if (size > sizeMax) {
          body.discard();
          throw new LimitError(`Cannot read "${name}": it has more than ${sizeMax} bytes`);
        }
        for (let done = 0; done < fresh.length;) {
          const piece = fresh.subarray(done, done + mail.room.length - TEXT_SIZE_MAX);
          mail.room.set(piece);
          await mail.part(piece.length);
          done += piece.length;
          handedOver += piece.length;
        }
      }
      if (isIndex) this.#indexes.add(name);
      return size;
    });
  }

  /** Puts a chunk into `room`. @returns bytes */
  async chunk(digest: string, room: Uint8Array, signal: AbortSignal): Promise<number> {
    this.#wanted.add(digest);
    try {
      const prefetched = await waitFor(this.#prefetched.take(digest), signal);
      if (prefetched !== undefined) {
        const { length } = prefetched;
        room.set(prefetched);
        freeMemory(prefetched);
        return length;
      }
      return await this.#attempt(signal, async (client, attemptSignal) => {
        const body: IncomingBody = await client.download("/chunk", { digest }, attemptSignal);
        return await body.readInto(room);
      });
    } finally {
      this.#wanted.delete(digest);
    }
  }

  /** A chunk will be asked for soon, unless another thread was faster and has done so. */
  expect(digest: string): void {
    if (this.#ended.signal.aborted || this.#wanted.has(digest)) return;
    this.#prefetched.expect(digest);
  }

  /** Ends the session. */
  close(): void {
    this.#ended.abort();
    this.#prefetched.clear();
    this.#client?.then((client) => client.close(), () => {});
  }

  /** Does something with a connection; with the next one, when that was lost. */
  async #attempt<Result>(wanted: AbortSignal, use: Use<Result>): Promise<Result> {
    const signal = AbortSignal.any([wanted, this.#ended.signal]);
    for (let delayMs = BACKOFF_FIRST_MS;; delayMs = Math.min(2 * delayMs, BACKOFF_MAX_MS)) {
      try {
        return await this.#once(signal, use);
      } catch (error) {
        // At first what is wrong is rather the address than the weather.
        if (!this.#hasBeenOpen || !isLoss(error) || signal.aborted) throw error;
        // Not all clients of a server that starts again at the same time.
        await (this.#options.pause ?? pauseFor)(delayMs * (0.5 + Math.random()), signal);
      }
    }
  }

  async #once<Result>(signal: AbortSignal, use: Use<Result>): Promise<Result> {
    const client = await waitFor(this.#client ??= this.#connect(), signal);
    try {
      return await use(client, signal);
    } catch (error) {
      if (isLoss(error) && !signal.aborted) this.#lose(client, error);
      throw error;
    }
  }

  #lose(client: SessionClient, error: Failure): void {
    client.close();
    if (this.#current !== client) return;
    this.#client = this.#current = undefined;
    this.#options.onTrouble?.(error.message);
  }

  async #connect(): Promise<SessionClient> {
    const { connect, peer, onTrouble } = this.#options;
    const { signal } = this.#ended;
    try {
      const client = new SessionClient(await connect(signal), peer);
      await this.#register(client, signal);
      if (this.#hasBeenOpen) onTrouble?.(undefined);
      this.#hasBeenOpen = true;
      return this.#current = client;
    } catch (error) {
      this.#client = undefined;
      if (this.#hasBeenOpen && isLoss(error)) onTrouble?.(error.message);
      throw error;
    }
  }

  async #register(client: SessionClient, signal: AbortSignal): Promise<void> {
    try {
      for (const name of this.#indexes) {
        const body = await client.download("/download", { "file-name": name }, signal);
        while (await body.read() !== undefined) { /* it is known already */ }
      }
    } catch (error) {
      client.close();
      throw error;
    }
  }
}

/** Whether the connection is of no use any more, unlike a refusal. */
function isLoss(error: unknown): error is Failure {
  return error instanceof ProtocolError && !isRefusal(error);
}

function pauseFor(timeMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, timeMs);
    signal.addEventListener("abort", end);
  });
}

/** As `promise`, but for one who may have enough of waiting. */
function waitFor<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    // Also where nobody waits any more: a failure that nobody takes would end the thread.
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}
