/**
 * A session on its connection.
 *
 * @module
 */

import type { Connection } from "#src/net/connection.ts";
import { type Http2ServerLimits, serveHttp2 } from "#src/net/http2/server.ts";
import type { HttpSession } from "./session.ts";

/**
 * What a client may send before it is read. The session reads only as many bodies at a time as it
 * has memory for: those that wait must never use up the window of the connection, or those that are
 * read would wait for them, and they for those.
 */
const LIMITS: Partial<Http2ServerLimits> = {
  streamWindowSize: 512 << 10,
  maxConcurrentStreams: 16,
  connectionWindowSize: 16 * (512 << 10),
};

/** How a session is served. */
export interface ServeSessionOptions {
  /** Aborted to end it when the requests under way are answered. */
  readonly signal?: AbortSignal;
  /** Hears what a handler threw, which is a bug. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Serves a session until its connection ends, and closes it then: what was not finished is gone
 * when this resolves. Never rejects.
 *
 * @returns whether the connection came to an orderly end
 */
export async function serveSession(
  connection: Connection,
  session: HttpSession,
  options: ServeSessionOptions = {},
): Promise<boolean> {
  // Not behind the handlers: they wait for what the session gives up.
  const closed = connection.closed.then(() => session.close());
  const failure = await serveHttp2(connection, session.handler, { ...options, limits: LIMITS });
  connection.destroy();
  await closed;
  return failure === undefined;
}
