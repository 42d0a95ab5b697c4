/**
 * What the background worker tells the process that started it: one JSON object a line, over the
 * worker's standard output.
 *
 *     {"type":"started","pid":N}       arguments, diff directory and chain are good; the mount is being made
 *     {"type":"mounted","pid":N}       the mount answers
 *     {"type":"failed","error":{…}}    there will be no mount
 *
 * @module
 */

import * as v from "valibot";
import { ProtocolError, toRecord, UsageError } from "#src/errors.ts";

/** The last argument of a process that is to be the background worker. */
export const HANDSHAKE_FLAG = "--handshake";

const ErrorSchema = v.object({
  code: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
  isUsage: v.boolean(),
  /** Whether the same mount may succeed later. */
  isTemporary: v.optional(v.boolean()),
  /** What else is known of the place, under the names of the error's properties. */
  details: v.optional(v.record(v.string(), v.union([v.string(), v.number()]))),
});

const MessageSchema = v.variant("type", [
  v.object({ type: v.literal("started"), pid: v.number() }),
  v.object({ type: v.literal("mounted"), pid: v.number() }),
  v.object({ type: v.literal("failed"), error: ErrorSchema }),
]);

/** One message. */
export type HandshakeMessage = v.InferOutput<typeof MessageSchema>;

/** An error on its way from the worker to the launcher. */
export type HandshakeError = v.InferOutput<typeof ErrorSchema>;

/** An error to be sent. */
export function handshakeError(error: unknown): HandshakeError {
  return { ...toRecord(error), isUsage: error instanceof UsageError };
}

/** The error that was sent. */
export function errorOfHandshake({ message, code, hint, ...error }: HandshakeError): Error {
  const failure = error.isUsage
    ? new UsageError(message, { code, hint })
    : new ProtocolError(message, { code, hint, isTemporary: error.isTemporary });
  return Object.assign(failure, error.details);
}

/** Formats a message as one line. */
export function formatHandshake(message: HandshakeMessage): string {
  return JSON.stringify(message) + "\n";
}

/** Parses one line. @returns undefined when it is not a message */
export function parseHandshake(line: string): HandshakeMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const result = v.safeParse(MessageSchema, value);
  return result.success ? result.output : undefined;
}
