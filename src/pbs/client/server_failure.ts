/**
 * What a server's refusal means: it says so in a status and in words.
 *
 * @module
 */

import { AuthError, type Failure, ProtocolError, type StateCode, StateError } from "#src/errors.ts";

/** Words of servers 3.x and 4.x, and the condition they are about. */
const CONDITIONS: readonly (readonly [RegExp, StateCode])[] = [
  [
    /another backup is already running|unable to acquire lock|locked by another|currently in use/i,
    "locked",
  ],
  [/backup owner check failed/i, "foreign-owner"],
  [/protected snapshot/i, "protected"],
  [/timestamp is older than last backup|already (?:exists|contains)/i, "exists"],
  [/maintenance mode/i, "maintenance"],
  [/not empty|still contains/i, "busy"],
  [
    /does not exist|no such (?:datastore|chunk|group|snapshot|file)|not found|No such file/i,
    "not-found",
  ],
];

/** Statuses of servers, and of proxies before them, that pass. */
const TEMPORARY_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const WORDS_MAX = 1000;

/** The error for an answer that is not the one that was asked for. */
export function serverFailure(status: number, text: string, peer: string): Failure {
  // Words of a stranger, on a terminal perhaps.
  const words = text.slice(0, WORDS_MAX).replace(/\p{C}+/gu, " ").trim();
  const message = `${peer}: ${words === "" ? `status ${status}` : words}`;
  if (status === 401 && !words.includes("not allowed")) return new AuthError(message);
  if (status === 403) return new AuthError(message, { code: "permission" });
  const known = status >= 400 && status < 500
    ? CONDITIONS.find(([pattern]) => pattern.test(words))
    : undefined;
  if (known !== undefined) return new StateError(known[1], message);
  return new ProtocolError(message, {
    code: `status-${status}`,
    isTemporary: TEMPORARY_STATUSES.has(status),
  });
}

/** Whether a server has said no: to ask again is of no use. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ProtocolError && error.code.startsWith("status-") &&
      !error.isTemporary || error instanceof AuthError || error instanceof StateError;
}
