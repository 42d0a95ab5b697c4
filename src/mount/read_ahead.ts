/**
 * How far the kernel reads ahead in a mount.
 *
 * @module
 */

import { close, nativeBufferOf, open, OpenFlag, write } from "#ffi/libc/calls.ts";

/**
 * Bytes the kernel reads ahead of a sequential reader. Its default of 128 KiB leaves one worker
 * decoding while the others wait; with this two requests of the largest size are under way, one
 * that the reader waits for and the next.
 */
export const READ_AHEAD_BYTES = 1 << 20;

/**
 * Sets the read-ahead of the mount with device number `device` (`major:minor`).
 *
 * @returns whether it could be set; only root can, and without it a mount is only slower
 */
export function setReadAhead(device: string): boolean {
  const fd = open(`/sys/class/bdi/${device}/read_ahead_kb`, OpenFlag.WRONLY);
  if (fd < 0) return false;
  const text = nativeBufferOf(new TextEncoder().encode(String(READ_AHEAD_BYTES >> 10)));
  const written = write(fd, text.address, BigInt(text.bytes.length));
  close(fd);
  return written === text.bytes.length;
}
