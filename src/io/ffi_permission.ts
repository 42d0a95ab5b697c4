/**
 * Whether this process may call the C library. What exists with and without it is chosen by this in
 * one place each; what does not exist without it asks {@link requireFfi}.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** Whether FFI is allowed, asked once at the start. */
export const mayUseFfi: boolean = Deno.permissions.querySync({ name: "ffi" }).state === "granted";

/**
 * To be called before what cannot be done otherwise.
 *
 * @param job what is to be done: `verify a datastore`
 * @throws {UsageError} when FFI is not allowed
 */
export function requireFfi(job: string, option?: string): void {
  if (!mayUseFfi) throw new UsageError(`Cannot ${job} without --allow-ffi`, { option });
}
