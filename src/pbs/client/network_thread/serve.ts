/**
 * The thread that has the connections: the only one with an event loop on sockets. Nothing here
 * blocks; hashing and compression are the work of those who ask.
 *
 * @module
 */

import { answerMail } from "#src/threads/mailbox/answering.ts";
import type { LoginChanges } from "../calls.ts";
import { NetworkCalls } from "./network_calls.ts";
import type { ServerPort } from "./server_port.ts";

/** Sent to the thread once. */
export interface NetworkStart<Server> {
  readonly mailbox: SharedArrayBuffer;
  /** Which server, and who logs in. */
  readonly server: Server;
}

/** The life of the thread: it ends when the mailbox is stopped. */
export async function serveNetwork<Server>(
  { mailbox, server }: NetworkStart<Server>,
  connect: (server: Server & LoginChanges) => Promise<ServerPort>,
): Promise<void> {
  const calls = new NetworkCalls((changes) => connect({ ...server, ...changes }), () => {});
  try {
    await answerMail(mailbox, (mail) => calls.handle(mail));
  } finally {
    await calls.close();
  }
}
