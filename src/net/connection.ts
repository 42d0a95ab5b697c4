/**
 * An ordered stream of bytes in both directions: a TLS connection, or a pair in memory.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";

/** What an error says of a connection that is gone: another one may work. */
export const CONNECTION_LOST = { code: "connection", isTemporary: true } as const;

/** What a failure of a connection means. */
export function connectionLost(peer: string, cause: unknown): ProtocolError {
  const reason = cause instanceof Error ? `: ${cause.message}` : "";
  return new ProtocolError(`The connection to ${peer} failed${reason}`, {
    ...CONNECTION_LOST,
    cause,
  });
}

/** One end of a connection. All methods are for one caller at a time each. */
export interface Connection {
  /** What the other end is called in messages: `host:port`. */
  readonly peer: string;
  /**
   * The next bytes, one at least; undefined after an orderly end of the peer. Their memory is the
   * caller's, for as long as it likes; where it is theirs alone, the caller may free it.
   *
   * @throws {ProtocolError} when the connection broke, was closed here, or timed out
   */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Puts bytes back that were read too far: the next {@link read} gives them. */
  unread(bytes: Uint8Array<ArrayBuffer>): void;
  /**
   * Sends bytes in their order. They must not change until it resolves, which is when more may be
   * sent without piling up.
   *
   * @throws {ProtocolError} when the connection broke or was closed here
   */
  write(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<void>;
  /**
   * Ends this direction when all is sent, and the connection when the peer ends, too.
   *
   * @returns settled when the system has all, by those who know that
   */
  end(): void | Promise<void>;
  /** Ends everything at once. Pending calls throw. May be called twice. */
  destroy(): void;
  /** Resolves when the connection is gone, whatever ended it; never rejects. */
  readonly closed: Promise<void>;
}
