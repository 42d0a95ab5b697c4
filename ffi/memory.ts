/**
 * Memory by address: what one thread allocated, seen from another.
 *
 * @module
 */

import type { AllocatedBuffer } from "./libc.ts";

/**
 * Bytes that another thread owns and keeps as long as they are used here. What both threads may do with them at a time is
 * agreed upon elsewhere.
 */
export function bufferAt(address: bigint, sizeBytes: number): AllocatedBuffer {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new TypeError("There are no bytes at address 0");
  const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, sizeBytes));
  return { bytes, address };
}
