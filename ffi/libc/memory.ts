/**
 * Memory by address, what one thread allocated as another sees it; and the memory of this process
 * as the system counts it.
 *
 * @module
 */

import { libcWith } from "./library.ts";
import { type AllocatedBuffer, readSmallFile } from "./files.ts";
import { trimHeap } from "./process.ts";

const SYMBOLS = {
  // int mallopt(int param, int value)
  mallopt: { parameters: ["i32", "i32"], result: "i32" },
  // int madvise(void *addr, size_t length, int advice)
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

const MADV_DONTNEED = 4;

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
  libc().madvise(address, BigInt(sizeBytes), MADV_DONTNEED);
}

const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
const M_ARENA_MAX = -8;

/** A thread more or less does not matter: the hot paths of this program allocate nothing. */
const ARENA_COUNT_MAX = 2;
/** From this size on an allocation is a mapping of its own, which is gone when it is freed. */
const MAPPING_SIZE_MIN = 32 << 10;
const FREE_SIZE_MAX = 64 << 10;

/**
 * Has the C library give freed memory back: by itself each thread gets a heap of its own, and keeps
 * at its end what the start of the thread has once taken.
 */
export function keepHeapSmall(): void {
  const { mallopt } = libc();
  mallopt(M_ARENA_MAX, ARENA_COUNT_MAX);
  mallopt(M_MMAP_THRESHOLD, MAPPING_SIZE_MIN);
  mallopt(M_TRIM_THRESHOLD, FREE_SIZE_MAX);
}

const MAPS = "/proc/self/maps";
const MAPS_SIZE_MAX = 16 << 20;

/** A range of addresses. */
export interface AddressRange {
  readonly start: bigint;
  readonly sizeBytes: number;
}

/**
 * The mappings of a `/proc/PID/maps` whose pages are those of a file and can be looked up there
 * again at any time: code, and the constants at the start of an executable or library. Other
 * constants may have been changed by the loader.
 */
export function cleanFileMappings(maps: string): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const line of maps.split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (r-xp|r--p) ([0-9a-f]+) \S+ [1-9]\d* +\//.exec(line);
    if (match === null) continue;
    const [, start, end, permissions, offset] = match;
    if (permissions === "r--p" && Number(`0x${offset}`) !== 0) continue;
    const first = BigInt(`0x${start}`);
    ranges.push({ start: first, sizeBytes: Number(BigInt(`0x${end}`) - first) });
  }
  return ranges;
}

/**
 * Gives back what a process needed once and may never need again: free memory inside of the C
 * library's heap, and its hold on the pages of its own code. These stay in the kernel's page cache,
 * and come back one by one when they are run.
 */
export function releaseUnusedMemory(): void {
  trimHeap();
  const maps = readSmallFile(MAPS, MAPS_SIZE_MAX);
  if (typeof maps === "number") return;
  for (const { start, sizeBytes } of cleanFileMappings(new TextDecoder().decode(maps))) {
    discardMemory(start, sizeBytes);
  }
}
