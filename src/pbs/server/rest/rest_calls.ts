/**
 * What the REST interface asks of a datastore; runs in the server's threads.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { StateError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { Transferred } from "#src/threads/call_pool.ts";
import { CATALOG_TYPES } from "../../format/catalog.ts";
import { CatalogReader } from "../../format/catalog_reader.ts";
import { findManifestFile } from "../../format/manifest.ts";
import {
  BACKUP_TYPES,
  type BackupType,
  type GroupId,
  type Namespace,
  namespaceNames,
  ROOT_NAMESPACE,
  type SnapshotId,
} from "../../format/snapshot_path.ts";
import { readGcStatus } from "../../gc/garbage_collection.ts";
import { gcStatusFields } from "../../gc/status.ts";
import type { SnapshotReader } from "../../ports.ts";
import { isIndexName } from "../../reading/index_scan.ts";
import { catalogBytes } from "../../snapshots/catalog_source.ts";
import { storeClientLog } from "../../snapshots/client_log.ts";
import type { RetentionOptions } from "../../snapshots/prune.ts";
import {
  fileRecords,
  groupRecord,
  type SnapshotRecord,
  snapshotRecord,
} from "../../snapshots/snapshot_records.ts";
import { isOwnedBy } from "../ownership.ts";
import { Refusal } from "../refusal.ts";
import { type Held, heldOf, type StoreInThread } from "../store_in_thread.ts";
import { checkUploadedBlob } from "../uploaded_chunk.ts";

type Store = StoreInThread;
type Bytes = Uint8Array<ArrayBuffer>;

/** Whose groups are listed; undefined: everybody's. */
type OwnerFilter = string | undefined;

/** Name of the catalog of a snapshot. */
const CATALOG_NAME = "catalog.pcat1.didx";

/**
 * Opens a snapshot for a file of it. Keys are the clients': what was made with one is read where it
 * is plain.
 *
 * @throws {Refusal} when the file is encrypted
 */
function openPlain({ datastore }: Store, snapshot: SnapshotId, name: string): SnapshotReader {
  const reader = datastore.openSnapshot(snapshot, { isKeyOptional: true });
  if (findManifestFile(reader.manifest, name)?.cryptMode !== "encrypt") return reader;
  reader.close();
  throw new Refusal(400, `cannot decode "${name}": it is encrypted`);
}

/** A file of a snapshot, decoded, from which a client reads part by part. */
class DecodedFile implements Held {
  readonly #source: ByteSource;
  readonly #release: () => void;

