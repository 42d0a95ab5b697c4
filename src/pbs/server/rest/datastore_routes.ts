/**
 * Calls about what is in a datastore: `/admin/datastore`.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import type { AuthId } from "../access/auth_id.ts";
import { isTokenId, isUserId, userOf } from "../access/auth_id.ts";
import {
  isNamespaceName,
  type Namespace,
  NAMESPACE_DEPTH_MAX,
  ROOT_NAMESPACE,
} from "../../format/snapshot_path.ts";
import { Refusal } from "../refusal.ts";
import {
  hasAny,
  maySee,
  namedStore,
  type Need,
  requireSeen,
  storeFor,
  storeForGroup,
} from "./server_state.ts";
import { type Route, route } from "./routes.ts";
import {
  FILE_NAME,
  GROUP,
  groupOfCall,
  ID,
  namespaceOfCall,
  NOTES,
  NS,
  SNAPSHOT,
  snapshotOfCall,
  STORE,
  SWITCH,
  TYPE,
} from "./rules.ts";
import { answerDecoded, answerStored } from "./downloads.ts";

const S = "/admin/datastore/{store}";
const BLOB_SIZE_MAX = (16 << 20) + 44;
const KEEP = {
  kind: "integer",
  min: 0,
  max: Number.MAX_SAFE_INTEGER,
  isOptional: true,
} as const;
const BASE64 = { kind: "text", pattern: /^[A-Za-z0-9+/]*={0,2}$/, lengthMax: 16_384 } as const;

const MAY_LIST: Need = { any: ["Datastore.Audit"], own: "Datastore.Backup" };
const MAY_READ: Need = { any: ["Datastore.Read"], own: "Datastore.Backup" };
const MAY_INSPECT: Need = {
  any: ["Datastore.Audit", "Datastore.Read"],
  own: "Datastore.Backup",
};
const MAY_CHANGE: Need = { any: ["Datastore.Modify"], own: "Datastore.Backup" };
const MAY_REMOVE: Need = { any: ["Datastore.Modify"], own: "Datastore.Prune" };
const MAY_ADD: Need = { any: [], own: "Datastore.Backup" };
const MAY_MEASURE: Need = { any: ["Datastore.Audit", "Datastore.Backup"] };
const MAY_MODIFY: Need = { any: ["Datastore.Modify"] };

/** Whose groups are listed for somebody to whom only his own are open. */
function filterOf(isOwnOnly: boolean, authId: AuthId): AuthId | undefined {
  return isOwnOnly ? authId : undefined;
}

