/**
 * What change detection found.
 *
 * @module
 */

/** Files of an archive by what was done with their contents. */
export interface ReuseStatistics {
  /** Regular files, hard links not counted. */
  readonly fileCount: number;
  readonly hardlinkCount: number;
  /** Files whose payload of the previous snapshot is used; their contents were not read. */
  readonly reusedFileCount: number;
  readonly reusedBytes: number;
  /** Files whose contents were read. */
  readonly readFileCount: number;
  readonly readBytes: number;
  /** Bytes of reused chunks that no file of this snapshot needs. */
  readonly paddingBytes: number;
  /** Entries of the payload index that were taken over. */
  readonly injectedChunkCount: number;
}
