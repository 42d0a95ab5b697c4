/**
 * Files wherever they lie and whatever they are called: by the runtime's own calls, and where FFI is allowed by system calls
 * for what these do not reach. The runtime refuses most of `/dev`, `/proc` and `/sys` whatever it is permitted, and it cannot say
 * names that are not UTF-8. So the C library is loaded only where it is needed.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import type { ByteSource } from "./byte_source.ts";
import { mayUseFfi } from "./ffi_permission.ts";
import { openFsFileSource, translating } from "./fs_file_source.ts";
import { type ClosableSource, openFsStreamSource } from "./fs_stream_source.ts";
import * as host from "./host.ts";
import { openHostFileSource } from "./host_file_source.ts";
import { openHostStreamSource } from "./host_stream_source.ts";
import { statusOf } from "./store_access.ts";

const PART_SIZE = 1 << 16;

/** Opens a file for random access, also into buffers without an address. See {@link OpenSource}. */
export function openAnyFileSource(path: string): ByteSource {
  return reaching(path, openFsFileSource, openByHost);
}

/** Opens a file, FIFO or device for reading in order. @throws {OsError} */
export function openAnyStreamSource(path: string): ClosableSource {
  return reaching(path, openFsStreamSource, openHostStreamSource);
}

/** The whole content of a file or FIFO. @throws {OsError} */
export function readAnyFile(path: string): Uint8Array {
  return reaching(
    path,
    () => translating("read", path, () => Deno.readFileSync(path)),
    readByHost,
  );
}

/** Whether there is something that `path`, or the link there, leads to. @throws {OsError} when that cannot be found out */
export function isThere(path: string): boolean {
  return reaching(path, isThereForRuntime, (path) => statusOf(path) !== undefined);
}

/**
 * The path without symbolic links.
 *
 * @throws {OsError} when it leads to nothing, or to nothing that has a path
 */
export function pathWithoutLinks(path: string): string {
  return reaching(
    path,
    () => translating("open", path, () => Deno.realPathSync(path)),
    resolveByHost,
  );
}

/** Does something with a file by the runtime's calls, or by those of the host where these do not reach it. */
function reaching<Result>(
  path: string,
  byRuntime: (path: string) => Result,
  byHost: (path: string) => Result,
): Result {
  if (!path.isWellFormed() && mayUseFfi()) return byHost(path);
  try {
    return byRuntime(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable) || !mayUseFfi()) throw error;
    return byHost(path);
  }
}

function openByHost(path: string): ByteSource {
  const source = openHostFileSource(path);
  return {
    size: source.size,
    // Readers that need no FFI for files elsewhere have buffers whose address nobody has asked for.
    readAt(target, start, size, offset) {
      const addressed = target.address === 0n ? host.nativeBufferOf(target.bytes) : target;
      return source.readAt(addressed, start, size, offset);
    },
    close: () => source.close(),
  };
}

function isThereForRuntime(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function readByHost(path: string): Uint8Array {
  const source = openHostStreamSource(path);
  try {
    let bytes = new Uint8Array(PART_SIZE);
    let length = 0;
    while (true) {
      const count = source.read(bytes.subarray(length));
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length < bytes.length) continue;
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
  } finally {
    source.close();
  }
}

function resolveByHost(path: string): string {
  const fd = host.unwrap(host.open(path, host.OpenFlag.PATH), "open", path);
  const target = host.readlinkAt(host.At.FDCWD, `/proc/self/fd/${fd}`);
  host.close(fd);
  if (typeof target === "number") throw new host.OsError(-target, "resolve", path);
  const resolved = decodeFileName(target);
  // What a pipe has is no path.
  if (!resolved.startsWith("/")) throw new host.OsError(host.Errno.EINVAL, "resolve", path);
  return resolved;
}
