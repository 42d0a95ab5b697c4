/**
 * Datastores that copies go to.
 *
 * @module
 */

import type { Repository } from "#src/pbs/client/repository.ts";
import { openSnapshotStore } from "#src/pbs/store_address.ts";
import { connectNamedServer } from "#src/sources/pbs/named_snapshot.ts";
import type { Credentials } from "#src/sources/source.ts";
import type { BackupCrypt } from "../datastore/backup.ts";
import type { OpenTarget } from "./stored_origins.ts";

/**
 * Opens a datastore to write to it.
 *
 * @param stack closes it, and ends the connections
 * @param serverStore name under which a server on this machine serves the directory
 * @throws what opening a datastore and logging in throw
 */
export async function openTarget(
  repository: Repository,
  keys: BackupCrypt,
  stack: DisposableStack,
  { credentials, serverStore }: {
    readonly credentials?: Credentials | undefined;
    readonly serverStore?: string | undefined;
  },
): Promise<OpenTarget> {
  const address = repository.kind === "directory"
    ? { kind: "directory", path: repository.path, serverStore } as const
    : stack.adopt(await connectNamedServer(repository, credentials), ({ end }) => end()).address;
  const store = stack.adopt(openSnapshotStore(address, "write"), (it) => it.close());
  return { store, repository, keys };
}
