/**
 * Error codes of HTTP/2 (RFC 9113, section 7), and the errors that carry them.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";

/** Codes of RST_STREAM and GOAWAY by name. */
export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

/** One of the names, which is also the `code` of the error. */
export type ErrorName = keyof typeof ErrorCode;

const NAMES = Object.keys(ErrorCode) as ErrorName[];

/** With these the peer did not do, or no longer does, what was asked; a later try may succeed. */
const TEMPORARY: ReadonlySet<ErrorName> = new Set([
  "NO_ERROR",
  "REFUSED_STREAM",
  "INTERNAL_ERROR",
  "ENHANCE_YOUR_CALM",
]);

/** The name of a code that came in. Unknown ones are as INTERNAL_ERROR (section 7). */
export function errorName(code: number): ErrorName {
  return NAMES[code] ?? "INTERNAL_ERROR";
}

/** The peer broke a rule that concerns all its streams: the connection has to end. */
export function violation(name: ErrorName, message: string): ProtocolError {
  return new ProtocolError(`HTTP/2: ${message}`, { code: name });
}

/** What a stream failed with that the peer reset. */
export function resetByPeer(code: number): ProtocolError {
  const name = errorName(code);
  return new ProtocolError(`HTTP/2: the peer reset the stream with ${name}`, {
    code: name,
    isTemporary: TEMPORARY.has(name),
  });
}

/** What streams fail with that the peer will not answer after its GOAWAY. */
export function goneAway(code: number, debugText: string): ProtocolError {
  const name = errorName(code);
  const detail = debugText === "" ? "" : `: ${debugText}`;
  return new ProtocolError(`HTTP/2: the peer ends the connection with ${name}${detail}`, {
    code: name,
    isTemporary: TEMPORARY.has(name),
  });
}

/** The code to send for an error: the one it has a name of, else that nobody waits any more. */
export function codeOf(error: unknown): number {
  const name = error instanceof ProtocolError ? error.code : "";
  return ErrorCode[name as ErrorName] ?? ErrorCode.CANCEL;
}
