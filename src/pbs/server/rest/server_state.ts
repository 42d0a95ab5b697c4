/**
 * What all calls of a server share.
 *
 * @module
 */

import type { Authenticator } from "../access/authenticator.ts";
import type { AuthId } from "../access/auth_id.ts";
import type { CurrentAccess } from "../access/current_access.ts";
import { type Privilege, storeAclPath } from "../access/privileges.ts";
import { type GroupId, type Namespace, ROOT_NAMESPACE } from "../../format/snapshot_path.ts";
import { isOwnedBy } from "../ownership.ts";
import { Refusal } from "../refusal.ts";
import type { NodeStatus } from "./node_status.ts";
import type { ServedStore } from "../served_store.ts";
import type { MemoryShare } from "../transfer_memory.ts";
import type { SessionHost } from "./session_host.ts";
import type { Tasks } from "./tasks.ts";

/** See the head of the module. */
export interface ServerState {
  readonly version: string;
  readonly stores: ReadonlyMap<string, ServedStore>;
  readonly access: CurrentAccess;
  readonly authenticator: Authenticator;
  readonly tasks: Tasks;
  readonly node: NodeStatus;
  /** For files that are sent outside of sessions. */
  readonly memory: MemoryShare;
  readonly sessions: SessionHost;
}

/** What allows a call: one of these for all groups, or `own` for those of whoever asks. */
export interface Need {
  readonly any: readonly Privilege[];
  readonly own?: Privilege;
}

/** Who asks for something of a datastore. */
export interface Asker {
  readonly state: ServerState;
  readonly authId: AuthId;
}

/**
 * A datastore, for somebody who has one of the privileges in a namespace of it.
 *
 * @returns `isOwnOnly` when only what is his own is open to him
 * @throws {Refusal} 403, or 400 when there is no such datastore
 */
export function storeFor(
  { state, authId }: Asker,
  name: string,
  ns: Namespace,
  { any, own }: Need,
): { readonly store: ServedStore; readonly isOwnOnly: boolean } {
  const isOpen = hasAny({ state, authId }, name, ns, any);
  const isOwnOpen = own !== undefined && hasAny({ state, authId }, name, ns, [own]);
  if (!isOpen && !isOwnOpen) throw noPermission();
  return { store: namedStore(state, name), isOwnOnly: !isOpen };
}

/** A datastore by its name. @throws {Refusal} */
export function namedStore(state: ServerState, name: string): ServedStore {
  const store = state.stores.get(name);
  if (store === undefined) throw new Refusal(400, `no such datastore '${name}'`);
  return store;
}

/**
 * A datastore, for somebody who may do something with a group of it: see {@link storeFor}; where
 * only his own groups are open to him, it must be one.
 *
 * @throws {Refusal} 403, 400, 404 when there is no such group
 */
export async function storeForGroup(
  asker: Asker,
  name: string,
  group: GroupId,
  need: Need,
): Promise<ServedStore> {
  const { store, isOwnOnly } = storeFor(asker, name, group.ns, need);
  if (isOwnOnly) {
    const owner = await store.call("ownerOf", group);
    if (!isOwnedBy(owner, asker.authId)) {
      throw new Refusal(403, `backup owner check failed (${asker.authId} != ${owner})`);
    }
  }
  return store;
}

/** Whether somebody has one of the privileges in a namespace. */
export function hasAny(
  { state, authId }: Asker,
  store: string,
  ns: Namespace,
  privileges: Need["any"],
): boolean {
  const has = state.access.permissions.at(authId, storeAclPath(store, ns));
  return privileges.some((privilege) => has.has(privilege));
}

/** Whether somebody may know that a datastore or namespace is there. */
export function maySee({ state, authId }: Asker, store: string, ns: Namespace): boolean {
  const has = state.access.permissions.below(authId, storeAclPath(store, ns));
  return [...has].some((privilege) => privilege.startsWith("Datastore."));
}

/** Checks that somebody may know of a datastore. @throws {Refusal} 403 */
export function requireSeen(asker: Asker, store: string): void {
  if (!maySee(asker, store, ROOT_NAMESPACE)) throw noPermission();
}

/** Somebody may not do what he asks for. */
export function noPermission(): Refusal {
  return new Refusal(403, "permission check failed");
}
