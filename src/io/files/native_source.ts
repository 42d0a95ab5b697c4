/**
 * Files read by pread(2) straight to the target's address. Needs FFI.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { UsageError } from "#src/errors.ts";
import { type ByteSource, checkRead } from "../byte_source.ts";
import * as host from "#ffi/libc/calls.ts";
import { adviseWanted } from "#ffi/libc/named.ts";

const stat = new host.HostStat();

class NativeFileSource implements ByteSource {
  readonly size: number;
  readonly #path: string;
  #fd: number;

  constructor(path: string, fd: number, size: number) {
    this.#path = path;
    this.#fd = fd;
    this.size = size;
  }

  readAt(target: NativeBuffer, start: number, size: number, offset: number): number {
    checkRead(target, start, size, offset);
    if (target.address === 0n && size > 0) {
      throw new UsageError("Cannot read a file by FFI to a buffer without an address", {
        hint: "`allocateNativeBuffer` makes buffers with one, `openPlainSource` needs none.",
      });
    }
    const count = host.preadFully(this.#fd, target.address + BigInt(start), size, offset);
    return host.unwrap(count, "read", this.#path);
  }

  willRead(offset: number, size: number): void {
    adviseWanted(this.#fd, offset, size);
  }

  close(): void {
    if (this.#fd < 0) return;
    host.close(this.#fd);
    this.#fd = -1;
  }
}

/**
 * Opens a file for reading by pread(2). Targets must have an address, as those of
 * {@link allocateNativeBuffer}: who reads by such a source must be given that function too where
 * there is a place for it. See {@link OpenSource}.
 */
export function openNativeSource(path: string): ByteSource {
  // O_NONBLOCK: opening a FIFO must not wait for its other end; it has no effect on regular files.
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW | host.OpenFlag.NONBLOCK |
    host.OpenFlag.NOCTTY;
  const fd = host.unwrap(host.open(path, flags), "open", path);
  const result = host.statFd(fd, stat);
  if (result < 0 || entryType(stat.mode) !== EntryType.FILE) {
    host.close(fd);
    host.unwrap(result, "stat", path);
    throw new host.OsError(host.Errno.EINVAL, "open (not a regular file)", path);
  }
  return new NativeFileSource(path, fd, stat.size);
}

/**
 * As {@link openNativeSource}, of a file that is open. Closing the source closes it.
 *
 * @param path for messages
 */
export function nativeSourceOf(fd: number, sizeBytes: number, path: string): ByteSource {
  return new NativeFileSource(path, fd, sizeBytes);
}
