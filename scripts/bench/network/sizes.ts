/** How much is measured. */
export interface NetworkBenchSizes {
  readonly rounds: number;
  /** Of the mixed data, and of the file that is read through mounts. */
  readonly dataBytes: number;
  /** Of the backup whose client's memory is measured. */
  readonly memoryBytes: number;
}
