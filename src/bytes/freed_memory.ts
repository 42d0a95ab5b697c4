/**
 * Memory that is given back before the garbage collector finds out.
 *
 * @module
 */

/**
 * Frees the memory of bytes that nobody reads any more. The collector counts memory outside of its
 * heap as part of it: bytes that pass by would have it collect for every few of their megabytes.
 * Does nothing where they are only a part of some memory.
 */
export function freeMemory({ buffer, byteLength }: Uint8Array<ArrayBuffer>): void {
  if (byteLength === buffer.byteLength) buffer.transfer(0);
}
