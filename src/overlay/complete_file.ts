/**
 * Partial files that have all of their blocks, and need the tree below no longer: they can become
 * plain ones while nobody has them open, in place (`collapsing.ts`) or by a copy (`plain_copy.ts`).
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import {
  blockCount,
  decodePartialHeader,
  HEADER_SIZE_MAX,
  isPartialFile,
  type PartialLayout,
} from "./partial_file.ts";

/** A partial file that has all of its blocks, durably. */
export interface CompleteFile {
  /** Where its bytes begin; before them are header and maps. */
  readonly dataOffset: number;
  /** As it lies on the host. */
  readonly stat: Readonly<host.HostStat>;
}

/**
 * What a regular file of the diff is: a plain one, a partial one that lacks blocks in its durable
 * map, or a complete one.
 *
 * @param name for messages
 * @throws {FormatError} when its header is damaged
 * @throws {OsError}
 */
export function examineFile(
  fd: number,
  nonce: Uint8Array,
  name: string,
): CompleteFile | "plain" | "incomplete" {
  const stat = new host.HostStat();
  host.unwrap(host.statFd(fd, stat), "stat", name);
  const { bytes, address } = host.allocateNativeBuffer(HEADER_SIZE_MAX);
  const length = host.unwrap(host.preadFully(fd, address, HEADER_SIZE_MAX, 0), "read", name);
  if (!isPartialFile(bytes, length, nonce)) return "plain";
  const { layout, mapBlocks } = decodePartialHeader(bytes, length, stat.size, name);
  const blocks = Math.min(mapBlocks, blockCount(stat.size - layout.dataOffset));
  if (!hasAllBlocks(fd, layout, blocks, name)) return "incomplete";
  return { dataOffset: layout.dataOffset, stat };
}

function hasAllBlocks(fd: number, layout: PartialLayout, blocks: number, name: string): boolean {
  if (blocks === 0) return true;
  const size = Math.ceil(blocks / 8);
  const { bytes, address } = host.allocateNativeBuffer(size);
  const count = host.preadFully(fd, address, size, layout.durableMapOffset);
  if (host.unwrap(count, "read", name) < size) return false;
  const last = size - 1;
  for (let index = 0; index < last; index++) if (bytes[index] !== 0xff) return false;
  const mask = 0xff >> (size * 8 - blocks);
  return (bytes[last]! & mask) === mask;
}
