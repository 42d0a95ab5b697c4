/**
 * Who logs in to which server, and how requests prove it.
 *
 * @module
 */

import * as v from "valibot";
import { ProtocolError } from "#src/errors.ts";
import type { HttpHeaders } from "#src/net/http.ts";
import type { Rate } from "#src/net/rate_limit.ts";
import type { Proxy } from "#src/net/tls/proxy.ts";

/** Plain values: they are sent to the thread that connects. */
export interface ServerLogin {
  /** Name or address, without brackets. */
  readonly host: string;
  /** Usually 8007. */
  readonly port: number;
  /** `user@realm`, or `user@realm!token`. */
  readonly authId: string;
  /** Of the user, or of the token. A ticket that is still good will do as the user's. */
  readonly password: string;
  /** Of the server's certificate, where it is known. */
  readonly fingerprint?: string | undefined;
  /** Whose word on certificates counts, too (PEM). */
  readonly authorities: readonly string[];
  /** On the way to the server. Default: none. */
  readonly proxy?: Proxy | undefined;
  /** For each direction, of all connections together. */
  readonly rate?: Rate | undefined;
}

/** What a server gives for a password. */
export interface Ticket {
  readonly ticket: string;
  /** Goes with every change, so that no other page can make it (CSRF). */
  readonly csrfToken: string;
}

const TICKET_SIZE_MAX = 8_192;
/** What fits into a field of a head, and cannot end it. */
const FIELD = v.pipe(v.string(), v.maxLength(TICKET_SIZE_MAX), v.regex(/^[\x20-\x7e]+$/u));
const TICKET_ANSWER = v.object({
  ticket: FIELD,
  CSRFPreventionToken: FIELD,
});

/** Whether it is an API token that logs in, not a user. */
export function isTokenLogin({ authId }: Pick<ServerLogin, "authId">): boolean {
  return authId.includes("!");
}

/** Reads the answer to a login. @throws {ProtocolError} */
export function parseTicket(data: unknown, server: string): Ticket {
  const result = v.safeParse(TICKET_ANSWER, data);
  if (!result.success) {
    // As the server of a user with a second factor answers, for example.
    throw new ProtocolError(`Cannot understand ${server}: its answer to the login has no ticket`);
  }
  const { ticket, CSRFPreventionToken } = result.output;
  return { ticket, csrfToken: CSRFPreventionToken };
}

/** Fields of a request that somebody with a ticket makes. */
export function ticketHeaders({ ticket, csrfToken }: Ticket): HttpHeaders {
  return {
    cookie: `PBSAuthCookie=${encodeCredential(ticket)}`,
    csrfpreventiontoken: csrfToken,
  };
}

/** Fields of a request of an API token. */
export function tokenHeaders(authId: string, secret: string): HttpHeaders {
  return { authorization: `PBSAPIToken=${authId}:${encodeCredential(secret)}` };
}

/** What servers decode; a percent sign is no exception, since it would be decoded as well. */
const ENCODED = /[\0-\x20\x7f-\u{10ffff}"#%<>?`{}]/gu;

/** A ticket or secret as cookies and fields have it. */
export function encodeCredential(text: string): string {
  return text.replace(ENCODED, (character) => {
    const bytes = new TextEncoder().encode(character);
    return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
      .join("");
  });
}
