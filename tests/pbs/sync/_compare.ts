/**
 * Compares places of snapshots file by file, as they are stored.
 *
 * @module
 */

import assert from "node:assert/strict";
import { sha256Of } from "#src/codecs/hashing.ts";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import {
  qualifiedName,
  snapshotDirectory,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import {
  CLIENT_LOG_NAME,
  type Manifest,
  MANIFEST_NAME,
  parseManifest,
} from "#src/pbs/format/manifest.ts";
import { indexKindOf } from "#src/pbs/snapshots/listed_files.ts";
import type { CopyableStore } from "#src/pbs/sync/ports.ts";

const SIZE_MAX = 1 << 30;

/** What there is of a snapshot, in a form that can be compared. */
export interface SnapshotState {
  readonly manifest: Manifest;
  /** SHA-256 by name of the file, chunks included. */
  readonly digests: Readonly<Record<string, string>>;
  readonly isProtected: boolean;
}

/** Names of all finished snapshots. */
export function snapshotsOf(store: CopyableStore): SnapshotId[] {
  return store.namespaces().flatMap((ns) =>
    store.groups(ns).flatMap((group) => store.snapshots(group))
  ).filter((id) => store.snapshotInfo(id).isFinished);
}

/** Everything that a place has, by name of the snapshot. @param isServer writes its own indexes */
export function stateOf(store: CopyableStore, isServer = false): Map<string, SnapshotState> {
  return new Map(
    snapshotsOf(store).map((id) => [qualifiedName(id), stateOfOne(store, id, isServer)]),
  );
}

function stateOfOne(store: CopyableStore, id: SnapshotId, isServer: boolean): SnapshotState {
  using stored = store.openStored(id);
  const { files, chunks } = stored.storage;
  const read = (name: string) => files.read(`${snapshotDirectory(id)}/${name}`, SIZE_MAX);
  const codec = new BlobCodec(hostCodecs());
  const manifest = parseManifest(codec.decodeBytes(read(MANIFEST_NAME)));
  const digests: Record<string, string> = {};
  const hasLog = store.snapshotInfo(id).files.some(({ name }) => name === CLIENT_LOG_NAME);
  const names = manifest.files.map(({ filename }) => filename);
  for (const name of hasLog ? [...names, CLIENT_LOG_NAME] : names) {
    const bytes = read(name);
    const isIndex = !name.endsWith(".blob");
    digests[name] = sha256Of(isServer && isIndex ? bytes.subarray(4096) : bytes).toHex();
    if (!isIndex) continue;
    const index = indexKindOf(name).parse(bytes);
    for (let position = 0; position < index.count; position++) {
      const digest = index.digestOf(position);
      const size = chunks.read(digest);
      assert.ok(size > 0, `${name} of ${qualifiedName(id)} misses ${digest}`);
      digests[digest] ??= sha256Of(chunks.buffer.bytes.subarray(0, size)).toHex();
    }
  }
  const { verify_state: _, chunk_upload_stats: _own, ...unprotected } = manifest.unprotected;
  const { isProtected } = store.snapshotInfo(id);
  return { manifest: { ...manifest, unprotected }, digests, isProtected };
}

/** Asserts that both have the same snapshots, to the byte. */
export function assertSame(source: CopyableStore, target: CopyableStore, hasServer = false): void {
  assert.deepEqual(stateOf(target, hasServer), stateOf(source, hasServer));
}
