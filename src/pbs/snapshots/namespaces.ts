/**
 * Makes and removes namespaces of a datastore.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import {
  type Namespace,
  namespaceDirectory,
  namespaceNames,
  ROOT_NAMESPACE,
} from "../format/snapshot_path.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import { forgetGroup } from "./snapshot_removal.ts";
import { listGroups, listNamespaces } from "./store_listing.ts";
import { inNamespace, requireNamespace } from "./store_places.ts";

/**
 * Makes a namespace. @throws {StateError} `exists`, or `not-found` when its parent does not @throws
 * {OsError}
 */
export function createNamespace(store: OpenStore, ns: Namespace): void {
  const { files } = writableParts(store);
  const parent = namespaceNames(ns).slice(0, -1).join("/") as Namespace;
  requireNamespace(store, parent);
  files.makeFolder(inNamespace(parent, "ns"));
  if (ns !== ROOT_NAMESPACE && files.makeFolder(namespaceDirectory(ns))) {
    return;
  }
  throw new StateError("exists", `Cannot make namespace "${ns}": it exists`);
}

/**
 * Removes a namespace that has nothing in it; with `isRecursive` first everything that is.
 *
 * @throws {StateError} `busy` when something is left, `not-found`, or `locked`
 * @throws {OsError}
 */
export function removeNamespace(store: OpenStore, ns: Namespace, isRecursive: boolean): void {
  const { files } = writableParts(store);
  if (ns === ROOT_NAMESPACE) {
    throw new UsageError("Cannot remove the root namespace: it is the datastore itself");
  }
  for (const child of listNamespaces(store, ns).reverse()) {
    if (child !== ns && !isRecursive) throw left(ns, isRecursive);
    for (const group of listGroups(store, child)) {
      if (!isRecursive || forgetGroup(store, group).length > 0) throw left(ns, isRecursive);
    }
    const folder = namespaceDirectory(child);
    for (const { name } of files.list(folder)) {
      // Directories of types, and of namespaces that are gone now.
      if (files.list(`${folder}/${name}`).length > 0) throw left(ns, isRecursive);
      files.removeFolder(`${folder}/${name}`);
    }
    files.removeFolder(folder);
  }
}

function left(ns: Namespace, isRecursive: boolean): StateError {
  return new StateError("busy", `Cannot remove namespace "${ns}": there is something in it`, {
    hint: isRecursive
      ? "Protected snapshots must be unprotected first"
      : "Remove it with everything in it",
    option: isRecursive ? undefined : "isRecursive",
  });
}
