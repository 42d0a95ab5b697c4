/**
 * Where namespaces, groups and snapshots of a datastore lie, and whether they are there. Works without FFI.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { isDirectoryAt } from "#src/io/store_access.ts";
import {
  formatGroup,
  formatSnapshot,
  groupDirectory,
  type GroupId,
  type Namespace,
  namespaceDirectory,
  namespaceNames,
  ROOT_NAMESPACE,
  snapshotDirectory,
  type SnapshotId,
} from "./format/snapshot_path.ts";
import type { OpenStore } from "./open_store.ts";
import { NoNamespaceError } from "./state_errors.ts";

type Place = Pick<OpenStore, "path">;

/** Directory of a namespace. */
export function namespacePath(store: Place, ns: Namespace): string {
  return ns === ROOT_NAMESPACE ? store.path : `${store.path}/${namespaceDirectory(ns)}`;
}

/** Directory of a group. */
export function groupPath(store: Place, group: GroupId): string {
  return `${store.path}/${groupDirectory(group)}`;
}

/** Directory of a snapshot. */
export function snapshotPath(store: Place, snapshot: SnapshotId): string {
  return `${store.path}/${snapshotDirectory(snapshot)}`;
}

/** Checks that a namespace is there. @throws {NoNamespaceError} */
export function requireNamespace(store: Place, ns: Namespace): void {
  if (isDirectoryAt(namespacePath(store, ns))) return;
  const names = namespaceNames(ns);
  const missing = names.map((_, index) => names.slice(0, index + 1).join("/") as Namespace)
    .filter((parent) => !isDirectoryAt(namespacePath(store, parent)));
  throw new NoNamespaceError(store.path, ns, missing);
}

/** Checks that a group is there. @throws {StateError} `not-found` */
export function requireGroup(store: Place, group: GroupId): void {
  if (isDirectoryAt(groupPath(store, group))) return;
  throw notFound(store, `group ${formatGroup(group)}`, group.ns);
}

/** Checks that a snapshot is there. @throws {StateError} `not-found` */
export function requireSnapshot(store: Place, snapshot: SnapshotId): void {
  if (isDirectoryAt(snapshotPath(store, snapshot))) return;
  throw notFound(store, `snapshot ${formatSnapshot(snapshot)}`, snapshot.group.ns);
}

/** Says that the namespace is missing where that is the reason. */
function notFound(store: Place, what: string, ns: Namespace): StateError {
  requireNamespace(store, ns);
  const place = ns === ROOT_NAMESPACE ? "" : ` in namespace "${ns}"`;
  return new StateError("not-found", `Cannot find ${what}${place}`);
}
