/**
 * The kernel's table of mounts.
 *
 * @module
 */

import { readSmallFile } from "#ffi/libc/calls.ts";
import { unwrap } from "#ffi/os_error.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";

const MOUNT_TABLE = "/proc/self/mountinfo";
const MOUNT_TABLE_SIZE_MAX = 16 << 20;

/** A line of the mount table of this process's mount namespace. */
export interface MountTableEntry {
  /** `major:minor`; of a FUSE mount the minor is the number of its connection. */
  readonly device: string;
  /** Absolute path. */
  readonly mountPoint: string;
  /** Such as `fuse.pbkfs`. */
  readonly type: string;
  /** What is mounted; of our mounts the name given as `fsname`. */
  readonly source: string;
  /** Options of the file system, such as `user_id=0` of a FUSE mount. */
  readonly superOptions: readonly string[];
}

/**
 * The mounts of this process's name space, in the order they were made. Never touches the mounts
 * themselves.
 */
export function readMountTable(): MountTableEntry[] {
  const bytes = readSmallFile(MOUNT_TABLE, MOUNT_TABLE_SIZE_MAX);
  // Read by system call: Deno's own file functions refuse /proc under narrow permissions.
  if (typeof bytes === "number") unwrap(bytes, "read", MOUNT_TABLE);
  return parseMountTable(decodeFileName(bytes as Uint8Array));
}

/** Parses the text of mountinfo (proc(5)); malformed lines are left out. */
export function parseMountTable(text: string): MountTableEntry[] {
  const entries: MountTableEntry[] = [];
  for (const line of text.split("\n")) {
    // id parent major:minor root mount-point options [optional fields] - type source super-options
    const [before, after] = line.split(" - ", 2);
    const fields = before!.split(" ");
    const [type, source, superOptions] = after?.split(" ") ?? [];
    if (fields.length < 6 || type === undefined || source === undefined) continue;
    entries.push({
      device: fields[2]!,
      mountPoint: unescapeOctal(fields[4]!),
      type,
      source: unescapeOctal(source),
      superOptions: superOptions?.split(",") ?? [],
    });
  }
  return entries;
}

/** The uppermost mount at exactly this absolute path without links, or undefined. */
export function findMount(path: string): MountTableEntry | undefined {
  return readMountTable().findLast((entry) => entry.mountPoint === path);
}

/** Space, tab, newline and backslash are written as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replaceAll(
    /\\([0-7]{3})/g,
    (_, digits: string) => String.fromCharCode(parseInt(digits, 8)),
  );
}
