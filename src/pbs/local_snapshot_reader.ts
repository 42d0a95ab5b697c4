/**
 * Snapshots of a datastore directory, open for reading.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";
import type { CryptMode } from "./format/crypt.ts";
import type { DynamicIndex } from "./format/dynamic_index.ts";
import type { FixedIndex } from "./format/fixed_index.ts";
import type { Manifest } from "./format/manifest.ts";
import type { SnapshotId } from "./format/snapshot_path.ts";
import type { ChunkSource, SnapshotReader } from "./ports.ts";

const notYet = (): never => {
  throw new Error("not written yet");
};

/** See {@link SnapshotReader}. */
export class LocalSnapshotReader implements SnapshotReader {
  private constructor(
    readonly id: SnapshotId,
    readonly manifest: Manifest,
    readonly cryptMode: CryptMode,
    readonly chunks: ChunkSource,
  ) {}

  blob(_name: string): Uint8Array<ArrayBuffer> {
    return notYet();
  }

  dynamicIndex(_name: string): DynamicIndex {
    return notYet();
  }

  fixedIndex(_name: string): FixedIndex {
    return notYet();
  }

  openArchive(_name: string): ByteSource {
    return notYet();
  }

  close(): void {}
}
