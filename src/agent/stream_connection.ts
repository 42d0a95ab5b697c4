/**
 * A connection over two streams, such as standard input and output.
 *
 * @module
 */

import { concatenate } from "#src/bytes/concatenate.ts";
import { ProtocolError } from "#src/errors.ts";
import { type Connection, connectionLost } from "#src/net/connection.ts";

/** What a connection is made of. */
export interface StreamConnectionParts {
  /** What the other end is called in messages. */
  readonly peer: string;
  /** What comes from it. */
  readonly incoming: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What goes to it. */
  readonly outgoing: WritableStream<Uint8Array<ArrayBuffer>>;
  /** Called when the peer has ended, before that is told; may throw why that is no orderly end. */
  readonly onPeerEnd?: (() => Promise<void>) | undefined;
  /** Called once, when everything ends at once. */
  readonly onDestroy?: (() => void) | undefined;
  /** When it is all over; else as soon as both directions have ended. */
  readonly closed?: Promise<unknown> | undefined;
}

/** Makes a connection of streams. */
export class StreamConnection implements Connection {
  /** See {@link Connection.peer}. */
  readonly peer: string;
  /** See {@link Connection.closed}. */
  readonly closed: Promise<void>;
  readonly #parts: StreamConnectionParts;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #unread: Uint8Array<ArrayBuffer>[] = [];
  #isDestroyed = false;
  #hasPeerEnded = false;
  #hasEnded = false;
  #close!: () => void;

  /** The streams are its own then. */
  constructor(parts: StreamConnectionParts) {
    this.peer = parts.peer;
    this.#parts = parts;
    this.#reader = parts.incoming.getReader();
    this.#writer = parts.outgoing.getWriter();
    // Both tell by their calls; what nobody waits for must not end the program.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    const over = new Promise<void>((resolve) => this.#close = resolve);
    this.closed = parts.closed === undefined ? over : parts.closed.then(() => {}, () => {});
  }

  /** See {@link Connection.read}. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = this.#unread.shift();
    if (bytes !== undefined) return bytes;
    if (this.#hasPeerEnded) return undefined;
    let result: ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
    try {
      do {
        result = await this.#reader.read();
      } while (result.value?.length === 0);
    } catch (cause) {
      throw this.#failure(cause);
    }
    if (this.#isDestroyed) throw this.#failure(undefined);
    if (!result.done) return result.value;
    await this.#parts.onPeerEnd?.();
    this.#hasPeerEnded = true;
    if (this.#hasEnded) this.#close();
    return undefined;
  }

  /** See {@link Connection.unread}. */
  unread(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length > 0) this.#unread.unshift(bytes);
  }

  /** See {@link Connection.write}. */
  async write(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    if (this.#isDestroyed || this.#hasEnded) throw this.#failure(undefined);
    try {
      // One write for all: each costs a call of the system.
      await this.#writer.write(concatenate(parts));
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** See {@link Connection.end}. */
  end(): void {
    if (this.#isDestroyed || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#writer.close().catch(() => {});
    if (this.#hasPeerEnded) this.#close();
  }

  /** See {@link Connection.destroy}. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#unread = [];
    this.#reader.cancel().catch(() => {});
    this.#writer.abort().catch(() => {});
    this.#parts.onDestroy?.();
    this.#close();
  }

  #failure(cause: unknown): ProtocolError {
    if (this.#isDestroyed) return new ProtocolError(`The connection to ${this.peer} is closed`);
    return connectionLost(this.peer, cause);
  }
}

/** Standard input and output of this process, which nothing else may use then. */
export function standardStreams(peer: string): Connection {
  return new StreamConnection({
    peer,
    incoming: Deno.stdin.readable,
    outgoing: Deno.stdout.writable,
  });
}
