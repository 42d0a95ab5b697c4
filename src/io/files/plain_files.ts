/**
 * Files by the runtime's own calls, for runs without FFI. They refuse some places (most of `/dev`,
 * `/proc` and `/sys`) whatever they are permitted, and cannot say names that are not UTF-8.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { OsError } from "#src/errors.ts";
import { openPlainOutput, PlainFileSink } from "./plain_sink.ts";
import { openPlainSource } from "./plain_source.ts";
import { callRuntime } from "./runtime_call.ts";
import { openPlainStream } from "./plain_stream.ts";
import { type FileKind, type Files, type FileStatus, NOTHING_THERE } from "./file_access.ts";
import { readToEnd } from "../streams.ts";
import { checkReadable } from "./whole_file.ts";

/** See the module. */
export const plainFiles: Files = {
  status(path, followsLink = true) {
    try {
      return statusOf(path, followsLink);
    } catch (error) {
      if (error instanceof OsError && NOTHING_THERE.has(error.code)) return undefined;
      throw error;
    }
  },
  entries(path) {
    const entries = callRuntime("list", path, () => [...Deno.readDirSync(path)]);
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  read(path, sizeMax) {
    const { kind, size } = statusOf(path, true);
    checkReadable(path, kind === "file", size, sizeMax);
    return callRuntime("read", path, () => Deno.readFileSync(path));
  },
  readAll(path, sizeMax = Infinity) {
    return readToEnd(this.openStream(path), path, sizeMax);
  },
  realPath: (path) => callRuntime("open", path, () => Deno.realPathSync(path)),
  openSource: openPlainSource,
  openFast: openPlainSource,
  openStream: openPlainStream,
  create: PlainFileSink.create,
  standardOutput: openPlainOutput,
  space(path) {
    const { blocks, bfree, bavail, bsize } = callRuntime("stat", path, () => statfsSync(path));
    return {
      totalBytes: blocks * bsize,
      usedBytes: (blocks - bfree) * bsize,
      availableBytes: bavail * bsize,
    };
  },
  allocate: plainBuffer,
  bufferOf: (bytes) => ({ bytes, address: 0n }),
};

function statusOf(path: string, followsLink: boolean): FileStatus {
  const info = callRuntime("stat", path, () => {
    return followsLink ? Deno.statSync(path) : Deno.lstatSync(path);
  });
  const { size, uid, gid, dev, ino } = info;
  return { kind: kindOf(info), size, uid: uid ?? 0, gid: gid ?? 0, device: dev, ino: ino ?? 0 };
}

function kindOf(
  info: { readonly isFile: boolean; readonly isDirectory: boolean; readonly isSymlink: boolean },
): FileKind {
  if (info.isFile) return "file";
  if (info.isDirectory) return "directory";
  return info.isSymlink ? "symlink" : "other";
}
