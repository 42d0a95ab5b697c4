/**
 * An exception on its way from one thread to another: its class, and what scripts and people read
 * of it.
 *
 * @module
 */

import * as errors from "#src/errors.ts";

/** Classes that come out as what they went in. */
const CLASSES: Readonly<Record<string, { readonly prototype: Error }>> = {
  UsageError: errors.UsageError,
  FormatError: errors.FormatError,
  IntegrityError: errors.IntegrityError,
  LimitError: errors.LimitError,
  AuthError: errors.AuthError,
  ProtocolError: errors.ProtocolError,
  StateError: errors.StateError,
  OsError: errors.OsError,
};

/** `error` as text, for {@link parseFailure}. */
export function formatFailure(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify({ message: String(error) });
  const { name, message, stack } = error;
  // What can be enumerated is what the classes of src/errors.ts add.
  return JSON.stringify({ ...error, name, message, stack });
}

/** The exception that {@link formatFailure} was given, with the same class, message and details. */
export function parseFailure(text: string): Error {
  const { name, message, stack, ...details } = JSON.parse(text) as {
    readonly name?: string;
    readonly message: string;
    readonly stack?: string;
  };
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  const errorClass = name === undefined ? undefined : CLASSES[name];
  if (errorClass !== undefined) {
    Object.setPrototypeOf(error, errorClass.prototype);
    // A field of these classes, not a property of their prototypes.
    Object.assign(error, { name });
  }
  return Object.assign(error, details);
}
