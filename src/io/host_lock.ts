/**
 * Record locks on the host's files: what `host.ts` is for everything else.
 *
 * @module
 */

export * from "#ffi/libc_lock.ts";
