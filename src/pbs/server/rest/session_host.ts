/**
 * Sessions on connections that were turned into ones for backups or for reading.
 *
 * @module
 */

import type { Connection } from "#src/net/connection.ts";
import type { HttpHandler } from "#src/net/http.ts";
import { Refusal } from "../refusal.ts";
import type { HttpSession } from "../session.ts";

/** Speaks HTTP/2 on a connection until it ends; never rejects. */
export type ServeSession = (connection: Connection, handler: HttpHandler) => Promise<void>;

/** Kinds of sessions, by their paths. */
export type ServedProtocol = "backup" | "reader";

/** Sessions that are open. */
export class SessionHost {
  readonly #serve: ServeSession;
  readonly #open = new Map<Connection, { readonly kind: ServedProtocol; ended: Promise<void> }>();
  #isStopping = false;

  constructor(serve: ServeSession) {
    this.#serve = serve;
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
  run(kind: ServedProtocol, connection: Connection, session: HttpSession): Promise<void> {
    const ended = this.#run(connection, session).finally(() => this.#open.delete(connection));
    this.#open.set(connection, { kind, ended });
    return ended;
  }

  async #run(connection: Connection, session: HttpSession): Promise<void> {
    try {
      await this.#serve(connection, session.handler);
    } finally {
      connection.destroy();
      await session.close();
    }
  }
}
