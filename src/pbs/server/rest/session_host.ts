/**
 * Sessions on connections that were turned into ones for backups or for reading.
 *
 * @module
 */

import type { Connection } from "#src/net/connection.ts";
import { Refusal } from "../refusal.ts";
import { serveSession } from "../serve_session.ts";
import type { HttpSession } from "../session.ts";

/** Kinds of sessions, by their paths. */
export type ServedProtocol = "backup" | "reader";

/** Sessions that are open. */
export class SessionHost {
  readonly #onError: (error: unknown) => void;
  readonly #open = new Map<
    Connection,
    { readonly kind: ServedProtocol; ended: Promise<unknown> }
  >();
  #isStopping = false;

  /** @param onError hears what a handler threw, which is a bug */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** How many are open. */
  count(kind: ServedProtocol): number {
    return [...this.#open.values()].filter((session) => session.kind === kind).length;
  }

  /** Takes no more. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Resolves when none is open any more. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) {
      await Promise.all([...this.#open.values()].map(({ ended }) => ended));
    }
  }

  /** Ends the connections of all: backups that are not finished are rolled back. */
  destroyAll(): void {
    for (const connection of this.#open.keys()) connection.destroy();
  }

  /** @throws {Refusal} 503 */
  requireOpen(): void {
    if (this.#isStopping) throw new Refusal(503, "server is shutting down");
  }

  /** Gives a connection to a session until either ends; resolves when all is given back. */
  async run(kind: ServedProtocol, connection: Connection, session: HttpSession): Promise<void> {
    const ended = serveSession(connection, session, { onError: this.#onError });
    this.#open.set(connection, { kind, ended });
    await ended;
    this.#open.delete(connection);
  }
}
