/**
 * Datastores that copies go to.
 *
 * @module
 */

import type { Repository } from "#src/pbs/client/repository.ts";
import { openSnapshotStore } from "#src/pbs/store_address.ts";
import { reachStore } from "#src/sources/pbs/named_snapshot.ts";
import type { OpenSourceOptions } from "#src/sources/source.ts";
import type { BackupCrypt } from "../datastore/backup.ts";
import type { OpenTarget } from "./stored_origins.ts";

/**
 * Opens a datastore to write to it.
 *
 * @param stack closes it, and ends the connections
 * @throws what opening a datastore and logging in throw
 */
export async function openTarget(
  repository: Repository,
  keys: BackupCrypt,
  stack: DisposableStack,
  options: Pick<OpenSourceOptions, "credentials" | "serverStore">,
): Promise<OpenTarget> {
  const address = await reachStore(repository, stack, options);
  const store = stack.adopt(openSnapshotStore(address, "write"), (it) => it.close());
  return { store, repository, keys };
}
