/**
 * Refusals: what the server answers instead of what was asked for.
 *
 * @module
 */

import { Failure, ProtocolError } from "#src/errors.ts";
import type { HttpAnswer } from "#src/net/http.ts";

/** A request is refused with a status and a plain text, both as the reference's server gives. */
export class Refusal extends ProtocolError {
  /** The text is what the client gets. */
  constructor(readonly status: number, text: string) {
    super(text, { code: `http-${status}` });
  }
}

/** The answer to a request that failed: its text is for people who may not see this machine. */
export function answerFailure(error: unknown): HttpAnswer {
  // One of another thread has lost its class.
  const { status } = error as Partial<Refusal>;
  if (error instanceof ProtocolError && status !== undefined) {
    return plainText(status, error.message);
  }
  // What is none of ours is a bug, and its text may say anything.
  if (!(error instanceof Failure)) return plainText(500, "internal error");
  // The reference says 400 of what is locked, too.
  const isOverloaded = error instanceof ProtocolError && error.isTemporary;
  return plainText(isOverloaded ? 503 : 400, error.message);
}

/** An answer of one line. */
export function plainText(status: number, text: string): HttpAnswer {
  return {
    status,
    headers: { "content-type": "text/plain" },
    body: new TextEncoder().encode(text),
  };
}

/** `{"data":…}`. */
export function answerData(data: unknown): HttpAnswer {
  return {
    status: 200,
    headers: { "content-type": "application/json;charset=UTF-8" },
    body: new TextEncoder().encode(JSON.stringify({ data: data ?? null })),
  };
}
