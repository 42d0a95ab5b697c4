/**
 * What sessions and calls need of a server: whoever logs in and connects implements it.
 *
 * @module
 */

import type { HttpClient } from "#src/net/http.ts";
import type { Ticket } from "../server_login.ts";

/** Values of a call, by their names in the protocol. */
export type CallParameters = Readonly<Record<string, string | number | boolean | undefined>>;

/** The two protocols that a connection can be turned over to. */
export type SessionKind = "backup" | "reader";

/** A server, logged in to. */
export interface ServerPort {
  /** What messages call it, such as `tester@pbs@127.0.0.1:8007`. */
  readonly name: string;
  /** What the user may log in with next time; undefined of an API token. */
  readonly ticket?: Ticket | undefined;
  /**
   * Makes one call of the REST interface.
   *
   * @param path such as `admin/datastore/main/groups`
   * @returns `data` of the answer
   * @throws {ProtocolError | AuthError | StateError}
   */
  call(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    parameters: CallParameters,
    options: RestOptions,
  ): Promise<unknown>;
  /**
   * Makes a connection of its own and turns it over to a protocol.
   *
   * @throws {ProtocolError | AuthError | StateError}
   */
  upgrade(kind: SessionKind, parameters: CallParameters, signal: AbortSignal): Promise<HttpClient>;
  /** Ends all connections but those that were turned over. */
  close(): void;
}

/** How a call is made. */
export interface RestOptions {
  readonly signal: AbortSignal;
  /** Sent as it is, with the parameters in the query. */
  readonly body?: Uint8Array<ArrayBuffer>;
}
