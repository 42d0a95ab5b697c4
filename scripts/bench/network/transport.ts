/**
 * HTTP/2 over TLS beside a bare TLS socket of the same runtime, client and server in a process
 * each.
 *
 * @module
 */

import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { connectTls } from "#src/net/tls/connect.ts";
import type { Connection } from "#src/net/connection.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { RunningCommand } from "#tests/support/process.ts";
import { median } from "../host.ts";
import type { Report } from "../report.ts";
import { CHUNK_SIZE, TOTAL_SIZE } from "./peer.ts";

const ROUNDS = 5;
const TIMEOUT_MS = 60_000;
const CONCURRENCY = 8;

/** What is sent; its memory is touched before anything is measured. */
const content = new Uint8Array(TOTAL_SIZE).fill(1);

type Measure = (connect: (mode: string) => Promise<Connection>) => Promise<void>;

async function readAll(connection: { read(): Promise<Uint8Array | undefined> }): Promise<void> {
  let size = 0;
  for (let part = await connection.read(); part !== undefined; part = await connection.read()) {
    size += part.length;
  }
  if (size !== TOTAL_SIZE) throw new Error(`${size} bytes came`);
}

/** A mode's letter is the first byte that the client sends. */
const MEASURES: Readonly<Record<string, { readonly bare?: Measure; readonly http2?: Measure }>> = {
  "up, one stream": {
    bare: async (connect) => {
      const connection = await connect("u");
      const part = new Uint8Array(1 << 20);
      for (let sent = 0; sent < TOTAL_SIZE; sent += part.length) await connection.write([part]);
      await connection.read();
      connection.destroy();
    },
    http2: (connect) => withClient(connect, (client) => post(client, TOTAL_SIZE)),
  },
  "up, 4 MiB requests, 8 at a time": {
    http2: (connect) => withClient(connect, (client) => atATime(() => post(client, CHUNK_SIZE))),
  },
  "down, one stream": {
    bare: async (connect) => {
      const connection = await connect("d");
      await readAll(connection);
      connection.destroy();
    },
    http2: (connect) =>
      withClient(connect, async (client) => {
        const call = { method: "GET", target: "/all", timeoutMs: TIMEOUT_MS };
        await readAll((await client.send(call)).body);
      }),
  },
  "down, 4 MiB requests, one at a time": {
    http2: (connect) => withClient(connect, (client) => atATime(() => get(client), 1)),
  },
  "down, 4 MiB requests, 8 at a time": {
    http2: (connect) => withClient(connect, (client) => atATime(() => get(client))),
  },
};

async function withClient(
  connect: (mode: string) => Promise<Connection>,
  use: (client: Http2Client) => Promise<void>,
): Promise<void> {
  const client = new Http2Client(await connect("h"));
  await use(client);
  client.close();
  await client.closed;
}

async function post(client: Http2Client, size: number): Promise<void> {
  const body = content.subarray(0, size);
  const call = { method: "POST", target: "/", body, timeoutMs: TIMEOUT_MS };
  await (await client.send(call)).body.bytes(100);
}

async function get(client: Http2Client): Promise<void> {
  const target = new Uint8Array(CHUNK_SIZE);
  const { body } = await client.send({ method: "GET", target: "/chunk", timeoutMs: TIMEOUT_MS });
  if (await body.readInto(target) !== CHUNK_SIZE) throw new Error("too little came");
}

async function atATime(run: () => Promise<void>, count = CONCURRENCY): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: count }, async () => {
    while (next++ * CHUNK_SIZE < TOTAL_SIZE) await run();
  }));
}

async function speedOf(measure: Measure, connect: (mode: string) => Promise<Connection>) {
  const startMs = performance.now();
  await measure(connect);
  return TOTAL_SIZE / 1000 / (performance.now() - startMs);
}

/** Measures both directions, as one stream and as requests of a chunk each. */
export async function benchmarkTransport(report: Report): Promise<void> {
  const pair = await makeCertificate({ hosts: ["127.0.0.1"], from: new Date(), days: 1 });
  const fingerprint = await fingerprintOfPem(pair.certificate);
  const peer = new URL("peer.ts", import.meta.url).pathname;
  const server = new RunningCommand([Deno.execPath(), "run", "--allow-all", peer], {
    stdin: JSON.stringify(pair),
  });
  try {
    while (!server.stdout.includes("\n")) await new Promise((resolve) => setTimeout(resolve, 20));
    const port = Number(server.stdout);
    const trust = { fingerprint, authorities: [] };
    const connect = async (mode: string) => {
      const connection = await connectTls({ host: "127.0.0.1", port, trust });
      await connection.write([new TextEncoder().encode(mode)]);
      return connection;
    };
    let bareSpeeds: number[] = [];
    for (const [name, { bare, http2 }] of Object.entries(MEASURES)) {
      const speeds: number[] = [];
      if (bare !== undefined) bareSpeeds = [];
      for (let round = 0; round < ROUNDS; round++) {
        if (bare !== undefined) bareSpeeds.push(await speedOf(bare, connect));
        speeds.push(await speedOf(http2!, connect));
      }
      report.add({
        name: `HTTP/2 beside bare TLS: ${name}`,
        unit: "MB/s",
        mount: median(speeds),
        plain: median(bareSpeeds),
        target: ">= 0.6",
      });
    }
  } finally {
    server.signalGroup("SIGKILL");
    await server.ended;
  }
}
