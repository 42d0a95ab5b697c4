/**
 * What a datastore has: namespaces, groups and snapshots. Works without FFI.
 *
 * @module
 */

import { isMissing } from "#src/io/files/files.ts";
import { Failure, LimitError } from "#src/errors.ts";
import type { GroupInfo, SnapshotFile, SnapshotInfo } from "../snapshot_types.ts";
import {
  CLIENT_LOG_NAME,
  isManifestFileName,
  keyFingerprintOf,
  type Manifest,
  MANIFEST_NAME,
  notesOf,
  verifyStateOf,
} from "../format/manifest.ts";
import {
  BACKUP_TYPES,
  groupDirectory,
  type GroupId,
  isBackupId,
  isNamespaceName,
  type Namespace,
  NAMESPACE_DEPTH_MAX,
  namespaceNames,
  parseBackupTime,
  ROOT_NAMESPACE,
  snapshotDirectory,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import { loadManifest } from "./manifest_file.ts";
import type { OpenStore } from "./open_store.ts";
import { inNamespace, requireGroup, requireNamespace, requireSnapshot } from "./store_places.ts";
import type { FileStorage } from "../storage/storage.ts";

/** File of a group that says whose it is. */
export const OWNER_FILE = "owner";
/** File of a group with its notes. */
export const NOTES_FILE = "notes";
/** File of a snapshot that must not be removed. */
export const PROTECTED_FILE = ".protected";

const OWNER_SIZE_MAX = 4096;
const NOTES_SIZE_MAX = 1 << 20;

/**
 * Namespaces at and below `below`, parents first.
 *
 * @throws {StateError} `not-found`
 */
export function listNamespaces(store: OpenStore, below: Namespace): Namespace[] {
  requireNamespace(store, below);
  const found = [below];
  if (namespaceNames(below).length >= NAMESPACE_DEPTH_MAX) return found;
  const names = foldersIn(store, inNamespace(below, "ns")).filter(isNamespaceName);
  for (const name of names.sort()) {
    const child = (below === ROOT_NAMESPACE ? name : `${below}/${name}`) as Namespace;
    found.push(...listNamespaces(store, child));
  }
  return found;
}

/** Groups of a namespace, by type and id. @throws {StateError} `not-found` */
export function listGroups(store: OpenStore, ns: Namespace): GroupId[] {
  requireNamespace(store, ns);
  return BACKUP_TYPES.flatMap((type) =>
    foldersIn(store, inNamespace(ns, type))
      .filter(isBackupId)
      .sort()
      .map((id) => ({ ns, type, id }))
  );
}

/**
 * Snapshots of a group, oldest first; unfinished ones included. None where there is no such group.
 */
export function listSnapshots(store: OpenStore, group: GroupId): SnapshotId[] {
  return foldersIn(store, groupDirectory(group))
    .map(parseBackupTime)
    .filter((time) => time !== undefined)
    .sort((a, b) => a - b)
    .map((time) => ({ group, time }));
}

/** Whether a snapshot has a manifest. */
export function isFinished(store: OpenStore, snapshot: SnapshotId): boolean {
  return exists(store, `${snapshotDirectory(snapshot)}/${MANIFEST_NAME}`);
}

/** Whether a snapshot must not be removed. */
export function isProtected(store: OpenStore, snapshot: SnapshotId): boolean {
  return exists(store, `${snapshotDirectory(snapshot)}/${PROTECTED_FILE}`);
}

/** Whom a group belongs to; undefined where that is not said. */
export function readOwner(store: OpenStore, group: GroupId): string | undefined {
  const text = readText(
    store.storage.files,
    `${groupDirectory(group)}/${OWNER_FILE}`,
    OWNER_SIZE_MAX,
  );
  return text?.replace(/\s*(\n[^]*)?$/, "");
}

/** Checks that notes can be read again. @throws {LimitError} */
export function checkNotes(notes: string): void {
  const size = new TextEncoder().encode(notes).length;
  if (size <= NOTES_SIZE_MAX) return;
  throw new LimitError(`Cannot set notes: ${size} bytes are more than ${NOTES_SIZE_MAX}`);
}

/**
 * What is known of a group; an owner or notes that cannot be read are no reason to throw. @throws
 * {StateError} `not-found`
 */
export function describeGroup(store: OpenStore, group: GroupId): GroupInfo {
  requireGroup(store, group);
  const snapshots = listSnapshots(store, group).reverse();
  const owner = attempt(() => readOwner(store, group));
  const notes = attempt(() =>
    readText(store.storage.files, `${groupDirectory(group)}/${NOTES_FILE}`, NOTES_SIZE_MAX)
  );
  return {
    id: group,
    owner: owner.value,
    notes: notes.value,
    snapshots,
    last: snapshots.find((snapshot) => isFinished(store, snapshot)),
    error: owner.error ?? notes.error,
  };
}

/** What is read, or why it could not be. */
function attempt<Value>(read: () => Value): { readonly value?: Value; readonly error?: unknown } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { error };
  }
}

/**
 * What is known of a snapshot; a manifest that cannot be read is no reason to throw. @throws
 * {StateError} `not-found`
 */
export function describeSnapshot(store: OpenStore, snapshot: SnapshotId): SnapshotInfo {
  requireSnapshot(store, snapshot);
  const base = {
    id: snapshot,
    owner: attempt(() => readOwner(store, snapshot.group)).value,
    isProtected: isProtected(store, snapshot),
    isFinished: isFinished(store, snapshot),
  };
  const unknown = {
    ...base,
    files: listFiles(store, snapshot, undefined),
    size: undefined,
    notes: undefined,
    keyFingerprint: undefined,
    verifyState: undefined,
  };
  if (!base.isFinished) return { ...unknown, error: undefined };
  try {
    const manifest = loadManifest(store, snapshot);
    return {
      ...base,
      files: listFiles(store, snapshot, manifest),
      size: manifest.files.reduce((sum, file) => sum + file.size, 0),
      notes: notesOf(manifest),
      keyFingerprint: keyFingerprintOf(manifest),
      verifyState: verifyStateOf(manifest),
      error: undefined,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return { ...unknown, error };
  }
}

/**
 * Files of the manifest in its order, then the others with the manifest first and the client's log
 * last.
 */
function listFiles(
  store: OpenStore,
  snapshot: SnapshotId,
  manifest: Manifest | undefined,
): SnapshotFile[] {
  const folder = snapshotDirectory(snapshot);
  const stored = store.storage.files;
  const files: SnapshotFile[] = (manifest?.files ?? []).map(({ filename, size, cryptMode }) => ({
    name: filename,
    size,
    cryptMode,
  }));
  const listed = new Set(files.map((file) => file.name));
  const rank = (name: string) => name === MANIFEST_NAME ? 0 : name === CLIENT_LOG_NAME ? 2 : 1;
  const others = stored.list(folder)
    .map(({ name }) => name)
    .filter((name) => isManifestFileName(name) && !listed.has(name))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  for (const name of others) {
    files.push({ name, size: stored.status(`${folder}/${name}`)?.size ?? 0, cryptMode: undefined });
  }
  return files;
}

function foldersIn({ storage }: OpenStore, name: string): string[] {
  return storage.files.list(name)
    .filter(({ kind }) => kind === "folder")
    .map((entry) => entry.name);
}

function exists({ storage }: OpenStore, name: string): boolean {
  return storage.files.status(name) !== undefined;
}

function readText(files: FileStorage, name: string, sizeMax: number): string | undefined {
  try {
    return new TextDecoder().decode(files.read(name, sizeMax));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
