/**
 * The network thread's way to a server.
 *
 * @module
 */

import { NetworkLink } from "#src/pbs/client/network_link.ts";
import { createNetworkMailbox } from "#src/pbs/client/network_mailbox.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import { startThread } from "#src/threads/thread.ts";
import { spawnNetworkThread } from "../threads.ts";

/** Tells the network thread, of which there is one, who logs in where. It is to be stopped. */
export function linkServer(server: ServerLogin): NetworkLink {
  const mailbox = createNetworkMailbox();
  startThread(spawnNetworkThread(), { mailbox, server }, []);
  return new NetworkLink(mailbox);
}
