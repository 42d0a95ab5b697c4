/**
 * The server that the network is measured with, in a process of its own. Gets its certificate on
 * standard input, and prints its port.
 *
 * @module
 */

import type { Connection } from "#src/net/connection.ts";
import { serveHttp2 } from "#src/net/http2/server.ts";
import { listenTls } from "#src/net/tls/listen.ts";

/** Bytes of each measurement. */
export const TOTAL_SIZE = 256 << 20;
/** Bytes of a request that is not the only one. */
export const CHUNK_SIZE = 4 << 20;

async function serve(connection: Connection): Promise<void> {
  const first = await connection.read();
  if (first === undefined) return;
  connection.unread(first.subarray(1));
  switch (String.fromCharCode(first[0]!)) {
    case "u": {
      let size = 0;
      while (size < TOTAL_SIZE) size += (await connection.read())?.length ?? TOTAL_SIZE;
      await connection.write([Uint8Array.of(1)]);
      break;
    }
    case "d": {
      const part = new Uint8Array(1 << 20);
      for (let sent = 0; sent < TOTAL_SIZE; sent += part.length) await connection.write([part]);
      break;
    }
    default: {
      const all = new Uint8Array(TOTAL_SIZE);
      await serveHttp2(connection, async ({ method, target, body }) => {
        if (method === "GET") {
          return { status: 200, body: target === "/all" ? all : all.subarray(0, CHUNK_SIZE) };
        }
        while (await body.read() !== undefined);
        return { status: 204 };
      });
    }
  }
  connection.end();
}

if (import.meta.main) {
  const certificate = JSON.parse(await new Response(Deno.stdin.readable).text());
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    certificate,
    onConnection: (connection) => void serve(connection).catch(() => connection.destroy()),
  });
  console.log(listener.port);
}
