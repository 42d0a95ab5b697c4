/**
 * What a server lists of a datastore, and calls that name what is in it.
 *
 * @module
 */

import { Failure, StateError } from "#src/errors.ts";
import {
  type GroupId,
  type Namespace,
  namespaceAndParents,
  ROOT_NAMESPACE,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import { groupNotFound, NoNamespaceError, snapshotNotFound } from "../state_errors.ts";
import type { NetworkLink } from "./network_link.ts";
import type { CallParameters } from "./network_thread/server_port.ts";
import {
  type ListedGroup,
  type ListedSnapshot,
  parseGroups,
  parseNamespaces,
  parseSnapshots,
} from "./rest_answers.ts";

/** Calls for one datastore; every one blocks until it is answered. */
export class DatastoreCalls {
  readonly #link: NetworkLink;
  readonly #store: string;
  readonly #name: string;

  /**
   * @param store name of the datastore
   * @param name what messages call it: the repository
   */
  constructor(link: NetworkLink, store: string, name: string) {
    this.#link = link;
    this.#store = store;
    this.#name = name;
  }

  /** Namespaces at and below one, in no order. @throws {NoNamespaceError} */
  namespaces(below: Namespace): Namespace[] {
    const parameters = below === ROOT_NAMESPACE ? {} : { parent: below };
    const data = this.inNamespace(below, () => this.get("namespace", parameters));
    return parseNamespaces(data, this.#name);
  }

  /** Groups of a namespace that have a snapshot. @throws {NoNamespaceError} */
  groups(ns: Namespace): ListedGroup[] {
    const parameters = ns === ROOT_NAMESPACE ? {} : { ns };
    const data = this.inNamespace(ns, () => this.get("groups", parameters));
    return parseGroups(data, ns, this.#name);
  }

  /** None where there is no such group. */
  snapshots(group: GroupId): ListedSnapshot[] {
    const data = this.inNamespace(group.ns, () => this.get("snapshots", groupParameters(group)));
    return parseSnapshots(data, group.ns, this.#name)
      .filter(({ info }) => info.id.group.type === group.type && info.id.group.id === group.id);
  }

  /** Snapshots of a group that is listed. @throws {StateError} `not-found` */
  requireSnapshots(group: GroupId): ListedSnapshot[] {
    const snapshots = this.snapshots(group);
    if (snapshots.length === 0) this.requireGroup(group);
    return snapshots;
  }

  /**
   * Changes a group. It need not be listed: one whose first backup was given up has an owner and no
   * snapshot.
   *
   * @throws {StateError} `not-found`, when the server refuses and does not list it
   */
  inGroup(group: GroupId, change: () => void): void {
    explained(change, () => this.requireGroup(group));
  }

  /** Changes a snapshot. @throws {StateError} `not-found`, when the server refuses and lacks it */
  inSnapshot(snapshot: SnapshotId, change: () => void): void {
    explained(change, () => this.requireSnapshot(snapshot));
  }

  /** A group that is listed. @throws {StateError} `not-found` */
  requireGroup(group: GroupId): ListedGroup {
    const found = this.groups(group.ns)
      .find(({ id }) => id.type === group.type && id.id === group.id);
    if (found !== undefined) return found;
    throw groupNotFound(group);
  }

  /** A snapshot that is listed. @throws {StateError} `not-found` */
  requireSnapshot(snapshot: SnapshotId): ListedSnapshot {
    const found = this.snapshots(snapshot.group)
      .find(({ info }) => info.id.time === snapshot.time);
    if (found !== undefined) return found;
    throw snapshotNotFound(snapshot);
  }

  /** Tells a namespace that is missing from other things that are. */
  inNamespace<Result>(ns: Namespace, run: () => Result): Result {
    try {
      return run();
    } catch (error) {
      const isMissing = error instanceof StateError && error.code === "not-found" &&
        ns !== ROOT_NAMESPACE && /namespace/i.test(error.message);
      if (!isMissing) throw error;
      const there = new Set(this.namespaces(ROOT_NAMESPACE));
      const missing = namespaceAndParents(ns).filter((parent) => !there.has(parent));
      throw new NoNamespaceError(this.#name, ns, missing);
    }
  }

  /** Asks for something of the datastore. */
  get(name: string, parameters: CallParameters = {}): unknown {
    return this.rest("GET", name, parameters);
  }

  /** Calls the REST interface for the datastore. */
  rest(
    method: "GET" | "POST" | "PUT" | "DELETE",
    name: string,
    parameters: CallParameters,
    body?: Uint8Array<ArrayBuffer>,
  ): unknown {
    const path = `admin/datastore/${encodeURIComponent(this.#store)}/${name}`;
    return this.#link.rest(method, path, parameters, body);
  }
}

/** A group as calls name it. */
export function groupParameters({ ns, type, id }: GroupId): CallParameters {
  return { "backup-type": type, "backup-id": id, ...ns === ROOT_NAMESPACE ? {} : { ns } };
}

/** A snapshot as calls name it. */
export function snapshotParameters({ group, time }: SnapshotId): CallParameters {
  return { ...groupParameters(group), "backup-time": time };
}

/** Runs a change; where the server refuses it, `require` says so if what it is about is missing. */
function explained(change: () => void, require: () => void): void {
  try {
    change();
  } catch (error) {
    if (error instanceof Failure && !error.isTemporary) require();
    throw error;
  }
}
