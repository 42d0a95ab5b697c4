/**
 * Where namespaces, groups and snapshots of a datastore lie, and whether they are there. Works
 * without FFI.
 *
 * @module
 */

import {
  groupDirectory,
  type GroupId,
  type Namespace,
  namespaceAndParents,
  namespaceDirectory,
  ROOT_NAMESPACE,
  snapshotDirectory,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import type { OpenStore } from "./open_store.ts";
import { groupNotFound, NoNamespaceError, snapshotNotFound } from "../state_errors.ts";

type Place = Pick<OpenStore, "storage">;

/** Name of something in the folder of a namespace. */
export function inNamespace(ns: Namespace, name: string): string {
  return ns === ROOT_NAMESPACE ? name : `${namespaceDirectory(ns)}/${name}`;
}

/** Checks that a namespace is there. @throws {NoNamespaceError} */
export function requireNamespace(store: Place, ns: Namespace): void {
  if (isFolder(store, namespaceDirectory(ns))) return;
  const missing = namespaceAndParents(ns)
    .filter((parent) => !isFolder(store, namespaceDirectory(parent)));
  throw new NoNamespaceError(store.storage.files.pathOf(""), ns, missing);
}

/** Checks that a group is there. @throws {StateError} `not-found` @throws {NoNamespaceError} */
export function requireGroup(store: Place, group: GroupId): void {
  if (isFolder(store, groupDirectory(group))) return;
  requireNamespace(store, group.ns);
  throw groupNotFound(group);
}

/** Checks that a snapshot is there. @throws as {@link requireGroup} */
export function requireSnapshot(store: Place, snapshot: SnapshotId): void {
  if (isFolder(store, snapshotDirectory(snapshot))) return;
  requireNamespace(store, snapshot.group.ns);
  throw snapshotNotFound(snapshot);
}

function isFolder({ storage }: Place, name: string): boolean {
  return storage.files.status(name)?.kind === "folder";
}
