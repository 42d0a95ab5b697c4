/**
 * Who asks: a user `name@realm`, or one of his tokens `name@realm!token`.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** A user or a token of his. */
export type AuthId = string & { readonly brand: "AuthId" };

const USER = /^[^\s:/!@\p{Cc}][^\s:/!\p{Cc}]{0,60}@[A-Za-z0-9_][A-Za-z0-9._-]{0,31}$/u;
const TOKEN_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;

/** Whether a text is `name@realm`. */
export function isUserId(text: string): text is AuthId {
  return USER.test(text);
}

/** Whether a text is `name@realm!token`. */
export function isTokenId(text: string): text is AuthId {
  const end = text.indexOf("!");
  return end >= 0 && isUserId(text.slice(0, end)) && TOKEN_NAME.test(text.slice(end + 1));
}

/** The user of a token; of a user himself. */
export function userOf(authId: AuthId): AuthId {
  return authId.split("!", 1)[0] as AuthId;
}

/** Reads `name@realm`. @throws {UsageError} */
export function parseUserId(text: string): AuthId {
  if (isUserId(text)) return text;
  throw new UsageError(`Cannot use "${text}" as a user`, {
    hint: "A user is a name and a realm, such as backup@pbs",
  });
}

/** Reads `name@realm!token`. @throws {UsageError} */
export function parseTokenId(text: string): AuthId {
  if (isTokenId(text)) return text;
  throw new UsageError(`Cannot use "${text}" as an API token`, {
    hint: "A token is a user and a name, such as backup@pbs!nightly",
  });
}

/** Reads a user or a token. @throws {UsageError} */
export function parseAuthId(text: string): AuthId {
  return text.includes("!") ? parseTokenId(text) : parseUserId(text);
}
