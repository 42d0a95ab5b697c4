/**
 * Attributes and copies of the host's files that few callers need; see `host.ts`.
 *
 * @module
 */

export * from "#ffi/libc_metadata.ts";
