/**
 * Many small files of one directory of the host: what `host.ts` is for everything else.
 *
 * @module
 */

export * from "#ffi/libc_named.ts";
