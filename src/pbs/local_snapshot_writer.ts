/**
 * Snapshots being made in a datastore directory.
 *
 * @module
 */

import type { CryptMode } from "./format/crypt.ts";
import type { SnapshotId } from "./format/snapshot_path.ts";
import type {
  BlobOptions,
  DynamicStreamOptions,
  IndexedStream,
  SnapshotReader,
  SnapshotSummary,
  SnapshotWriter,
} from "./ports.ts";

const notYet = (): never => {
  throw new Error("not written yet");
};

/** See {@link SnapshotWriter}. */
export class LocalSnapshotWriter implements SnapshotWriter {
  private constructor(
    readonly id: SnapshotId,
    readonly cryptMode: CryptMode,
    readonly previous: SnapshotReader | undefined,
  ) {}

  openDynamic(_name: string, _options: DynamicStreamOptions): IndexedStream {
    return notYet();
  }

  openFixed(_name: string, _size: number, _chunkSize: number): IndexedStream {
    return notYet();
  }

  addBlob(_name: string, _content: Uint8Array<ArrayBuffer>, _options: BlobOptions = {}): void {
    notYet();
  }

  finish(): SnapshotSummary {
    return notYet();
  }

  abort(): void {}
}
