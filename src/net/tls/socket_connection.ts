/**
 * A connection over a socket of the runtime, plain or TLS, with back-pressure in both directions.
 *
 * @module
 */

import type { Socket } from "node:net";
import { ProtocolError } from "#src/errors.ts";
import { type Connection, CONNECTION_LOST, connectionLost } from "#src/net/connection.ts";

/** What waits to be read; the socket is stopped above it. */
const READ_AHEAD_MAX = 1 << 20;
/** Written at a time, so that what is slow can be told from what has stopped. */
const WRITE_SIZE_MAX = 1 << 20;
/** A peer that takes nothing for so long is gone. */
const WRITE_STALL_MS = 120_000;
/** After our end, for the peer's. */
const LINGER_MS = 30_000;

/**
 * What reads from the kernel below a socket. The runtime's TLS sockets go on reading while they are
 * paused and keep everything in memory, so that a peer could fill it: only this stops them.
 */
interface Transport {
  readonly _handle?: { readStop(): void; readStart(): void } | null;
}

/** A socket as a {@link Connection}. The socket must be connected, and TLS be agreed on. */
export class SocketConnection implements Connection {
  readonly peer: string;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #transport: Transport;
  readonly #writeStallMs: number;
  readonly #incoming: Uint8Array<ArrayBuffer>[] = [];
  #incomingBytes = 0;
  #isStopped = false;
  #hasPeerEnded = false;
  #failure: ProtocolError | undefined;
  #wakeReader: (() => void) | undefined;
  #breakWrite: ((failure: ProtocolError) => void) | undefined;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  /** `peer` names the other end in messages; `transport` is the socket below that of TLS. */
  constructor(
    socket: Socket,
    transport: Socket,
    peer: string,
    options: { readonly writeStallMs?: number | undefined } = {},
  ) {
    this.peer = peer;
    this.#socket = socket;
    this.#transport = transport as unknown as Transport;
    this.#writeStallMs = options.writeStallMs ?? WRITE_STALL_MS;
    this.closed = new Promise((resolve) => {
      const close = () => {
        clearTimeout(this.#lingering);
        this.#fail(new ProtocolError(`The connection to ${peer} was lost`, CONNECTION_LOST));
        resolve();
      };
      if (socket.destroyed) return close();
      socket.on("close", close);
    });
    socket.on("data", (bytes: Uint8Array<ArrayBuffer>) => this.#take(bytes));
    socket.on("end", () => {
      this.#hasPeerEnded = true;
      this.#wakeReader?.();
    });
    socket.on("error", (cause: Error) => {
      this.#fail(connectionLost(peer, cause));
      socket.destroy();
    });
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (true) {
      const bytes = this.#incoming.shift();
      if (bytes !== undefined) {
        this.#incomingBytes -= bytes.length;
        if (this.#isStopped && this.#incomingBytes < READ_AHEAD_MAX) {
          this.#isStopped = false;
          this.#transport._handle?.readStart();
        }
        return bytes;
      }
      if (this.#hasPeerEnded) return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
      this.#wakeReader = undefined;
    }
  }

  unread(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === 0) return;
    this.#incoming.unshift(bytes);
    this.#incomingBytes += bytes.length;
  }

  async write(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    let group: Uint8Array[] = [];
    let groupBytes = 0;
    for (const part of parts) {
      for (let start = 0; start < part.length;) {
        const piece = part.subarray(start, start + WRITE_SIZE_MAX - groupBytes);
        group.push(piece);
        groupBytes += piece.length;
        start += piece.length;
        if (groupBytes < WRITE_SIZE_MAX) continue;
        await this.#send(group);
        group = [];
        groupBytes = 0;
      }
    }
    if (groupBytes > 0) await this.#send(group);
  }

  end(): Promise<void> {
    if (this.#failure !== undefined || this.#lingering !== undefined) return this.closed;
    const ended = new Promise<void>((resolve) => this.#socket.end(resolve));
    this.#linger();
    return Promise.race([ended, this.closed]);
  }

  destroy(): void {
    this.#incoming.length = 0;
    this.#hasPeerEnded = false;
    this.#fail(new ProtocolError(`The connection to ${this.peer} is closed`));
    this.#socket.destroy();
  }

  #take(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#failure !== undefined) return;
    // Without the methods of the runtime's own class of buffers.
    this.#incoming.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    this.#incomingBytes += bytes.length;
    if (!this.#isStopped && this.#incomingBytes >= READ_AHEAD_MAX) {
      this.#isStopped = true;
      this.#transport._handle?.readStop();
    }
    if (this.#lingering !== undefined) this.#linger();
    this.#wakeReader?.();
  }

  async #send(group: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const timer = setTimeout(() => {
      const seconds = this.#writeStallMs / 1000;
      this.#fail(
        new ProtocolError(`${this.peer} has taken nothing for ${seconds} seconds`, CONNECTION_LOST),
      );
      this.#socket.destroy();
    }, this.#writeStallMs);
    try {
      await new Promise<void>((resolve, reject) => {
        // The runtime may forget the callbacks of writes when a socket is destroyed.
        this.#breakWrite = reject;
        const last = group.length - 1;
        this.#socket.cork();
        group.forEach((piece, index) => {
          if (index < last) return this.#socket.write(piece);
          this.#socket.write(piece, (cause) => {
            if (cause === undefined || cause === null) resolve();
            else reject(this.#failure ?? connectionLost(this.peer, cause));
          });
        });
        this.#socket.uncork();
      });
    } finally {
      clearTimeout(timer);
      this.#breakWrite = undefined;
    }
  }

  #linger(): void {
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => this.destroy(), LINGER_MS);
  }

  #fail(failure: ProtocolError): void {
    this.#failure ??= failure;
    this.#wakeReader?.();
    this.#breakWrite?.(this.#failure);
  }
}