/** See the head of the module. */
export const DATASTORE_ROUTES: readonly Route[] = [
  route("GET", "/admin/datastore", {}, (context) =>
    [...context.state.stores.keys()]
      .filter((store) => maySee(context, store, ROOT_NAMESPACE))
      .map((store) => ({ store, comment: null }))),

  route("GET", `${S}/groups`, { ...STORE, ns: NS }, (context) => {
    const { store: name, ns: text } = context.parameters;
    const ns = namespaceOfCall(text);
    const { store, isOwnOnly } = storeFor(context, name, ns, MAY_LIST);
    return store.call("listGroupRecords", ns, filterOf(isOwnOnly, context.authId));
  }),
  route("DELETE", `${S}/groups`, GROUP, async (context) => {
    const group = groupOfCall(context.parameters);
    const store = await storeForGroup(context, context.parameters.store, group, MAY_REMOVE);
    const left = await store.call("forgetWholeGroup", group);
    if (left > 0) {
      throw new Refusal(400, "group only partially deleted due to protected snapshots");
    }
  }),

  route("GET", `${S}/snapshots`, {
    ...STORE,
    ns: NS,
    "backup-type": { ...TYPE, isOptional: true },
    "backup-id": { ...ID, isOptional: true },
  }, (context) => {
    const { store: name, ns: text, "backup-type": type, "backup-id": id } = context.parameters;
    const ns = namespaceOfCall(text);
    const { store, isOwnOnly } = storeFor(context, name, ns, MAY_LIST);
    const filter = { type: type as "host" | undefined, id };
    return store.call("listSnapshotRecords", ns, filter, filterOf(isOwnOnly, context.authId));
  }),
  route("DELETE", `${S}/snapshots`, SNAPSHOT, async (context) => {
    const snapshot = snapshotOfCall(context.parameters);
    const { store: name } = context.parameters;
    const store = await storeForGroup(context, name, snapshot.group, MAY_REMOVE);
    await store.call("forget", snapshot);
  }),

  route("GET", `${S}/files`, SNAPSHOT, async (context) => {
    const snapshot = snapshotOfCall(context.parameters);
    const { store: name } = context.parameters;
    const store = await storeForGroup(context, name, snapshot.group, MAY_INSPECT);
    return await store.call("listFileRecords", snapshot);
  }),

  route("GET", `${S}/notes`, SNAPSHOT, async (context) => {
    const snapshot = snapshotOfCall(context.parameters);
    const { store: name } = context.parameters;
    const store = await storeForGroup(context, name, snapshot.group, MAY_LIST);
    return await store.call("notesOf", snapshot);
  }),
  route("PUT", `${S}/notes`, { ...SNAPSHOT, notes: NOTES }, async (context) => {
    const snapshot = snapshotOfCall(context.parameters);
    const { store: name, notes } = context.parameters;
    const store = await storeForGroup(context, name, snapshot.group, MAY_CHANGE);
    await store.call("setNotes", snapshot, notes);
  }),

  route("GET", `${S}/group-notes`, GROUP, async (context) => {
    const group = groupOfCall(context.parameters);
    const store = await storeForGroup(context, context.parameters.store, group, MAY_LIST);
    return await store.call("groupNotesOf", group);
  }),
  route("PUT", `${S}/group-notes`, { ...GROUP, notes: NOTES }, async (context) => {
    const group = groupOfCall(context.parameters);
    const { store: name, notes } = context.parameters;
    const store = await storeForGroup(context, name, group, MAY_CHANGE);
    await store.call("setGroupNotes", group, notes);
  }),

  route("GET", `${S}/protected`, SNAPSHOT, async (context) => {
    const snapshot = snapshotOfCall(context.parameters);
    const { store: name } = context.parameters;
    const store = await storeForGroup(context, name, snapshot.group, MAY_LIST);
    return await store.call("isSnapshotProtected", snapshot);
  }),
  route(
    "PUT",
    `${S}/protected`,
    { ...SNAPSHOT, protected: { kind: "boolean" } },
    async (context) => {
      const snapshot = snapshotOfCall(context.parameters);
      const { store: name, protected: isProtected } = context.parameters;
      const store = await storeForGroup(context, name, snapshot.group, MAY_CHANGE);
      await store.call("setProtected", snapshot, isProtected);
    },
  ),

  route(
    "POST",
    `${S}/upload-backup-log`,
    SNAPSHOT,
    async (context) => {
      const snapshot = snapshotOfCall(context.parameters);
      const { store: name } = context.parameters;
      const store = await storeForGroup(context, name, snapshot.group, MAY_ADD);
      const giveBack = await context.state.memory.takeFor(context.request.signal, BLOB_SIZE_MAX);
      try {
        const blob = await context.request.body.bytes(BLOB_SIZE_MAX);
        await store.call("keepClientLog", snapshot, blob);
      } finally {
        giveBack();
      }
    },
    { hasRawBody: true },
  ),

  route("POST", `${S}/prune`, {
    ...GROUP,
    "keep-last": KEEP,
    "keep-hourly": KEEP,
    "keep-daily": KEEP,
    "keep-weekly": KEEP,
    "keep-monthly": KEEP,
    "keep-yearly": KEEP,
    "dry-run": SWITCH,
  }, async (context) => {
    const group = groupOfCall(context.parameters);
    const { parameters } = context;
    const store = await storeForGroup(context, parameters.store, group, MAY_REMOVE);
    const keep = {
      last: parameters["keep-last"] ?? 0,
      hourly: parameters["keep-hourly"] ?? 0,
      daily: parameters["keep-daily"] ?? 0,
      weekly: parameters["keep-weekly"] ?? 0,
      monthly: parameters["keep-monthly"] ?? 0,
      yearly: parameters["keep-yearly"] ?? 0,
    };
    return await store.call("pruneGroup", group, keep, parameters["dry-run"] ?? false);
  }),

  route("POST", `${S}/change-owner`, {
    ...GROUP,
    "new-owner": { kind: "text", lengthMax: 200 },
  }, async (context) => {
    const group = groupOfCall(context.parameters);
    const { store: name, "new-owner": owner } = context.parameters;
    const { store, isOwnOnly } = storeFor(context, name, group.ns, MAY_CHANGE);
    const { users, tokens } = context.state.access.data;
    const isKnown = (isUserId(owner) && users.has(owner)) ||
      (isTokenId(owner) && tokens.has(owner));
    if (isOwnOnly) {
      await storeForGroup(context, name, group, MAY_CHANGE);
      // To oneself or one's tokens, and from there.
      const isSelf = (isUserId(owner) || isTokenId(owner)) && userOf(owner) === context.authId;
      if (!isSelf) throw new Refusal(403, "permission check failed");
    }
    if (!isKnown) throw new Refusal(400, `user does not exist: '${owner}'`);
    await store.call("setOwner", group, owner);
  }),

  route("GET", `${S}/namespace`, {
    ...STORE,
    parent: NS,
    "max-depth": { kind: "integer", min: 0, max: NAMESPACE_DEPTH_MAX, isOptional: true },
  }, async (context) => {
    const { store: name, parent, "max-depth": depth = NAMESPACE_DEPTH_MAX } = context.parameters;
    const ns = namespaceOfCall(parent, "parent");
    requireSeen(context, name);
    const store = namedStore(context.state, name);
    const found = await store.call("namespacesBelow", ns, depth);
    return found.filter((one) => maySee(context, name, one)).map((one) => ({ ns: one }));
  }),
  route("POST", `${S}/namespace`, {
    ...STORE,
    name: { kind: "text" },
    parent: NS,
  }, async (context) => {
    const { store: storeName, name, parent: text } = context.parameters;
    const parent = namespaceOfCall(text, "parent");
    if (!isNamespaceName(name)) {
      throw new Refusal(
        400,
        "parameter verification failed - 'name': value does not match the regex pattern",
      );
    }
    const { store } = storeFor(context, storeName, parent, MAY_MODIFY);
    const ns = namespaceOfCall(parent === ROOT_NAMESPACE ? name : `${parent}/${name}`, "name");
    await store.call("createNamespace", ns);
    return ns;
  }),
  route("DELETE", `${S}/namespace`, {
    ...STORE,
    ns: { kind: "text" },
    "delete-groups": SWITCH,
  }, async (context) => {
    const { store: name, ns: text, "delete-groups": isRecursive } = context.parameters;
    const ns = namespaceOfCall(text);
    const parent = ns.split("/").slice(0, -1).join("/") as Namespace;
    const { store } = storeFor(context, name, parent, MAY_MODIFY);
    // Somebody may be kept out of what is below.
    for (const below of await store.call("namespacesBelow", ns, NAMESPACE_DEPTH_MAX)) {
      storeFor(context, name, below, MAY_MODIFY);
    }
    await store.call("removeNamespace", ns, isRecursive ?? false);
  }),

  route("GET", `${S}/status`, { ...STORE, verbose: SWITCH }, (context) => {
    const { store: name, verbose } = context.parameters;
    const { store } = storeFor(context, name, ROOT_NAMESPACE, MAY_MEASURE);
    return store.call("storeStatus", verbose ?? false);
  }),
  route("GET", "/status/datastore-usage", {}, ({ state, authId }) =>
    Promise.all(
      [...state.stores]
        .filter(([name]) => hasAny({ state, authId }, name, ROOT_NAMESPACE, MAY_MEASURE.any))
        .map(async ([name, store]) => ({ store: name, ...await store.call("storeStatus", false) })),
    )),

  route("GET", `${S}/catalog`, { ...SNAPSHOT, filepath: BASE64 }, async (context) => {
    const snapshot = snapshotOfCall(context.parameters);
    const { store: name, filepath } = context.parameters;
    const store = await storeForGroup(context, name, snapshot.group, MAY_READ);
    return await store.call("listCatalog", snapshot, decodedPath(filepath));
  }),
  route("GET", `${S}/download`, { ...SNAPSHOT, "file-name": FILE_NAME }, async (context) => {
    const snapshot = snapshotOfCall(context.parameters);
    const { store: name, "file-name": file } = context.parameters;
    const store = await storeForGroup(context, name, snapshot.group, MAY_READ);
    return await answerStored(context, store, snapshot, file);
  }),
  route(
    "GET",
    `${S}/download-decoded`,
    { ...SNAPSHOT, "file-name": FILE_NAME },
    async (context) => {
      const snapshot = snapshotOfCall(context.parameters);
      const { store: name, "file-name": file } = context.parameters;
      const store = await storeForGroup(context, name, snapshot.group, MAY_READ);
      return await answerDecoded(context, store, snapshot, file);
    },
  ),
];

function decodedPath(filepath: string): string {
  try {
    return decodeFileName(Uint8Array.fromBase64(filepath));
  } catch {
    throw new Refusal(400, "parameter verification failed - 'filepath': invalid base64");
  }
}
