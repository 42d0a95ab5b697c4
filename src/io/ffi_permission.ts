/**
 * Whether this process may call the C library.
 *
 * @module
 */

/** Whether FFI is allowed, asked once at the start. */
export const mayUseFfi: boolean = Deno.permissions.querySync({ name: "ffi" }).state === "granted";
