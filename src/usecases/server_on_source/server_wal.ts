/**
 * Whether a server will find the WAL that it needs in a mount.
 *
 * @module
 */

import type { RecoveryRequest } from "#src/postgres/settings.ts";
import { LocalTree } from "#src/transfer/local_tree.ts";
import { requireWal } from "../wal/missing_wal.ts";
import { findNeededWal } from "../wal/needed_wal.ts";
import type { WalArchive } from "./wal_archive.ts";

const WAYS_OUT = {
  fromElsewhere: {
    hint:
      "Bring it there, choose another backup, or set restore_command, which fetches a file of WAL",
    option: "config",
  },
  withoutArchive: { hint: "Choose another backup" },
};

/**
 * Checks it before the server is started.
 *
 * @param label of the source, for messages
 * @param archive of the source; undefined where it has none
 * @param recovery from it; undefined: the server has what is in the data directory
 * @throws {StateError} `wal-missing` with the first segment that is not there; `not-found` for a
 *   timeline that cannot be followed
 * @throws {FormatError | OsError} when something that tells it cannot be read
 */
export function requireServerWal(
  dataDirectory: string,
  label: string,
  archive: WalArchive | undefined,
  recovery: RecoveryRequest | undefined,
): void {
  const { root } = new LocalTree(dataDirectory);
  const needed = findNeededWal(root, archive?.backup);
  if (needed === undefined) return;
  // Where no other timeline is asked for, the server takes the latest.
  const { target, timeline = "latest" } = recovery ?? {};
  const planned = { label, needed, root, archive: archive?.directory, target, timeline };
  requireWal(planned, recovery !== undefined, WAYS_OUT);
}
