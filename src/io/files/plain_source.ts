/**
 * Files read by the runtime's own calls, for runs without FFI.
 *
 * @module
 */

import { closeSync, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { Errno, OsError } from "#src/errors.ts";
import { type ByteSource, checkRead } from "../byte_source.ts";
import { callRuntime } from "./runtime_call.ts";

class PlainFileSource implements ByteSource {
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
    if (this.#fd < 0) throw new OsError(Errno.EBADF, "read", this.#path);
    let done = 0;
    while (done < size) {
      const count = callRuntime("read", this.#path, () => {
        return readSync(this.#fd, target.bytes, start + done, size - done, offset + done);
      });
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Opens a file without FFI. See {@link OpenSource}. */
export function openPlainSource(path: string): ByteSource {
  const stat = callRuntime("open", path, () => lstatSync(path));
  if (stat.isSymbolicLink()) throw new OsError(Errno.ELOOP, "open", path);
  if (!stat.isFile()) throw new OsError(Errno.EINVAL, "open (not a regular file)", path);
  const fd = callRuntime("open", path, () => openSync(path, "r"));
  return new PlainFileSource(path, fd, stat.size);
}

/** Standard input where it is a regular file, from its beginning on; closing it does nothing. */
export function standardInputFile(): ByteSource | undefined {
  const path = "standard input";
  const stat = callRuntime("stat", path, () => fstatSync(0));
  if (!stat.isFile()) return undefined;
  const source = new PlainFileSource(path, 0, stat.size);
  return {
    size: source.size,
    readAt: (target, start, size, offset) => source.readAt(target, start, size, offset),
    close: () => {},
  };
}
