/**
 * libc: where the bytes of a file lie on its disk, and files that share them.
 *
 * Conventions as in `calls.ts`: a value or a negative errno. The numbers are the same on x86-64 and
 * arm64.
 *
 * @module
 */

import { Errno } from "../os_error.ts";
import { ioctl } from "./files.ts";

/** _IOWR('f', 11, struct fiemap) */
const FS_IOC_FIEMAP = 0xc020_660bn;
const FIEMAP_FLAG_SYNC = 1;
const FIEMAP_HEADER_SIZE = 32;
const FIEMAP_EXTENT_SIZE = 56;

/** Bytes of a file that lie together on its disk. */
export interface Extent {
  /** Offset in the file. */
  readonly logical: number;
  /** Offset on the disk. */
  readonly physical: number;
  readonly length: number;
}

/**
 * The runs of an open file on its disk (FS_IOC_FIEMAP), once its bytes have a place there.
 *
 * @param countMax most runs that are told
 * @returns a negative errno: -EOPNOTSUPP where the file system cannot tell, -E2BIG when there are
 *   more
 */
export function mapExtents(fd: number, countMax: number): Extent[] | number {
  const count = ask(fd, new Uint8Array(FIEMAP_HEADER_SIZE), 0);
  if (count < 0) return count;
  if (count > countMax) return -Errno.E2BIG;
  const bytes = new Uint8Array(FIEMAP_HEADER_SIZE + count * FIEMAP_EXTENT_SIZE);
  const told = ask(fd, bytes, count);
  if (told < 0) return told;
  const view = new DataView(bytes.buffer);
  return Array.from({ length: told }, (_, index) => {
    // struct fiemap_extent: u64 logical, u64 physical, u64 length, …
    const offset = FIEMAP_HEADER_SIZE + index * FIEMAP_EXTENT_SIZE;
    const [logical, physical, length] = [0, 8, 16]
      .map((field) => Number(view.getBigUint64(offset + field, true)));
    return { logical: logical!, physical: physical!, length: length! };
  });
}

/** @returns how many runs there are, as far as there is room for them, or a negative errno */
function ask(fd: number, bytes: Uint8Array<ArrayBuffer>, room: number): number {
  const view = new DataView(bytes.buffer);
  // struct fiemap: u64 start, u64 length, u32 flags, u32 mapped, u32 count, u32 reserved.
  view.setBigUint64(8, 2n ** 64n - 1n, true);
  view.setUint32(16, FIEMAP_FLAG_SYNC, true);
  view.setUint32(24, room, true);
  const result = ioctl(fd, FS_IOC_FIEMAP, bytes);
  return result < 0 ? result : view.getUint32(20, true);
}

/** _IOW(0x94, 13, struct file_clone_range) */
const FICLONERANGE = 0x4020_940dn;

/**
 * Makes the start of a file share the disk's blocks with another one from `offset` to its end
 * (FICLONERANGE); later changes of either show in that one only.
 *
 * @param offset a multiple of the file system's block size
 * @returns 0; -EOPNOTSUPP, -ENOTTY or -EXDEV where blocks cannot be shared
 */
export function cloneFrom(fd: number, source: number, offset: number): number {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(source), true);
  view.setBigUint64(8, BigInt(offset), true);
  return ioctl(fd, FICLONERANGE, bytes);
}
