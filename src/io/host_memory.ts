/**
 * Memory by address, for code above the formats.
 *
 * @module
 */

export * from "#ffi/memory.ts";
