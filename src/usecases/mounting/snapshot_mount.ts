/**
 * The mount of an archive or image of a snapshot.
 *
 * @module
 */

import { openArchiveStreams, openImage, requireFiles } from "#src/backup/archive_access.ts";
import * as host from "#ffi/libc/calls.ts";
import { defaultWorkerCount } from "#src/mount/mount.ts";
import type { Source } from "#src/overlay/binding.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { qualifiedName, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { ArchiveFiles } from "#src/pbs/format/archive_name.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import {
  createSharedChunkMemory,
  KEPT_CHUNK_SIZE_MAX,
} from "#src/pbs/reading/shared_chunk_memory.ts";
import { type MountedTree, runTreeMount, type TreeMountRequest } from "./tree_mount.ts";
import type { MountReport } from "./mount_process.ts";
import type { SnapshotDescription } from "./sources/snapshot_description.ts";
import { surveySnapshotArchive } from "./sources/snapshot_survey.ts";
import { isImageName, openSnapshotTree } from "./sources/snapshot_tree.ts";

/** Decoded chunks that all threads of a mount together keep. */
const CACHE_BYTES = 64 << 20;

/** A mount of an archive or image, as asked for. */
export interface SnapshotMountRequest extends TreeMountRequest {
  readonly storePath: string;
  readonly serverStore: string | undefined;
  readonly snapshot: SnapshotId;
  readonly archive: string;
  /** The 32 bytes of the encryption key. */
  readonly key: Uint8Array | undefined;
}

/**
 * Mounts and serves until the mount has ended.
 *
 * @param report is told how far it is
 * @throws {Failure}
 */
export function runSnapshotMount(
  request: SnapshotMountRequest,
  report: MountReport,
): Promise<void> {
  const source = {
    places: [{ what: "datastore", path: request.storePath }],
    open: () => openMounted(request),
  };
  return runTreeMount(request, source, report);
}

/**
 * Opens the archive to see that this works. The snapshot stays open, so that nobody removes it
 * while it is mounted.
 */
function openMounted(request: SnapshotMountRequest): MountedTree {
  const { storePath, serverStore, snapshot: id, archive, key } = request;
  const { workerCount = defaultWorkerCount() } = request;
  const store = Datastore.open(storePath, { serverStore });
  try {
    const chunks = createSharedChunkMemory(cacheBytesFor(workerCount));
    const snapshot = store.openSnapshot(
      id,
      { shared: { memory: chunks }, crypt: key && new CryptConfig(key) },
    );
    const owner = { uid: host.getEffectiveUid(), gid: host.getEffectiveGid() };
    openSnapshotTree(snapshot, archive, owner).close();
    const description: SnapshotDescription = {
      kind: "snapshot",
      storage: store.storage.description,
      snapshot: id,
      archive,
      key,
      chunks,
      owner,
      size: storedSize(snapshot, archive),
      ...surveySnapshotArchive(snapshot, archive),
    };
    return {
      description,
      fsname: `pbkfs:${qualifiedName(id)}/${archive}`,
      identify: () => Promise.resolve(snapshotSource(snapshot, archive)),
      openTree: () => openSnapshotTree(snapshot, archive, owner),
      [Symbol.dispose]() {
        snapshot.close();
        store.close();
      },
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

/**
 * What a diff directory over an archive is bound to: the checksums that the manifest has of its
 * streams. Neither notes nor a verification nor another datastore make it another one.
 */
function snapshotSource(snapshot: SnapshotReader, archive: string): Source {
  const { id, manifest } = snapshot;
  const names = new Set(streamNames(requireFiles(snapshot, archive)));
  const ids = manifest.files.filter(({ filename }) => names.has(filename))
    .map(({ filename, csum }) => `${filename} ${csum}`);
  const fingerprint = ids.join("\n");
  return { kind: "pbs", name: `${qualifiedName(id)}/${archive}`, fingerprint, ids };
}

function streamNames(files: ArchiveFiles): string[] {
  if (files.kind === "split-pxar") return [files.metadata, files.payload];
  return files.kind === "blob" ? [files.file] : [files.index];
}

/** Every thread may be loading one of the largest chunks, the one that reads ahead too. */
function cacheBytesFor(workerCount: number): number {
  return Math.max(CACHE_BYTES, (workerCount + 1) * KEPT_CHUNK_SIZE_MAX);
}

function storedSize(snapshot: SnapshotReader, archive: string): number {
  if (isImageName(archive)) {
    const image = openImage(snapshot, archive);
    image.close();
    return image.size;
  }
  using streams = openArchiveStreams(snapshot, archive);
  return streams.source.size + (streams.payload?.size ?? 0);
}
