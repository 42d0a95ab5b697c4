/**
 * Where namespaces, groups and snapshots of a datastore lie, and whether they are there. Works
 * without FFI.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
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
} from "../format/snapshot_path.ts";
import type { OpenStore } from "./open_store.ts";
import { NoNamespaceError } from "../state_errors.ts";

type Place = Pick<OpenStore, "storage">;

/** Name of something in the folder of a namespace. */
export function inNamespace(ns: Namespace, name: string): string {
  return ns === ROOT_NAMESPACE ? name : `${namespaceDirectory(ns)}/${name}`;
}

/** Checks that a namespace is there. @throws {NoNamespaceError} */
export function requireNamespace(store: Place, ns: Namespace): void {
  if (isFolder(store, namespaceDirectory(ns))) return;
  const names = namespaceNames(ns);
  const missing = names.map((_, index) => names.slice(0, index + 1).join("/") as Namespace)
    .filter((parent) => !isFolder(store, namespaceDirectory(parent)));
  throw new NoNamespaceError(store.storage.files.pathOf(""), ns, missing);
}

/** Checks that a group is there. @throws {StateError} `not-found` */
export function requireGroup(store: Place, group: GroupId): void {
  if (isFolder(store, groupDirectory(group))) return;
  throw notFound(store, `group ${formatGroup(group)}`, group.ns);
}

/** Checks that a snapshot is there. @throws {StateError} `not-found` */
export function requireSnapshot(store: Place, snapshot: SnapshotId): void {
  if (isFolder(store, snapshotDirectory(snapshot))) return;
  throw notFound(store, `snapshot ${formatSnapshot(snapshot)}`, snapshot.group.ns);
}

/** Says that the namespace is missing where that is the reason. */
function notFound(store: Place, what: string, ns: Namespace): StateError {
  requireNamespace(store, ns);
  const place = ns === ROOT_NAMESPACE ? "" : ` in namespace "${ns}"`;
  return new StateError("not-found", `Cannot find ${what}${place}`);
}

function isFolder({ storage }: Place, name: string): boolean {
  return storage.files.status(name)?.kind === "folder";
}
