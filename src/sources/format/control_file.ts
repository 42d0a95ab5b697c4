/**
 * `global/pg_control` of a PostgreSQL server, versions 12 to 18 on little-endian machines.
 *
 *     0    u64  system identifier
 *     8    u32  version of the control file: 1201, 1300, 1800 …
 *     24   i64  time of the last update, Unix seconds
 *     32   u64  location of the last checkpoint
 *     40   u64  where recovery from it begins
 *     48   u32  timeline of that checkpoint
 *     …         what is elsewhere in each version
 *     end  u32  CRC-32C of all before it
 *
 * Before the end are 32 bytes of a nonce, before these the version of page checksums; since 1800
 * there is one more byte between them, with three bytes of padding before the end. 24 bytes before
 * that version is, as a u32, the size of segments of the WAL.
 *
 * @module
 */

import { crc32c } from "#src/bytes/crc32c.ts";

/** What is read of a control file. */
export interface ControlFile {
  readonly systemIdentifier: bigint;
  /** Of the format. */
  readonly version: number;
  /** Unix seconds. */
  readonly time: bigint;
  /** Location of the last checkpoint in the WAL. */
  readonly checkpoint: bigint;
  /** Where recovery from that checkpoint begins. */
  readonly redo: bigint;
  readonly timeline: number;
  /** Pages have checksums. */
  readonly hasChecksums: boolean;
  /** Bytes of one segment file of the WAL. */
  readonly walSegmentSizeBytes: number;
}

/** Bytes of the file that are looked at. */
export const CONTROL_HEAD_SIZE = 512;

const VERSION_MIN = 1200;
const VERSION_MAX = 1899;
const VERSION_WITH_SIGNEDNESS = 1800;
/** Where the end is in one of the versions: nowhere else it is looked for. */
const END_MIN = 264;
const END_MAX = 400;

/** The first one with this checksum. */
const CHECKED_VERSION_MIN = 9.5;
/** No version has less before its checksum. */
const CHECKED_SIZE_MIN = 128;

/**
 * Whether a control file is without the checksum that servers write into it: CRC-32C, wherever the
 * version has it, in the byte order of the machine.
 *
 * @param serverVersion as in `PG_VERSION`; of those before 9.5 nothing is known
 */
export function isDamagedControlFile(bytes: Uint8Array, serverVersion: string): boolean {
  if (Number.parseFloat(serverVersion) < CHECKED_VERSION_MIN) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const endMax = Math.min(bytes.length, CONTROL_HEAD_SIZE) - 4;
  for (let end = CHECKED_SIZE_MIN; end <= endMax; end += 4) {
    const crc = crc32c(bytes, 0, end);
    if (crc === view.getUint32(end, true) || crc === view.getUint32(end, false)) return false;
  }
  return true;
}

/** Reads the beginning of a control file; undefined when it is none, or is damaged. */
export function parseControlFile(bytes: Uint8Array): ControlFile | undefined {
  if (bytes.length < END_MAX + 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version < VERSION_MIN || version > VERSION_MAX) return undefined;
  for (let end = END_MIN; end <= END_MAX; end += 4) {
    if (crc32c(bytes, 0, end) !== view.getUint32(end, true)) continue;
    const checksums = version >= VERSION_WITH_SIGNEDNESS ? end - 40 : end - 36;
    return {
      systemIdentifier: view.getBigUint64(0, true),
      version,
      time: view.getBigInt64(24, true),
      checkpoint: view.getBigUint64(32, true),
      redo: view.getBigUint64(40, true),
      timeline: view.getUint32(48, true),
      hasChecksums: view.getUint32(checksums, true) !== 0,
      walSegmentSizeBytes: view.getUint32(checksums - 24, true),
    };
  }
  return undefined;
}
