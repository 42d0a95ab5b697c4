/** A server of the REST interface over TLS, whose answers a test scripts. */

import type { Connection } from "#src/net/connection.ts";
import type { HttpAnswer, HttpRequest } from "#src/net/http.ts";
import { serveHttp1 } from "#src/net/http1/server.ts";
import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { listenTls } from "#src/net/tls/listen.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";

/** What was asked. */
export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer, or `cut` for a connection that breaks instead. */
export type Scripted = HttpAnswer | "cut";

/** A running server. */
export interface RestServer {
  readonly asked: Asked[];
  /** How many connections there were. */
  readonly connections: Connection[];
  readonly login: ServerLogin;
}

export const PAIR = await makeCertificate({
  hosts: ["127.0.0.1", "localhost"],
  from: new Date(Date.now() - 60_000),
  days: 30,
});
export const FINGERPRINT = await fingerprintOfPem(PAIR.certificate);

/** `{"data":…}` */
export function dataAnswer(data: unknown): HttpAnswer {
  return { status: 200, body: new TextEncoder().encode(JSON.stringify({ data })) };
}

/** A refusal in words. */
export function textAnswer(status: number, text: string): HttpAnswer {
  return { status, body: new TextEncoder().encode(text) };
}

/** Runs a server on this computer while `use` runs. */
export async function restServer(
  answer: (asked: Asked, request: HttpRequest) => Scripted | Promise<Scripted>,
  use: (server: RestServer) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const connections: Connection[] = [];
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    certificate: PAIR,
    onConnection: (connection) => {
      connections.push(connection);
      void serveHttp1(connection, async (request) => {
        const { method, target, headers } = request;
        const body = new TextDecoder().decode(await request.body.bytes(1 << 20));
        const one = { method, target, headers, body };
        asked.push(one);
        const scripted = await answer(one, request);
        if (scripted !== "cut") return scripted;
        connection.destroy();
        return { status: 500 };
      });
    },
  });
  try {
    const { port } = listener;
    const login = {
      host: "127.0.0.1",
      port,
      authId: "tester@pbs",
      password: "pässword",
      fingerprint: FINGERPRINT,
      authorities: [],
    };
    await use({ asked, connections, login });
  } finally {
    connections.forEach((connection) => connection.destroy());
    await listener.close();
  }
}
