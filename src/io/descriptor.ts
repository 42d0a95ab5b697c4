/**
 * Descriptors that the program was started with.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";
import { allocateNativeBuffer, read, unwrap } from "./host.ts";

const PART_SIZE = 4096;

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
