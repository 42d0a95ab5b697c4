/**
 * Whether this process may call the C library.
 *
 * @module
 */

/** Whether FFI is allowed. Nobody is asked. */
export function mayUseFfi(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}
