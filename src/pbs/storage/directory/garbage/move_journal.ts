/**
 * What a running server of version 4.2 or later has moved: the new paths of index files, one a
 * line, in a file beside its lock files. Whoever collects garbage looks at them when it has marked
 * everything else, and empties the file. Needs FFI.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import * as host from "#ffi/libc/calls.ts";
import { isIndexName } from "../../../reading/index_scan.ts";
import type { ObjectLocks } from "../object_locks.ts";

const JOURNAL_SIZE_MAX = 64 << 20;

/**
 * Keeps the server from moving anything while `mark` runs, which is given the paths in the journal;
 * then empties it. Where no server's lock files are known, `mark` runs without.
 *
 * @throws {StateError} `locked` when the server is moving something for too long
 * @throws {LimitError | OsError} and what `mark` throws: then the journal stays as it is
 */
export function drainMoveJournal(
  locks: ObjectLocks | undefined,
  mark: (paths: readonly string[]) => void,
): void {
  const lock = locks?.lockMoveJournal();
  if (lock === undefined) return mark([]);
  try {
    const text = new TextDecoder().decode(hostFiles.read(lock.path, JOURNAL_SIZE_MAX));
    // A server in a container has other paths: what is not found by them is found by looking
    // everywhere.
    mark(text.split("\n").filter((line) => line.startsWith("/") && isIndexName(line)));
    if (text !== "") empty(lock.path);
  } finally {
    lock.release();
  }
}

function empty(path: string): void {
  const { WRONLY, NOFOLLOW } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, WRONLY | NOFOLLOW), "open", path);
  const result = host.ftruncate(fd, 0);
  host.close(fd);
  host.unwrap(result, "truncate", path);
}
