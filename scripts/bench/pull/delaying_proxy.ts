/**
 * A way to a server on this computer that is as long as one across a country: every byte arrives
 * so much later, and as many as before are on their way at once.
 *
 * @module
 */

const PIECE_SIZE = 1 << 18;

/** Runs until it is disposed of. */
export class DelayingProxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;

  /** @param delayMs of each direction */
  constructor(readonly targetPort: number, readonly delayMs: number) {
    this.#accepting = this.#accept();
  }

  /** Where it listens. */
  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections) close(connection);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      void this.#serve(client).catch((error) => console.error("proxy:", error));
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.targetPort });
    for (const connection of [client, server]) {
      connection.setNoDelay();
      this.#connections.add(connection);
    }
    await Promise.all([this.#pump(client, server), this.#pump(server, client)]);
    for (const connection of [client, server]) {
      this.#connections.delete(connection);
      close(connection);
    }
  }

  /** Reads at once, and writes when it is time: what waits does not keep the next from leaving. */
  async #pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    let written = Promise.resolve();
    for (;;) {
      const piece = new Uint8Array(PIECE_SIZE);
      const size = await from.read(piece).catch(() => null);
      const due = performance.now() + this.delayMs;
      const before = written;
      written = (async () => {
        await before;
        const leftMs = due - performance.now();
        if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
        if (size === null) await to.closeWrite();
        else await writeAll(to, piece.subarray(0, size));
      })().catch(() => {});
      if (size === null) return await written;
    }
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It has ended.
  }
}
