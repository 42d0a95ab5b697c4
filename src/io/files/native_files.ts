/**
 * Files by system calls. What programs do first (looking at a path, opening an archive) is asked of
 * the runtime where it reaches the file: to load the C library's functions takes 5 ms, and many
 * commands need them for nothing else. Needs FFI.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import type { ByteSource } from "../byte_source.ts";
import * as host from "#ffi/libc/calls.ts";
import { openNativeSource } from "./native_source.ts";
import { listOpenDirectory } from "./open_directory.ts";
import { NativeFileSink, openNativeOutput } from "./native_sink.ts";
import { readToEnd } from "../streams.ts";
import { openNativeStream } from "./native_stream.ts";
import { type FileKind, type Files, type FileStatus, NOTHING_THERE } from "./file_access.ts";
import { plainFiles } from "./plain_files.ts";
import { readWholeFile, withDirectory } from "./whole_file.ts";

const KIND_BY_TYPE: Readonly<Record<number, FileKind>> = {
  [EntryType.DIRECTORY]: "directory",
  [EntryType.FILE]: "file",
  [EntryType.SYMLINK]: "symlink",
};

/** See the module. */
export const nativeFiles: Files = {
  status(path, followsLink = true) {
    return reaching(
      path,
      () => plainFiles.status(path, followsLink),
      () => statusOf(path, followsLink),
    );
  },
  entries(path) {
    return withDirectory(path, (fd) => listOpenDirectory(fd, path), "list").map((entry) => ({
      name: entry.name,
      kind: entry.type === EntryType.UNKNOWN
        ? statusOf(`${path}/${entry.name}`, false)?.kind ?? "other"
        : KIND_BY_TYPE[entry.type] ?? "other",
    }));
  },
  read: readWholeFile,
  readAll(path, sizeMax = Infinity) {
    return readToEnd(this.openStream(path), path, sizeMax);
  },
  realPath: (path) => reaching(path, plainFiles.realPath, resolve),
  openSource: (path) => reaching(path, plainFiles.openSource, openSource),
  openFast: openNativeSource,
  openStream: (path) => reaching(path, plainFiles.openStream, openNativeStream),
  create: NativeFileSink.create,
  standardOutput: openNativeOutput,
  space(path) {
    const found = withDirectory(path, host.statvfs);
    if (typeof found === "number") throw new host.OsError(-found, "stat", path);
    const { blocks, blocksFree, blocksAvailable, blockSizeBytes } = found;
    return {
      totalBytes: blocks * blockSizeBytes,
      usedBytes: (blocks - blocksFree) * blockSizeBytes,
      availableBytes: blocksAvailable * blockSizeBytes,
    };
  },
  allocate: host.allocateNativeBuffer,
  bufferOf: host.nativeBufferOf,
};

/**
 * Does something with a file by the runtime's calls, or by those of the host where these do not
 * reach it.
 */
function reaching<Result>(
  path: string,
  byRuntime: (path: string) => Result,
  byHost: (path: string) => Result,
): Result {
  if (!path.isWellFormed()) return byHost(path);
  try {
    return byRuntime(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return byHost(path);
  }
}

function statusOf(path: string, followsLink: boolean): FileStatus | undefined {
  const stat = new host.HostStat();
  const result = followsLink ? host.stat(path, stat) : host.lstat(path, stat);
  if (result < 0 && NOTHING_THERE.has(host.errnoName(-result))) return undefined;
  host.unwrap(result, "stat", path);
  const { mode, size, uid, gid, device, ino } = stat;
  return { kind: KIND_BY_TYPE[entryType(mode)] ?? "other", size, uid, gid, device, ino };
}

function openSource(path: string): ByteSource {
  const source = openNativeSource(path);
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

function resolve(path: string): string {
  const fd = host.unwrap(host.open(path, host.OpenFlag.PATH), "open", path);
  const target = host.readlink(`/proc/self/fd/${fd}`);
  host.close(fd);
  if (typeof target === "number") throw new host.OsError(-target, "resolve", path);
  const resolved = decodeFileName(target);
  // What a pipe has is no path.
  if (!resolved.startsWith("/")) throw new host.OsError(host.Errno.EINVAL, "resolve", path);
  return resolved;
}
