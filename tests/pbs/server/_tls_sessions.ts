/**
 * Sessions over TLS and real sockets.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import type { HttpAnswer, HttpClient, HttpHandler } from "#src/net/http.ts";
import { Http1Client } from "#src/net/http1/client.ts";
import { serveHttp1 } from "#src/net/http1/server.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { makeCertificate } from "#src/net/tls/certificate.ts";
import { connectTls } from "#src/net/tls/connect.ts";
import { fingerprintOfPem } from "#src/net/tls/certificate.ts";
import { listenTls, type TlsListener } from "#src/net/tls/listen.ts";
import { type BackupType, parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { answerFailure } from "#src/pbs/server/refusal.ts";
import { serveSession } from "#src/pbs/server/serve_session.ts";
import type { ServedStore } from "#src/pbs/server/served_store.ts";
import { startBackupSession, startReaderSession } from "#src/pbs/server/sessions.ts";

const HOST = "127.0.0.1";
/** What a connection is turned over to. */
export const TEST_PROTOCOL = "sessions-of-tests";

/** Where a server of tests listens. */
export interface SessionAddress {
  readonly port: number;
  readonly fingerprint: string;
}

/** A connection to a session. */
export interface ClientSession {
  readonly handler: HttpHandler;
  /** The client goes. */
  close(): Promise<void>;
}

/** Serves sessions of anybody who asks. */
export async function listenForSessions(
  store: ServedStore,
): Promise<{ readonly listener: TlsListener; readonly address: SessionAddress }> {
  const certificate = await makeCertificate({ hosts: [HOST], from: new Date(), days: 1 });
  const listener = await listenTls({
    host: HOST,
    port: 0,
    certificate,
    onConnection: (connection) => void serveHttp1(connection, upgradeTo(store)),
  });
  const fingerprint = await fingerprintOfPem(certificate.certificate);
  return { listener, address: { port: listener.port, fingerprint } };
}

function upgradeTo(store: ServedStore): HttpHandler {
  return async ({ target, signal }): Promise<HttpAnswer> => {
    const { pathname, searchParams } = new URL(target, "https://x");
    const start = pathname === "/backup" ? startBackupSession : startReaderSession;
    try {
      const session = await start({
        store,
        authId: "tester@pbs",
        group: {
          ns: parseNamespace(""),
          type: "host" satisfies BackupType,
          id: searchParams.get("backup-id")!,
        },
        time: Number(searchParams.get("backup-time")),
        isBenchmark: false,
        isDebug: false,
      }, signal);
      const upgrade = (connection: Connection) => void serveSession(connection, session);
      return { status: 101, headers: { upgrade: TEST_PROTOCOL, connection: "upgrade" }, upgrade };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return answerFailure(error);
    }
  };
}

/** Opens a session. */
export async function openSession(
  { port, fingerprint }: SessionAddress,
  kind: "backup" | "reader",
  id: string,
  time: number,
): Promise<ClientSession> {
  const trust = { fingerprint, authorities: [] };
  const connection = await connectTls({ host: HOST, port, trust });
  const target = `/${kind}?backup-id=${id}&backup-time=${time}`;
  const call = { method: "GET", target, timeoutMs: 60_000 };
  const result = await new Http1Client(connection, HOST).upgrade(call, TEST_PROTOCOL);
  if ("answer" in result) {
    const { status, body } = result.answer;
    throw new Error(`${status} ${new TextDecoder().decode(await body.bytes(10_000))}`);
  }
  const client = new Http2Client(result.connection);
  return {
    handler: handlerOf(client),
    async close() {
      client.close();
      await client.closed;
    },
  };
}

/** Sends what a handler would be asked. */
export function handlerOf(client: HttpClient): HttpHandler {
  return async ({ method, target, headers, body }) => {
    const bytes = await body.bytes(32 << 20);
    const call = { method, target, headers, timeoutMs: 60_000 };
    const result = await client.send(bytes.length === 0 ? call : { ...call, body: bytes });
    return { ...result, body: partsOf(result.body) };
  };
}

async function* partsOf(body: { read(): Promise<Uint8Array<ArrayBuffer> | undefined> }) {
  for (let part = await body.read(); part !== undefined; part = await body.read()) yield part;
}
