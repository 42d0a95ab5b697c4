/** Two ends of a connection in memory, which cuts what is written into parts as a network does. */

import { ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";

/** How the connection treats what is written. */
export interface PairOptions {
  /** Sizes of the parts in which it arrives, in turn; as written unless told. */
  readonly partSizes?: readonly number[];
}

/** Both ends. */
export function connectionPair(options: PairOptions = {}): [Connection, Connection] {
  const a = new MemoryConnection("a:1", options.partSizes ?? []);
  const b = new MemoryConnection("b:2", options.partSizes ?? []);
  a.other = b;
  b.other = a;
  return [a, b];
}

class MemoryConnection implements Connection {
  other!: MemoryConnection;
  readonly closed: Promise<void>;
  readonly #incoming: Uint8Array<ArrayBuffer>[] = [];
  #hasPeerEnded = false;
  #hasEnded = false;
  #isGone = false;
  #wake: (() => void) | undefined;
  #close!: () => void;
  #turn = 0;

  constructor(readonly peer: string, readonly partSizes: readonly number[]) {
    this.closed = new Promise((resolve) => this.#close = resolve);
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (true) {
      if (this.#isGone) throw new ProtocolError(`The connection to ${this.peer} is closed`);
      const part = this.#incoming.shift();
      if (part !== undefined) return part;
      if (this.#hasPeerEnded) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  unread(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length > 0) this.#incoming.unshift(bytes);
  }

  async write(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    await Promise.resolve();
    if (this.#isGone || this.#hasEnded) throw new ProtocolError(`${this.peer} is closed`);
    for (const part of parts) this.other.#take(part.slice());
  }

  end(): void {
    this.#hasEnded = true;
    this.other.#hasPeerEnded = true;
    this.other.#wake?.();
    if (this.#hasPeerEnded) {
      this.#close();
      this.other.#close();
    }
  }

  destroy(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#wake?.();
    this.#close();
    this.other.#hasPeerEnded = true;
    this.other.#wake?.();
    this.other.#close();
  }

  #take(bytes: Uint8Array<ArrayBuffer>): void {
    for (let start = 0; start < bytes.length;) {
      const size = this.partSizes.length === 0
        ? bytes.length
        : this.partSizes[this.#turn++ % this.partSizes.length]!;
      this.#incoming.push(bytes.subarray(start, start + size));
      start += size;
    }
    this.#wake?.();
  }
}
