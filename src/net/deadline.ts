/**
 * Bounds for what one waits for of a peer: a connection whose peer is late is ended.
 *
 * @module
 */

import { ProtocolError, StateError } from "#src/errors.ts";
import type { Connection } from "./connection.ts";

/**
 * Does something with a connection within a time; else the connection is destroyed, which ends what
 * waits for it.
 *
 * @param what completes "PEER …", such as "has sent no answer"
 * @throws {ProtocolError} `timeout`, temporary
 * @throws {StateError} `interrupted` when the signal came first
 */
export async function within<Result>(
  connection: Connection,
  timeoutMs: number,
  what: string,
  work: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  let early: Error | undefined;
  const end = (error: Error) => {
    early ??= error;
    connection.destroy();
  };
  const timer = setTimeout(() => {
    const message = `${connection.peer} ${what} for ${timeoutMs / 1000} seconds`;
    end(new ProtocolError(message, { code: "timeout", isTemporary: true }));
  }, timeoutMs);
  const abort = () =>
    end(new StateError("interrupted", `The request to ${connection.peer} was interrupted`));
  signal?.addEventListener("abort", abort);
  try {
    if (signal?.aborted === true) abort();
    return await work();
  } catch (error) {
    throw early ?? error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
