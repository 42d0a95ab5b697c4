/** An HTTP proxy that knows CONNECT, or gives a fixed answer. */

/** What the proxy was asked. */
export interface ConnectProxy {
  readonly port: number;
  /** Heads of requests as they came. */
  readonly heads: readonly string[];
}

/** Runs a proxy on this computer while `use` runs. */
export async function connectProxy(
  options: { readonly answer?: string },
  use: (proxy: ConnectProxy) => Promise<void>,
): Promise<void> {
  const heads: string[] = [];
  const open = new Set<Deno.TcpConn>();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const serve = async (client: Deno.TcpConn) => {
    open.add(client);
    let head = "";
    const buffer = new Uint8Array(4096);
    while (!head.includes("\r\n\r\n")) {
      const size = await client.read(buffer);
      if (size === null) return;
      head += new TextDecoder().decode(buffer.subarray(0, size));
    }
    heads.push(head);
    if (options.answer !== undefined) {
      await client.write(new TextEncoder().encode(options.answer));
      await client.closeWrite();
      return;
    }
    const [, hostname, target] = /^CONNECT (\S+):(\d+) /u.exec(head)!;
    const server = await Deno.connect({ hostname: hostname!, port: Number(target) });
    open.add(server);
    await client.write(new TextEncoder().encode("HTTP/1.1 200 Connection established\r\n\r\n"));
    await Promise.allSettled([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  };
  const accepting = (async () => {
    for await (const client of listener) void serve(client).catch(() => {});
  })();
  try {
    await use({ port, heads });
  } finally {
    listener.close();
    await accepting.catch(() => {});
    for (const connection of open) {
      try {
        connection.close();
      } catch {
        // Closed with its streams.
      }
    }
  }
}
