/**
 * Descriptors by their numbers.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";
import {
  allocateNativeBuffer,
  Errno,
  OsError,
  read,
  readSmallFile,
  unwrap,
} from "#ffi/libc/calls.ts";

const PART_SIZE = 4096;
const O_CLOEXEC = 0o2000000;

/**
 * Checks that the program was started with a descriptor. The runtime has others, and stops working
 * when somebody reads from these; they are marked to be closed by exec(2).
 *
 * @throws {OsError} EBADF
 */
export function requireInherited(fd: number): void {
  const info = readSmallFile(`/proc/self/fdinfo/${fd}`);
  const text = typeof info === "number" ? "" : new TextDecoder().decode(info);
  const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1];
  if (flags !== undefined && (parseInt(flags, 8) & O_CLOEXEC) === 0) return;
  throw new OsError(Errno.EBADF, "read", `descriptor ${fd}`);
}

/**
 * Everything that can be read from an open descriptor, which stays open.
 *
 * @throws {OsError} when it cannot be read, EBADF when it is not open
 * @throws {LimitError} when it gives more than `sizeMax` bytes
 */
export function readDescriptorFully(fd: number, sizeMax: number): Uint8Array<ArrayBuffer> {
  const part = allocateNativeBuffer(PART_SIZE);
  const bytes: number[] = [];
  while (true) {
    const count = unwrap(read(fd, part.address, BigInt(PART_SIZE)), "read", `descriptor ${fd}`);
    if (count === 0) return Uint8Array.from(bytes);
    if (bytes.length + count > sizeMax) {
      throw new LimitError(`Cannot read descriptor ${fd}: more than ${sizeMax} bytes`);
    }
    bytes.push(...part.bytes.subarray(0, count));
  }
}
