/**
 * What the network thread of the program does: it logs in to a server and answers for it.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import { connectServer } from "../api.ts";
import type { ServerLogin } from "../server_login.ts";
import { type NetworkStart, serveNetwork } from "./serve.ts";

/** The life of the thread. */
export function serveServer(start: NetworkStart<ServerLogin>): Promise<void> {
  return serveNetwork(start, (login) =>
    connectServer(login, () => {
      throw new ProtocolError("Sessions of backups are not supported yet", { code: "unsupported" });
    }));
}
