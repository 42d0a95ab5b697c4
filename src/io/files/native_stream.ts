/**
 * Files read in order by system calls. Needs FFI.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import type { ClosableSource } from "../streams.ts";
import * as host from "#ffi/libc/calls.ts";

/** What is passed over in a stream that cannot seek is read in parts of this size. */
const DISCARD_SIZE = 1 << 17;

/** Opens a file, FIFO or device for reading in order. @throws {OsError} */
export function openNativeStream(path: string): ClosableSource {
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.NOCTTY;
  const fd = host.unwrap(host.open(path, flags), "open", path);
  const stat = new host.HostStat();
  const result = host.statFd(fd, stat);
  if (result < 0) {
    host.close(fd);
    host.unwrap(result, "stat", path);
  }
  return new NativeStreamSource(
    path,
    fd,
    entryType(stat.mode) === EntryType.FILE ? stat.size : undefined,
  );
}

class NativeStreamSource implements ClosableSource {
  readonly size: number | undefined;
  readonly #path: string;
  #fd: number;
  #position = 0;
  #discarded: Uint8Array | undefined;

  constructor(path: string, fd: number, size: number | undefined) {
    this.#path = path;
    this.#fd = fd;
    this.size = size;
  }

  read(target: Uint8Array): number {
    const { address } = host.nativeBufferOf(target as Uint8Array<ArrayBuffer>);
    let count: number;
    do count = host.read(this.#fd, address, BigInt(target.length)); while (
      count === -host.Errno.EINTR
    );
    this.#position += host.unwrap(count, "read", this.#path);
    return count;
  }

  skip(size: number): number {
    return this.size === undefined ? this.#discard(size) : this.#seek(size, this.size);
  }

  close(): void {
    if (this.#fd < 0) return;
    host.close(this.#fd);
    this.#fd = -1;
  }

  #seek(size: number, end: number): number {
    const count = Math.max(0, Math.min(size, end - this.#position));
    this.#position += count;
    host.unwrap(host.lseek(this.#fd, this.#position, host.Seek.SET), "seek", this.#path);
    return count;
  }

  #discard(size: number): number {
    this.#discarded ??= new Uint8Array(DISCARD_SIZE);
    let done = 0;
    while (done < size) {
      const count = this.read(this.#discarded.subarray(0, Math.min(DISCARD_SIZE, size - done)));
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}
