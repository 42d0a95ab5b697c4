/**
 * How commands mount what is in a snapshot: the launching process finds the snapshot, unlocks its
 * key and logs in to its server; the serving process gets what these took.
 *
 * @module
 */

import type { SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotStore } from "#src/pbs/ports.ts";
import type { StoreAddress } from "#src/pbs/store_address.ts";
import type { CommandContext } from "../command.ts";
import { parseTreeMount, type TreeMountOptions } from "../options/tree_mount_options.ts";
import { repositoryOf } from "../options/repository.ts";
import { findSnapshot, type SnapshotOptions } from "../datastore/snapshot_access.ts";
import type { LoginSecrets } from "../datastore/server.ts";
import { namespaceOf, parseTarget, snapshotOf, withDatastore } from "../datastore/store.ts";
import type { LauncherSecrets } from "./launcher_secrets.ts";
import { type MountOutcome, runMountPlan } from "./mount_run.ts";

/** What is mounted where. */
export interface MountPlace {
  readonly snapshot: string;
  readonly archive: string;
  readonly target: string;
}

/**
 * Mounts, and returns when the mount answers; in the foreground when it has ended. @throws what the
 * serving process failed with
 */
export async function mountSnapshot(
  { snapshot, archive, target }: MountPlace,
  options: SnapshotOptions & TreeMountOptions,
  context: CommandContext,
): Promise<MountOutcome> {
  const tree = parseTreeMount(target, options, context);
  const handed = options.handshake === true ? await readHanded() : undefined;
  const find = async (store: SnapshotStore): Promise<FoundKey> => {
    if (handed === undefined) {
      const { id, crypt } = await findSnapshot(store, snapshot, options, context);
      return { id, key: crypt?.key };
    }
    const id = snapshotOf(store, parseTarget(snapshot, namespaceOf(options, context)));
    return { id, key: handed.key };
  };
  const mount = async (
    { id, key }: FoundKey,
    store: StoreAddress,
    login: LoginSecrets | undefined,
  ): Promise<MountOutcome> => {
    const { formatSecrets } = await import("./launcher_secrets.ts");
    return await runMountPlan(
      {
        request: tree,
        async sourceOf() {
          const { snapshotToMount } = await import(
            "#src/usecases/mounting/snapshot_to_mount.ts"
          );
          return snapshotToMount({ store, snapshot: id, archive, key });
        },
        launch: { input: formatSecrets({ key, login }), usesNetwork: store.kind === "server" },
      },
      options,
      context,
    );
  };
  const repository = repositoryOf(options, context);
  if (repository.kind === "directory") {
    const { kind, path } = repository;
    const { serverStore } = options;
    const found = await withDatastore(options, context, "read", find);
    return await mount(found, { kind, path, serverStore }, undefined);
  }
  const { withRemoteStore } = await import("../datastore/remote_store.ts");
  // The connections last as long as the mount.
  return await withRemoteStore(
    repository,
    options,
    context,
    "read",
    async (store, address, login) => await mount(await find(store), address, login),
    handed?.login,
  );
}

/** A snapshot, and the 32 bytes of its key. */
interface FoundKey {
  readonly id: SnapshotId;
  readonly key: Uint8Array | undefined;
}

async function readHanded(): Promise<LauncherSecrets> {
  const { readSecretsOfLauncher } = await import("./launcher_secrets.ts");
  return readSecretsOfLauncher();
}
