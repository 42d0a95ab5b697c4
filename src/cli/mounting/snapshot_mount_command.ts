/**
 * How commands mount what is in a snapshot: the launching process finds the snapshot and unlocks
 * its key, the serving process gets both.
 *
 * @module
 */

import type { CommandContext } from "../command.ts";
import {
  launchTreeMount,
  parseTreeMount,
  servesItself,
  type TreeMountOptions,
} from "../options/tree_mount_options.ts";
import { datastorePath } from "../options/repository.ts";
import { findSnapshot, type SnapshotOptions } from "../datastore/snapshot_access.ts";
import type { SnapshotRequest } from "#src/usecases/mounting/snapshot_to_mount.ts";
import { namespaceOf, parseTarget, snapshotOf, withStore } from "../datastore/store.ts";

/** What is mounted where. */
export interface MountPlace {
  readonly snapshot: string;
  readonly archive: string;
  readonly target: string;
}

/** A mount that another process serves, or one that has ended. */
export type MountOutcome =
  | { readonly state: "mounted"; readonly pid: number; readonly mountPath: string }
  | { readonly state: "ended"; readonly code: number };

const NO_KEY = new Uint8Array(0);

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
  const isBackground = options.handshake === true;
  const { id, key } = await withStore(options, context, "read", async (store) => {
    if (isBackground) {
      const { readKeyOfLauncher } = await import("./launcher_key.ts");
      const id = snapshotOf(store, parseTarget(snapshot, namespaceOf(options, context)));
      return { id, key: readKeyOfLauncher() };
    }
    const { id, crypt } = await findSnapshot(store, snapshot, options, context);
    return { id, key: crypt?.key };
  });
  if (!servesItself(options)) {
    const pid = await launchTreeMount(tree, context, key ?? NO_KEY);
    return { state: "mounted", pid, mountPath: tree.mountPath };
  }
  const request: SnapshotRequest = {
    store: {
      kind: "directory",
      path: datastorePath(options, context),
      serverStore: options.serverStore,
    },
    snapshot: id,
    archive,
    key,
  };
  const { serveMount } = await import("./serving.ts");
  const code = await serveMount(tree, options, async () => {
    const { snapshotToMount } = await import("#src/usecases/mounting/snapshot_to_mount.ts");
    return snapshotToMount(request);
  });
  return { state: "ended", code };
}
