/**
 * What of a source lies in the store already that it is copied to.
 *
 * @module
 */

import { requireDirectoryFiles } from "#src/backup/archive_access.ts";
import type { PayloadOrigin } from "#src/backup/reuse/original_files.ts";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import type { Repository } from "#src/pbs/client/repository.ts";
import type { SnapshotReader, SnapshotStore } from "#src/pbs/ports.ts";
import { parseSourceName } from "#src/sources/name.ts";
import { serverOf, storeDirectory } from "#src/sources/pbs/store_place.ts";
import { isDiff } from "#src/sources/diff/diff_source.ts";
import type { PbsDescription } from "#src/sources/pbs/pbs_source.ts";
import type { Source, SourceDescription } from "#src/sources/source.ts";
import type { Tree } from "#src/tree/node.ts";
import type { BackupCrypt } from "../datastore/backup.ts";

/** A store that is written to, and how. */
export interface OpenTarget {
  /** Open, to be written to. */
  readonly store: SnapshotStore;
  /** What it was opened by. */
  readonly repository: Repository;
  /** What is stored is encrypted or signed with them. */
  readonly keys: BackupCrypt;
}

/**
 * The streams with contents of the tree that a new snapshot can refer to: of a snapshot of the same
 * store whose chunks are named and encrypted by the same key. None where nothing fits.
 *
 * @param stack closes what is opened
 */
export function storedOrigins(
  source: Source,
  tree: Tree,
  target: OpenTarget,
  stack: DisposableStack,
): PayloadOrigin[] {
  // Nodes of a diff that nothing has changed are those of what it was made over.
  const description = originalOf(source.description);
  if (description.kind !== "pbs" || description.content !== "tree") return [];
  const { snapshot: id, archive, name } = description as PbsDescription;
  if (!isSameStore(parseSourceName(name).place, target.repository)) return [];
  const { store, keys } = target;
  const { files, keyFingerprint } = store.snapshotInfo(id);
  const isEncrypted = files.some(({ cryptMode }) => cryptMode === "encrypt");
  if (isEncrypted !== (keys.mode === "encrypt")) return [];
  if (isEncrypted && keyFingerprint !== keys.crypt?.fingerprint) return [];
  const crypt = isEncrypted ? keys.crypt : undefined;
  const open = (): SnapshotReader => store.openSnapshot(id, { crypt, isKeyOptional: true });
  const snapshot = stack.adopt(open(), (reader) => reader.close());
  const found = requireDirectoryFiles(snapshot, archive);
  const index = found.kind === "pxar" ? found.index : found.payload;
  const codecs = hostCodecs();
  const codec = new BlobCodec(codecs);
  return [{
    origin: lowest(tree).root.origin,
    snapshot,
    index,
    digestOf: (bytes) => {
      const buffer = hostFiles.bufferOf(bytes as Uint8Array<ArrayBuffer>);
      return codec.digest(buffer, 0, bytes.length, crypt);
    },
  }];
}

/** What diffs over one another were made over in the end. */
export function originalOf(description: SourceDescription): SourceDescription {
  return isDiff(description) ? originalOf(description.base) : description;
}

function lowest(tree: Tree): Tree {
  return tree.below === undefined ? tree : lowest(tree.below);
}

function isSameStore(place: string, repository: Repository): boolean {
  const server = serverOf(place);
  if (repository.kind === "directory") {
    return server === undefined && hostFiles.realPath(repository.path) === storeDirectory(place);
  }
  const { host, port, store } = repository;
  return server?.host === host && server.port === port && server.store === store;
}
