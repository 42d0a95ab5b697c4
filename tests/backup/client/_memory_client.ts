/**
 * Entries of clients that are in no file system.
 *
 * @module
 */

import type { ClientEntry } from "#src/backup/client/provider.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import { FileType } from "#src/bytes/file_type.ts";

let lastIno = 1;

/** An entry with what is said of it, and the rest as usual. */
export function memoryEntry(
  name: string,
  { isDirectory = false, sizeBytes = 0, seconds = 1000, ...more }:
    & { isDirectory?: boolean; sizeBytes?: number; seconds?: number }
    & Partial<ClientEntry> = {},
): ClientEntry {
  return {
    name,
    metadata: {
      mode: isDirectory ? FileType.DIRECTORY | 0o755 : FileType.FILE | 0o644,
      flags: 0n,
      uid: 0,
      gid: 0,
      mtime: { seconds, nanoseconds: 0 },
      xattrs: [],
      acl: NO_ACL,
      fcaps: undefined,
      projectId: 0n,
    },
    linkCount: 1,
    ino: ++lastIno,
    device: 1,
    sizeBytes,
    blocks: Math.ceil(sizeBytes / 512),
    rdev: 0,
    ctimeSeconds: undefined,
    target: undefined,
    openErrno: undefined,
    problems: [],
    ...more,
  };
}
