/**
 * An archive, image or blob of a snapshot as a source.
 *
 * @module
 */

import { openArchiveStreams, openImage, requireFiles } from "#src/backup/archive_access.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import * as host from "#ffi/libc/calls.ts";
import { waitAt } from "#src/io/wait_gate.ts";
import type { SourceMark } from "#src/overlay/binding.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import type { SharedChunks } from "#src/pbs/snapshot_types.ts";
import { type ArchiveFiles, archiveNameOf } from "#src/pbs/format/archive_name.ts";
import {
  formatBackupTime,
  formatSnapshot,
  qualifiedName,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import {
  createSharedChunkMemory,
  KEPT_CHUNK_SIZE_MAX,
  type SharedChunkMemory,
} from "#src/pbs/reading/shared_chunk_memory.ts";
import { openSnapshotStore, type StoreAddress } from "#src/pbs/store_address.ts";
import type { RemoteStore } from "#src/pbs/client/remote_store.ts";
import type { LocalSnapshotReader } from "#src/pbs/snapshots/local_snapshot_reader.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import type { StorageDescription } from "#src/pbs/storage/storage.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import type { SpawnThread } from "#src/threads/thread.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { formatSourceName } from "../name.ts";
import { factsOf } from "../postgres_facts.ts";
import { type ArchiveSurvey, NO_SURVEY } from "../pxar/archive_survey.ts";
import {
  type Source,
  type SourceContent,
  type SourceDescription,
  type SourceThread,
  summaryOf,
} from "../source.ts";
import { fileTree } from "./file_tree.ts";
import { snapshotInput } from "./snapshot_input.ts";
import { surveySnapshotArchive } from "./snapshot_survey.ts";

/** Decoded chunks that all threads together keep. */
const CACHE_BYTES = 64 << 20;

/** Which archive, image or blob is opened. */
export interface PbsRequest {
  readonly store: StoreAddress;
  readonly snapshot: SnapshotId;
  readonly archive: string;
  /** The 32 bytes of the encryption key. */
  readonly key: Uint8Array | undefined;
  /** Threads that will attach. */
  readonly threadCount: number;
  /** See `OpenSourceOptions`. */
  readonly countsLinks?: boolean | undefined;
  /** See `OpenSourceOptions`. */
  readonly spawn?: SpawnThread | undefined;
  /** See `OpenSourceOptions`. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Called when the source is closed, or could not be opened: ends the way to the store. */
  readonly end?: (() => void) | undefined;
}

/** See {@link SourceDescription}. */
export interface PbsDescription extends SourceDescription, ArchiveSurvey {
  readonly kind: "pbs";
  /** Where the snapshot is kept. */
  readonly storage: StorageDescription;
  readonly snapshot: SnapshotId;
  readonly archive: string;
  /** The 32 bytes of the encryption key. */
  readonly key: Uint8Array | undefined;
  /** Decoded chunks of all threads. */
  readonly chunks: SharedChunkMemory;
  /** Whose the file of an image or blob is. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

/**
 * Opens an archive, image or blob to see that this works. The snapshot stays open, so that nobody
 * removes it.
 *
 * @throws what opening a datastore and a snapshot throws; {@link StateError} `not-found` and
 *   {@link UsageError} for what a snapshot does not have, or what is none of these
 */
export function openPbsSource(request: PbsRequest): Source {
  const { store: place, snapshot: id, archive, key, threadCount, countsLinks = true } = request;
  using stack = new DisposableStack();
  stack.defer(() => request.end?.());
  const store = stack.adopt(openSnapshotStore(place), (it) => it.close());
  if (store instanceof Datastore) store.warnings.forEach((each) => request.onWarning?.(each));
  const chunks = createSharedChunkMemory(cacheBytesFor(threadCount));
  const shared = { memory: chunks, loader: loaderOf(request.spawn) };
  const snapshot = stack.adopt(openReader(store, id, key, shared), (it) => it.close());
  const files = requireFiles(snapshot, archive);
  const content = CONTENTS[files.kind];
  const item = [id.group.ns, formatSnapshot(id), nameOf(files)].filter((part) => part !== "");
  const description: PbsDescription = {
    kind: "pbs",
    name: formatSourceName({ kind: "pbs", place: store.name, item: item.join("/") }),
    label: `${qualifiedName(id)}/${archive}`,
    content,
    storage: snapshot.storage,
    snapshot: id,
    archive,
    key,
    chunks,
    owner: { uid: host.getEffectiveUid(), gid: host.getEffectiveGid() },
    sizeBytes: 0,
    ...(content === "tree" ? NO_SURVEY : ONE_FILE),
  };
  openSnapshotTree(snapshot, description).close();
  const full = {
    ...description,
    sizeBytes: storedSize(snapshot, files),
    ...(content === "tree" && countsLinks ? surveySnapshotArchive(snapshot, archive) : {}),
  };
  const openTree = () => openSnapshotTree(snapshot, full);
  const kept = stack.move();
  return {
    description: full,
    get summary() {
      return summaryOf(full, content === "tree" ? factsOf(openTree) : null, {
        time: formatBackupTime(id.time),
        ...content === "blob" ? NO_MOUNT : {},
      });
    },
    identify: () => Promise.resolve(markOf(snapshot, files, full.name)),
    openTree,
    ...(content === "tree" ? { archive: snapshotInput(snapshot, archive) } : {}),
    endWaits: () => snapshot.endWaits(),
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/** Of an image or a blob. */
const ONE_FILE: ArchiveSurvey = { linkCounts: undefined, mayHaveAcls: false };

const NO_MOUNT = { mountable: false, why: "it is a blob, which is read at once" };

const CONTENTS: Readonly<Record<ArchiveFiles["kind"], SourceContent>> = {
  "pxar": "tree",
  "split-pxar": "tree",
  "image": "image",
  "blob": "blob",
  // Refused where it is opened.
  "catalog": "tree",
};

/** Opens the archive, image or blob in a thread. @throws what opening a snapshot throws */
export function attachPbs(
  description: PbsDescription,
  { gate, spawn }: SourceThread,
): MountableTree {
  const { storage, snapshot: id, key, chunks } = description;
  return waitAt(gate, () => {
    using stack = new DisposableStack();
    const store = stack.adopt(Datastore.over(openStorage(storage)), (it) => it.close());
    const shared = { memory: chunks, gate, loader: loaderOf(spawn) };
    const snapshot = stack.adopt(openReader(store, id, key, shared), (it) => it.close());
    const tree = stack.adopt(openSnapshotTree(snapshot, description), (it) => it.close());
    const kept = stack.move();
    return {
      root: tree.root,
      knownFields: tree.knownFields,
      nodeById: (nodeId) => tree.nodeById(nodeId),
      close: () => kept.dispose(),
    };
  });
}

/** On one processor, a thread that reads ahead would only be in the way. */
function loaderOf(spawn: SpawnThread | undefined): SharedChunks["loader"] {
  return spawn !== undefined && navigator.hardwareConcurrency > 1 ? { spawn } : undefined;
}

function openReader(
  store: Datastore | RemoteStore,
  id: SnapshotId,
  key: Uint8Array | undefined,
  shared: SharedChunks,
): LocalSnapshotReader {
  return store.openSnapshot(id, {
    shared,
    crypt: key && new CryptConfig(key),
  });
}

/**
 * An archive as a tree, an image or a blob as a tree of one file.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when it is none of them
 * @throws {FormatError}
 */
function openSnapshotTree(snapshot: SnapshotReader, description: PbsDescription): MountableTree {
  const { archive, owner, linkCounts } = description;
  const files = requireFiles(snapshot, archive);
  if (files.kind === "image" || files.kind === "blob") {
    const mtime = { seconds: snapshot.id.time, nanoseconds: 0 };
    const source = files.kind === "image"
      ? openImage(snapshot, archive)
      : sourceOf(snapshot.blob(files.file));
    return fileTree(source, nameOf(files), { ...owner, mtime });
  }
  const { source, payload } = openArchiveStreams(snapshot, archive);
  return openPxarTree(source, {
    name: archive,
    allocate: host.allocateNativeBuffer,
    linkCounts,
    payload,
  });
}

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    readAt(target, start, size, offset) {
      target.bytes.set(bytes.subarray(offset, offset + size), start);
      return size;
    },
    close() {},
  };
}

/** Name of an archive, image or blob as people write it. */
function nameOf(files: ArchiveFiles): string {
  if (files.kind === "split-pxar") {
    return archiveNameOf(files.metadata).replace(/\.mpxar$/, ".pxar");
  }
  return archiveNameOf(streamNames(files)[0]!);
}

/**
 * The checksums that the manifest has of its streams. Neither notes nor a verification nor another
 * datastore make it another one.
 */
function markOf({ manifest }: SnapshotReader, files: ArchiveFiles, name: string): SourceMark {
  const names = new Set(streamNames(files));
  const ids = manifest.files.filter(({ filename }) => names.has(filename))
    .map(({ filename, csum }) => `${filename} ${csum}`);
  return { kind: "pbs", name, fingerprint: ids.join("\n"), ids };
}

function streamNames(files: ArchiveFiles): string[] {
  if (files.kind === "split-pxar") return [files.metadata, files.payload];
  return [files.kind === "blob" ? files.file : files.index];
}

/**
 * Every thread may be loading one of the largest chunks, the one that reads ahead too, and one that
 * hydrates.
 */
function cacheBytesFor(threadCount: number): number {
  return Math.max(CACHE_BYTES, (threadCount + 2) * KEPT_CHUNK_SIZE_MAX);
}

function storedSize(snapshot: SnapshotReader, files: ArchiveFiles): number {
  if (files.kind === "blob") return snapshot.blob(files.file).length;
  return streamNames(files).reduce((sum, name) => {
    const source = snapshot.openArchive(name);
    source.close();
    return sum + source.size;
  }, 0);
}
