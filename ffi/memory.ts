/**
 * Memory by address: what one thread allocated, seen from another.
 *
 * @module
 */

import type { AllocatedBuffer } from "./libc.ts";

const SYMBOLS = {
  // int madvise(void *addr, size_t length, int advice)
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const MADV_DONTNEED = 4;

let library: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | undefined;

/**
 * Bytes that another thread owns and keeps as long as they are used here. What both threads may do
 * with them at a time is agreed upon elsewhere.
 */
export function bufferAt(address: bigint, sizeBytes: number): AllocatedBuffer {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new TypeError("There are no bytes at address 0");
  const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, sizeBytes));
  return { bytes, address };
}

/**
 * Gives whole pages of anonymous memory back to the system: they are zeros afterwards, and take no
 * memory until they are written again. It is no harm if that fails.
 */
export function discardMemory(address: bigint, sizeBytes: number): void {
  library ??= Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  library.madvise(address, BigInt(sizeBytes), MADV_DONTNEED);
}
