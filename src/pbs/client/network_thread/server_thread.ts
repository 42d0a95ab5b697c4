/**
 * What the network thread of the program does: it logs in to a server and answers for it.
 *
 * @module
 */

import { Http2Client } from "#src/net/http2/client.ts";
import { connectServer } from "../api.ts";
import type { ServerLogin } from "../server_login.ts";
import { type NetworkStart, serveNetwork } from "./serve.ts";

/** The life of the thread. */
export function serveServer(start: NetworkStart<ServerLogin>): Promise<void> {
  return serveNetwork(
    start,
    (login) => connectServer(login, (connection) => new Http2Client(connection)),
  );
}
