/**
 * Conditions of a datastore, wherever it is. Those for which there is a way out that a caller can
 * take have classes: they say what it needs.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import {
  formatBackupTime,
  formatGroup,
  formatSnapshot,
  type GroupId,
  type Namespace,
  ROOT_NAMESPACE,
  type SnapshotId,
} from "./format/snapshot_path.ts";

/** There is no such namespace. */
export class NoNamespaceError extends StateError {
  /** What has to be made for it to be there, parents first. */
  readonly missingNamespaces: readonly Namespace[];

  constructor(storePath: string, namespace: Namespace, missingNamespaces: readonly Namespace[]) {
    super("not-found", `Cannot find namespace "${namespace}" in "${storePath}"`, {
      hint: "A namespace has to be made before it is used",
    });
    this.missingNamespaces = missingNamespaces;
  }
}

/** There is no such group, in a namespace that is there. */
export function groupNotFound(group: GroupId): StateError {
  return notFound(`group ${formatGroup(group)}`, group.ns);
}

/** There is no such snapshot, in a namespace that is there. */
export function snapshotNotFound(snapshot: SnapshotId): StateError {
  return notFound(`snapshot ${formatSnapshot(snapshot)}`, snapshot.group.ns);
}

function notFound(what: string, ns: Namespace): StateError {
  const place = ns === ROOT_NAMESPACE ? "" : ` in namespace "${ns}"`;
  return new StateError("not-found", `Cannot find ${what}${place}`);
}

/** There is no datastore. */
export class NoDatastoreError extends StateError {
  /** Directory in which there is none. */
  readonly storePath: string;

  constructor(storePath: string) {
    super("not-found", `Cannot open datastore: there is none in "${storePath}"`, {
      hint: "A datastore is a directory with `.chunks` in it; one has to be made before",
    });
    this.storePath = storePath;
  }
}

/** A snapshot must not be removed. */
export class ProtectedSnapshotError extends StateError {
  readonly protectedSnapshot: SnapshotId;

  constructor(protectedSnapshot: SnapshotId) {
    super("protected", `Cannot remove ${formatSnapshot(protectedSnapshot)}: it is protected`, {
      hint: "End its protection first",
    });
    this.protectedSnapshot = protectedSnapshot;
  }
}

/**
 * A group has snapshots that are ahead of the clock: dated after them, all later ones would be so,
 * too.
 */
export class FutureSnapshotError extends StateError {
  /** Snapshots of the group that are ahead of the clock, oldest first. */
  readonly futureSnapshots: readonly SnapshotId[];

  /** @param futureSnapshots at least one; the last is the last of its group */
  constructor(futureSnapshots: readonly SnapshotId[], nowSeconds: number) {
    const last = formatSnapshot(futureSnapshots.at(-1)!);
    const group = last.slice(0, last.lastIndexOf("/"));
    super(
      "future-snapshot",
      `Cannot make a snapshot of ${group}: the last one, ${last}, is ahead of the clock, which says ` +
        formatBackupTime(nowSeconds),
      { hint: "Set the clock if it is wrong; otherwise forget that snapshot, and all like it" },
    );
    this.futureSnapshots = futureSnapshots;
  }
}
