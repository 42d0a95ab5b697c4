/**
 * Tickets: what a client has in place of a password for two hours, and the token that goes with
 * each change (CSRF).
 *
 *     PBS:<user>:<hex time>::<base64 signature>
 *     <hex time>:<base64 signature>
 *
 * The signature covers what is kept of the user's password: with a new password, or without the
 * user, his tickets are worth nothing.
 *
 * @module
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Errno, FormatError, OsError } from "#src/errors.ts";
import { readWholeFile, replaceFile, temporaryPathFor } from "#src/io/files/whole_file.ts";
import { SECRET_FILE_MODE, withServerFolder } from "./access_file.ts";
import { type AuthId, isUserId } from "./auth_id.ts";

/** How long a ticket is good. */
export const TICKET_SECONDS = 7200;

/** Clocks of a server that was set back. */
const AHEAD_SECONDS_MAX = 300;
const KEY_FILE_NAME = "ticket.key";
const KEY_SIZE = 64;
const TICKET = /^PBS:([^:]{3,100}):([0-9A-F]{8,9})::([A-Za-z0-9+/]{86})$/;
const CSRF_TOKEN = /^([0-9A-F]{8,9}):([A-Za-z0-9+/]{43})$/;

/** What is kept of a user's password; undefined when there is no such user. */
export type FindPassword = (user: AuthId) => string | undefined;

/** The key that signs tickets; made at the first start. @throws {FormatError | OsError} */
export function ticketKey(folder: string): Uint8Array {
  const path = `${folder}/${KEY_FILE_NAME}`;
  return withServerFolder(folder, () => {
    try {
      const key = readWholeFile(path, KEY_SIZE);
      if (key.length === KEY_SIZE) return key;
      throw new FormatError(`Cannot sign tickets: the key must have ${KEY_SIZE} bytes`, { path });
    } catch (error) {
      if (!(error instanceof OsError && error.errno === Errno.ENOENT)) throw error;
    }
    const key = new Uint8Array(randomBytes(KEY_SIZE));
    replaceFile(path, temporaryPathFor(path), key, {
      mode: SECRET_FILE_MODE,
      isModeExact: true,
      isDurable: true,
    });
    return key;
  });
}

/** Makes tickets and checks them. */
export class Tickets {
  readonly #key: Uint8Array;
  readonly #findPassword: FindPassword;
  readonly #now: () => number;

  /** @param now unix seconds */
  constructor(key: Uint8Array, findPassword: FindPassword, now: () => number) {
    this.#key = key;
    this.#findPassword = findPassword;
    this.#now = now;
  }

  /** A ticket and its token against CSRF, from now on. */
  issue(user: AuthId): { readonly ticket: string; readonly csrfToken: string } {
    const time = this.#now().toString(16).toUpperCase().padStart(8, "0");
    return {
      ticket: `PBS:${user}:${time}::${text64(this.#ticketSignature(user, time))}`,
      csrfToken: `${time}:${text64(this.#csrfSignature(user, time))}`,
    };
  }

  /** Whose ticket it is; undefined when it is none, too old, or its user's password has changed. */
  check(ticket: string): AuthId | undefined {
    const [, user, time, signature] = TICKET.exec(ticket) ?? [];
    if (user === undefined || !isUserId(user) || !this.#isTimely(time!)) return undefined;
    const isSigned = isEqual(signature!, this.#ticketSignature(user, time!));
    return isSigned && this.#findPassword(user) !== undefined ? user : undefined;
  }

  /** Whether a token against CSRF is that user's, and not too old. */
  checkCsrf(user: AuthId, token: string): boolean {
    const [, time, signature] = CSRF_TOKEN.exec(token) ?? [];
    return time !== undefined && this.#isTimely(time) &&
      isEqual(signature!, this.#csrfSignature(user, time));
  }

  #isTimely(time: string): boolean {
    const age = this.#now() - parseInt(time, 16);
    return age >= -AHEAD_SECONDS_MAX && age <= TICKET_SECONDS;
  }

  #ticketSignature(user: AuthId, time: string): Uint8Array {
    const password = this.#findPassword(user) ?? "";
    return sign("sha512", this.#key, ["ticket", user, time, password]);
  }

  #csrfSignature(user: AuthId, time: string): Uint8Array {
    return sign("sha256", this.#key, ["csrf", user, time]);
  }
}

/** The parts have no zero bytes. */
function sign(hash: string, key: Uint8Array, parts: readonly string[]): Uint8Array {
  return createHmac(hash, key).update(parts.join("\0")).digest();
}

/** As texts: several ones stand for the same bytes, of which one is good. */
function isEqual(text: string, expected: Uint8Array): boolean {
  const encoder = new TextEncoder();
  const bytes = encoder.encode(text);
  const wanted = encoder.encode(text64(expected));
  return bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
}

function text64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}