  constructor(store: Store, snapshot: SnapshotId, name: string) {
    const reader = openPlain(store, snapshot, name);
    this.#release = () => reader.close();
    try {
      this.#source = isIndexName(name)
        ? reader.openArchive(name)
        : bytesSource(store.open, reader.blob(name));
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  read({ open }: Store, offset: number, sizeMax: number): Transferred<DecodedPart> {
    const size = Math.max(Math.min(sizeMax, this.#source.size - offset), 0);
    const buffer = open.codecs.allocate(size);
    const count = size === 0 ? 0 : this.#source.readAt(buffer, 0, size, offset);
    const bytes = buffer.bytes.slice(0, count);
    return new Transferred({ bytes, fileSize: this.#source.size }, [bytes.buffer]);
  }

  release(): void {
    this.#source.close();
    this.#release();
  }
}

/** A part of a decoded file. */
interface DecodedPart {
  readonly bytes: Bytes;
  /** Of the whole file. */
  readonly fileSize: number;
}

function bytesSource(open: Store["open"], content: Bytes): ByteSource {
  const whole = open.codecs.allocate(content.length);
  whole.bytes.set(content);
  return {
    size: content.length,
    readAt(target, start, size, offset) {
      const part = whole.bytes.subarray(offset, offset + size);
      target.bytes.set(part, start);
      return part.length;
    },
    close() {},
  };
}

/** Whom a group belongs to; empty where nobody said so. */
function ownerOf({ datastore }: Store, group: GroupId): string {
  return datastore.groupInfo(group).owner ?? "";
}

function listedGroups({ datastore }: Store, ns: Namespace, owner: OwnerFilter) {
  return datastore.groups(ns)
    .map((group) => datastore.groupInfo(group))
    .filter((info) => owner === undefined || isOwnedBy(info.owner ?? "", owner));
}

function listGroupRecords(store: Store, ns: Namespace, owner: OwnerFilter) {
  return listedGroups(store, ns, owner)
    .filter(({ last }) => last !== undefined)
    .map((info) => groupRecord(store.datastore, info));
}

function listSnapshotRecords(
  store: Store,
  ns: Namespace,
  { type, id }: { readonly type?: BackupType | undefined; readonly id?: string | undefined },
  owner: OwnerFilter,
): SnapshotRecord[] {
  return listedGroups(store, ns, owner)
    .filter((info) => (type ?? info.id.type) === info.id.type && (id ?? info.id.id) === info.id.id)
    .flatMap((info) => info.snapshots.toReversed())
    .map((snapshot) => snapshotRecord(store.datastore.snapshotInfo(snapshot)));
}

/** Stores the client's log as it was sent. @throws {Refusal} when there is one, or it is damaged */
function keepClientLog({ open }: Store, snapshot: SnapshotId, blob: Bytes): void {
  checkUploadedBlob(blob);
  try {
    storeClientLog(open, snapshot, blob);
  } catch (error) {
    if (!(error instanceof StateError) || error.code !== "exists") throw error;
    throw new Refusal(400, "backup already contains a log.");
  }
}

/** Plans, and removes where that is meant; oldest first. */
function pruneGroup(
  { datastore }: Store,
  group: GroupId,
  keep: RetentionOptions,
  isDryRun: boolean,
) {
  return datastore.planPrune(group, keep).toReversed().map(({ id, mark, isProtected }) => {
    const isRemoved = mark === "remove";
    if (isRemoved && !isDryRun) datastore.forget(id);
    return {
      "backup-type": group.type,
      "backup-id": group.id,
      "backup-time": id.time,
      keep: !isRemoved,
      protected: isProtected,
    };
  });
}

/** Removes a group. @returns how many protected snapshots are left */
function forgetWholeGroup({ datastore }: Store, group: GroupId): number {
  return datastore.forgetGroup(group).length;
}

function namespacesBelow({ datastore }: Store, parent: Namespace, depthMax: number): Namespace[] {
  const depth = namespaceNames(parent).length;
  return datastore.namespaces(parent)
    .filter((ns) => namespaceNames(ns).length - depth <= depthMax);
}

function storeStatus({ datastore }: Store, isVerbose: boolean) {
  const { totalBytes: total, usedBytes: used, availableBytes: avail } = datastore.status();
  if (!isVerbose) return { total, used, avail };
  const counts = BACKUP_TYPES.map((type) => {
    const groups = datastore.groups(ROOT_NAMESPACE).filter((group) => group.type === type);
    const snapshots = groups.reduce((sum, group) => sum + datastore.snapshots(group).length, 0);
    return [type, groups.length === 0 ? null : { groups: groups.length, snapshots }] as const;
  });
  return {
    total,
    used,
    avail,
    counts: { ...Object.fromEntries(counts), other: null },
    "gc-status": gcStatusFields(readGcStatus(datastore)),
  };
}

/** A directory of a snapshot's catalog; paths are those of the archive's index and below. */
function listCatalog(store: Store, snapshot: SnapshotId, path: string) {
  const { open } = store;
  const reader = openPlain(store, snapshot, CATALOG_NAME);
  try {
    const source = reader.openArchive(CATALOG_NAME);
    const catalog = new CatalogReader(catalogBytes(source, (size) => open.codecs.allocate(size)));
    const names = path.split("/").filter((name) => name !== "");
    const directory = catalog.find(names);
    if (directory?.kind !== "directory") {
      throw new StateError("not-found", `Cannot find directory "${path}" in the catalog`);
    }
    return catalog.entries(directory).map((entry) => ({
      filepath: encodeFileName([...names, entry.name].join("/")).toBase64(),
      text: entry.name.toWellFormed(),
      type: String.fromCharCode(CATALOG_TYPES[entry.kind]),
      leaf: entry.kind !== "directory",
      ...(entry.kind === "file" ? { size: entry.size, mtime: entry.mtime } : {}),
    }));
  } finally {
    reader.close();
  }
}

/** Part of `STORE_CALLS`. */
export const REST_CALLS = {
  ownerOf,
  listGroupRecords,
  listSnapshotRecords,
  listFileRecords: ({ datastore }: Store, snapshot: SnapshotId) =>
    fileRecords(datastore.snapshotInfo(snapshot)),
  notesOf: ({ datastore }: Store, snapshot: SnapshotId) =>
    datastore.snapshotInfo(snapshot).notes ?? "",
  setNotes: ({ datastore }: Store, snapshot: SnapshotId, notes: string) =>
    datastore.setNotes(snapshot, notes),
  groupNotesOf: ({ datastore }: Store, group: GroupId) => datastore.groupInfo(group).notes ?? "",
  setGroupNotes: ({ datastore }: Store, group: GroupId, notes: string) =>
    datastore.setGroupNotes(group, notes),
  isSnapshotProtected: ({ datastore }: Store, snapshot: SnapshotId) =>
    datastore.snapshotInfo(snapshot).isProtected,
  setProtected: ({ datastore }: Store, snapshot: SnapshotId, isProtected: boolean) =>
    datastore.setProtected(snapshot, isProtected),
  setOwner: ({ datastore }: Store, group: GroupId, owner: string) =>
    datastore.setOwner(group, owner),
  keepClientLog,
  pruneGroup,
  forgetWholeGroup,
  namespacesBelow,
  createNamespace: ({ datastore }: Store, ns: Namespace) => datastore.createNamespace(ns),
  removeNamespace: ({ datastore }: Store, ns: Namespace, isRecursive: boolean) =>
    datastore.removeNamespace(ns, isRecursive),
  storeStatus,
  gcStatusOf: ({ datastore }: Store) => gcStatusFields(readGcStatus(datastore)),
  listCatalog,
  openDecoded: (store: Store, handle: number, snapshot: SnapshotId, name: string) => {
    store.held.set(handle, new DecodedFile(store, snapshot, name));
  },
  readDecoded: (store: Store, handle: number, offset: number, sizeMax: number) =>
    heldOf(store, handle, DecodedFile).read(store, offset, sizeMax),
} as const;
