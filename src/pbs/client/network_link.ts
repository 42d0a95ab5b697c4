/**
 * A thread's way to the thread that has the connections.
 *
 * @module
 */

import { concatenate } from "#src/bytes/concatenate.ts";
import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { Mailbox } from "#src/threads/mailbox/mailbox.ts";
import type { CallParameters } from "./network_thread/server_port.ts";
import type { NetworkRequest, SessionNumber } from "./calls.ts";

/** Longer than the network thread waits for a server, and than a server starts again. */
const TIMEOUT_MS = 300_000;
/** To finish a snapshot is to have a server's disks synced. */
const LONG_TIMEOUT_MS = 3_600_000;
const LONG_REQUESTS: ReadonlySet<NetworkRequest["what"]> = new Set(["close-index", "finish"]);

/** How one request is made. */
export interface LinkOptions {
  /** Bytes that go with it. */
  readonly payload?: Uint8Array;
  /** Is given the bytes of the answer, in parts where they are many. */
  readonly take?: (part: Uint8Array<SharedArrayBuffer>) => void;
}

/** Requests to the network thread; every method blocks until there is an answer. */
export class NetworkLink {
  readonly #mailbox: Mailbox;

  /** @param shared the mailbox of the thread */
  constructor(readonly shared: SharedArrayBuffer) {
    this.#mailbox = new Mailbox(shared);
  }

  /**
   * Asks for something.
   *
   * @throws what the network thread has thrown: {@link ProtocolError}, {@link AuthError},
   *   {@link StateError} for what the server said; `timeout`
   */
  ask(request: NetworkRequest, options: LinkOptions = {}): unknown {
    const timeoutMs = LONG_REQUESTS.has(request.what) ? LONG_TIMEOUT_MS : TIMEOUT_MS;
    // Threads that wait for a server that is gone may have all other places.
    const isUrgent = request.what === "close";
    return this.#mailbox.call(request, { ...options, timeoutMs, isUrgent });
  }

  /** Says that a chunk will be asked for soon; nothing is lost where there is no room for that. */
  expect(session: SessionNumber, digest: ChunkDigest): void {
    this.#mailbox.post({ what: "expect", session, digest } satisfies NetworkRequest);
  }

  /** All bytes that are answered. @throws as {@link ask} */
  bytes(request: NetworkRequest): Uint8Array<ArrayBuffer> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    this.ask(request, { take: (part) => parts.push(part.slice()) });
    return concatenate(parts);
  }

  /** A call of the REST interface. @returns `data` of the answer @throws as {@link ask} */
  rest(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    parameters: CallParameters = {},
    body?: Uint8Array<ArrayBuffer>,
  ): unknown {
    const request: NetworkRequest = { what: "rest", method, path, parameters };
    const parts: Uint8Array<ArrayBuffer>[] = [];
    this.ask(body === undefined ? request : { ...request, hasBody: true }, {
      take: (part) => parts.push(part.slice()),
      ...body === undefined ? {} : { payload: body },
    });
    return JSON.parse(new TextDecoder().decode(concatenate(parts)));
  }

  /** Tells the thread to end. */
  stop(): void {
    this.#mailbox.stop();
  }
}
