/** HTTP/2 over TLS through a network that cuts, truncates, corrupts, duplicates and delays. */

import { equal, ok } from "node:assert/strict";
import { ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { serveHttp2 } from "#src/net/http2/server.ts";
import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { connectTls } from "#src/net/tls/connect.ts";
import { listenTls } from "#src/net/tls/listen.ts";
import { type Fault, faultProxy } from "#tests/support/fault_proxy.ts";
import { Random } from "#tests/support/property_random.ts";

const CASES = 400;
const TIMEOUT_MS = 4000;
const CONTENT = new Random(5).bytes(300_000);

/** A fault at any byte of the conversation, or early, where the protocols are agreed on. */
function drawFault(random: Random): Fault {
  return {
    kind: random.pick(["cut", "truncate", "corrupt", "duplicate", "delay"]),
    direction: random.pick(["to server", "to client"]),
    at: random.between(0, random.oneIn(2) ? 3000 : 400_000),
  };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Three requests at once, each with a body both ways. @throws what any of them throws */
async function converse(connection: Connection): Promise<void> {
  const client = new Http2Client(connection);
  try {
    const answers = await Promise.allSettled([1000, 90_000, CONTENT.length].map(async (size) => {
      const body = CONTENT.slice(0, size);
      const call = { method: "POST", target: `/${size}`, body, timeoutMs: TIMEOUT_MS };
      const { status, body: echoed } = await client.send(call);
      equal(status, 200);
      ok(isEqual(await echoed.bytes(CONTENT.length), body), "what came is not what was sent");
    }));
    for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
  } finally {
    client.close();
    await client.closed;
  }
}

Deno.test(`${CASES} faults of the network: never wrong data or a hang, and a retry succeeds`, async () => {
  const certificate = await makeCertificate({ hosts: ["127.0.0.1"], from: new Date(), days: 1 });
  const trust = { fingerprint: await fingerprintOfPem(certificate.certificate), authorities: [] };
  const served = new Set<Promise<unknown>>();
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    certificate,
    onConnection: (connection) => {
      const serving = serveHttp2(connection, async ({ target, body }) => {
        const bytes = await body.bytes(CONTENT.length);
        // A body that is whole is the one that was sent.
        ok(isEqual(bytes, CONTENT.subarray(0, Number(target.slice(1)))), "wrong data");
        return { status: 200, body: bytes };
      }, { limits: { headTimeoutMs: 2000, bodyTimeoutMs: 2000 } });
      served.add(serving);
      void serving.finally(() => served.delete(serving));
    },
  });
  let failures = 0;
  try {
    for (let seed = 0; seed < CASES; seed++) {
      const fault = drawFault(new Random(11, seed));
      const attempt = async (port: number) =>
        await converse(await connectTls({ host: "127.0.0.1", port, trust }));
      await faultProxy(listener.port, fault, async ({ port }) => {
        try {
          await attempt(port);
        } catch (error) {
          failures++;
          ok(error instanceof ProtocolError, `${JSON.stringify(fault)}: ${error}`);
          await attempt(listener.port);
        }
      });
    }
  } finally {
    await listener.close();
    await Promise.all(served);
  }
  ok(failures > CASES / 4, `only ${failures} faults were noticed`);
});
