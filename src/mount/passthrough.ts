/**
 * Whether, and how, the kernel can read and write files of a mount by itself (FUSE passthrough).
 *
 * File systems stand on each other, and the kernel allows two floors. A mount that may pass through
 * to a stacked file system (any path of a container outside its volumes lies on overlayfs) counts
 * as the second one: no overlayfs can be put on top of it. So a mount takes the lower floor where
 * that is enough.
 *
 * @module
 */

import { close, open, OpenFlag } from "#ffi/libc/calls.ts";
import { getFileSystemMagic } from "#ffi/libc/metadata.ts";
import { closeBacking, openBacking } from "#ffi/libfuse3/device.ts";
import { describeErrno, Errno, OsError } from "#ffi/os_error.ts";

/** `f_type` of file systems that stand on others. */
const STACKED_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x794c_7630, // overlayfs
  0xf15f, // eCryptfs
]);

/** Whether passthrough is in use for a mount, and if not, why. */
export interface PassthroughState {
  /** Whether files that allow it are opened in passthrough. */
  readonly isOn: boolean;
  /**
   * Floors that backing files may stand on: 2 for those on a stacked file system. 0 when the kernel
   * has no passthrough.
   */
  readonly stackDepth: number;
  /** Why it is off, as a name of an errno; undefined when it is on. */
  readonly refusal?: string;
}

/**
 * The stack depth to agree on for backing files on the file systems of `paths`.
 *
 * @throws {OsError} when a path cannot be opened
 */
export function stackDepthFor(paths: readonly string[]): number {
  return Math.max(...paths.map((path) => withFile(path, floorsAbove)));
}

function floorsAbove(fd: number): number {
  return STACKED_FILE_SYSTEMS.has(getFileSystemMagic(fd)) ? 2 : 1;
}

/**
 * Asks the kernel whether it takes the files at `paths` as backing files: that needs root, and a
 * file system that does not stand higher than agreed on.
 *
 * @param stackDepth as agreed on; 0 when the kernel has no passthrough
 * @throws {OsError} when a path cannot be opened
 */
export function probePassthrough(
  deviceFd: number,
  paths: readonly string[],
  stackDepth: number,
): PassthroughState {
  if (stackDepth === 0) return { isOn: false, stackDepth, refusal: describeErrno(Errno.ENOSYS) };
  for (const path of paths) {
    const id = withFile(path, (fd) => openBacking(deviceFd, fd));
    if (id <= 0) return { isOn: false, stackDepth, refusal: describeErrno(-id) };
    closeBacking(deviceFd, id);
  }
  return { isOn: true, stackDepth };
}

function withFile<Result>(path: string, use: (fd: number) => Result): Result {
  const fd = open(path, OpenFlag.RDONLY);
  if (fd < 0) throw new OsError(-fd, "open", path);
  try {
    return use(fd);
  } finally {
    close(fd);
  }
}
