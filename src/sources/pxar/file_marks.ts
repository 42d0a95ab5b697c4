/**
 * What tells the files of an archive from others.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import type { SourceMark } from "#src/overlay/binding.ts";
import type { SourceKindName } from "../name.ts";

/**
 * Bytes at each end of a file that are part of its fingerprint: the tables of an archive are at its
 * end.
 */
const END_SIZE = 1 << 20;

/**
 * Identifies the files of an archive by size, time of the last change, and a digest of both ends:
 * to read all of a large archive at every mount would take minutes. An archive may be moved, but
 * not copied without its time.
 *
 * @param name how the archive is called
 * @throws {OsError}
 */
export async function identifyFiles(
  kind: SourceKindName,
  name: string,
  paths: readonly string[],
): Promise<SourceMark> {
  const ids: string[] = [];
  for (const path of paths) ids.push(await identify(path));
  const text = new TextEncoder().encode(ids.join("\n"));
  return { kind, name, fingerprint: await digestOf(text), ids };
}

async function identify(path: string): Promise<string> {
  const stat = new host.HostStat();
  host.unwrap(host.lstat(path, stat), "stat", path);
  const source = openNativeSource(path);
  try {
    const size = Math.min(source.size, END_SIZE);
    const ends = host.allocateNativeBuffer(2 * END_SIZE);
    source.readAt(ends, 0, size, 0);
    source.readAt(ends, size, size, source.size - size);
    const digest = await digestOf(ends.bytes.slice(0, 2 * size));
    const nanoseconds = String(stat.mtimeNanoseconds).padStart(9, "0");
    return `${source.size} ${stat.mtimeSeconds}.${nanoseconds} ${digest}`;
  } finally {
    source.close();
  }
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
