/**
 * The host's files, for restoring them: what `host.ts` is for everything else.
 *
 * @module
 */

export * from "#ffi/libc_extract.ts";
