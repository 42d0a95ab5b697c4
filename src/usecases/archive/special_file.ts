/**
 * Devices and FIFOs that something is written into. They are never replaced by files.
 *
 * @module
 */

import { LimitError, OsError } from "#src/errors.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { DescriptorSink } from "#src/io/files/native_sink.ts";
import type { FileSink } from "#src/io/streams.ts";
import * as host from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";

/** What is to be written, and whether it may be. */
export interface SpecialRequest {
  readonly path: string;
  /**
   * Length in bytes; undefined where it is not known, or the content is no image: then no block
   * device takes it.
   */
  readonly size: number | undefined;
  /** What a block device holds may be lost. */
  readonly isReplacing: boolean;
  /** Nothing is written. */
  readonly isDryRun: boolean;
}

/**
 * Opens the FIFO or device that `path`, or a link there, leads to. What is written reaches a block
 * device for good with `finish`.
 *
 * @returns undefined when there is something else, or nothing
 * @throws {OsError} EEXIST for a block device that may not be written onto, EBUSY for one in use
 * @throws {LimitError} when it is too small
 */
export function openSpecial(request: SpecialRequest): FileSink | undefined {
  if (!mayUseFfi) return undefined;
  const stat = new host.HostStat();
  const { path } = request;
  if (host.stat(path, stat) < 0) return undefined;
  const type = stat.mode & FileType.MASK;
  const isBlockDevice = type === FileType.BLOCK_DEVICE;
  if (!isBlockDevice && type !== FileType.CHARACTER_DEVICE && type !== FileType.FIFO) {
    return undefined;
  }
  if (isBlockDevice) checkBlockDevice(request);
  if (request.isDryRun) return { write() {}, finish() {}, abort() {} };
  // Of a block device O_EXCL means: not one that is mounted, or part of something else.
  const { WRONLY, EXCL, NOCTTY, CLOEXEC } = host.OpenFlag;
  const flags = WRONLY | NOCTTY | CLOEXEC | (isBlockDevice ? EXCL : 0);
  const fd = host.unwrap(host.open(path, flags), "open", path);
  let isOpen = true;
  const close = () => {
    if (isOpen) host.close(fd);
    isOpen = false;
  };
  const sink = new DescriptorSink(fd, path);
  return {
    write: (bytes) => sink.write(bytes),
    copyFrom: (fdIn, offset, size) => sink.copyFrom(fdIn, offset, size),
    finish() {
      const synced = isBlockDevice ? host.fsync(fd) : 0;
      close();
      host.unwrap(synced, "sync", path);
    },
    abort: close,
  };
}

function checkBlockDevice({ path, size, isReplacing }: SpecialRequest): void {
  if (size === undefined) {
    throw new OsError(host.Errno.EEXIST, "replace the block device", path, {
      hint: "Only images, whose size is known before, are written onto block devices",
    });
  }
  if (!isReplacing) {
    throw new OsError(host.Errno.EEXIST, "write onto the block device", path, {
      hint: "What it holds would be lost",
      option: "overwrite",
    });
  }
  const fd = host.unwrap(
    host.open(path, host.OpenFlag.RDONLY | host.OpenFlag.CLOEXEC),
    "open",
    path,
  );
  const capacity = host.lseek(fd, 0, host.Seek.END);
  host.close(fd);
  if (size <= host.unwrap(capacity, "seek in", path)) return;
  throw new LimitError(`Cannot write ${size} bytes onto "${path}": it has ${capacity}`);
}
