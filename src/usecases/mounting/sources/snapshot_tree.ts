/**
 * One FUSE worker's own view of a mounted archive or image of a snapshot.
 *
 * @module
 */

import { openArchiveStreams, openImage } from "#src/backup/archive_access.ts";
import { UsageError } from "#src/errors.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { waitAt, type WaitGate } from "#src/io/wait_gate.ts";
import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { archiveNameOf, defaultFileName } from "#src/pbs/format/archive_name.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import { LateTree } from "#src/tree/late_tree.ts";
import type { Tree } from "#src/tree/node.ts";
import { serveTree } from "./served_tree.ts";
import { spawnThread } from "../../threads.ts";
import { imageTree } from "./image_tree.ts";
import type { SnapshotDescription } from "./snapshot_description.ts";

/** Opens the view of this thread. */
export function openSnapshotView(
  description: SnapshotDescription,
  context: WorkerContext,
): FileSystem {
  const { gate } = context;
  let close = () => {};
  const open = () => {
    const opened = openTree(description, gate);
    close = opened.close;
    return opened.tree;
  };
  const tree = context.isReserve ? new LateTree(() => waitAt(gate, open)) : open();
  return serveTree(tree, description, context, () => close());
}

/** The tree, and what closes what it is read from. */
function openTree(description: SnapshotDescription, gate: WaitGate): {
  readonly tree: Tree;
  readonly close: () => void;
} {
  const { storage, snapshot, archive, key, chunks } = description;
  const store = Datastore.over(openStorage(storage));
  try {
    const loader = navigator.hardwareConcurrency > 1 ? { spawn: spawnThread } : undefined;
    const reader = store.openSnapshot(snapshot, {
      shared: { memory: chunks, gate, loader },
      crypt: key && new CryptConfig(key),
    });
    const close = () => {
      reader.close();
      store.close();
    };
    return { tree: openSnapshotTree(reader, archive, description.owner), close };
  } catch (error) {
    store.close();
    throw error;
  }
}

/**
 * An archive as a tree, an image as a tree of one file.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when it is neither an archive nor an image
 * @throws {FormatError}
 */
export function openSnapshotTree(
  snapshot: SnapshotReader,
  archive: string,
  owner: SnapshotDescription["owner"],
): Tree {
  if (isImageName(archive)) {
    const mtime = { seconds: snapshot.id.time, nanoseconds: 0 };
    return imageTree(openImage(snapshot, archive), requireImageName(archive), { ...owner, mtime });
  }
  const { source, payload } = openArchiveStreams(snapshot, archive);
  return openPxarTree(source, {
    name: archive,
    allocate: allocateNativeBuffer,
    payload,
  });
}

/**
 * Name of the file that an image is shown as. @throws {UsageError} when a name is not that of an
 * image
 */
export function requireImageName(archive: string): string {
  if (isImageName(archive)) return archiveNameOf(defaultFileName(archive));
  throw new UsageError(`Cannot map "${archive}": it is not an image`, {
    option: "archive-name",
    hint: "Use `runSnapshotMount()` for archives",
  });
}

/** Whether a name is that of an image. */
export function isImageName(archive: string): boolean {
  return defaultFileName(archive).endsWith(".fidx");
}
