/**
 * A mounted archive, as plain values that are sent to the FUSE workers.
 *
 * @module
 */

/** An archive. All paths are absolute. */
export interface ArchiveDescription {
  readonly kind: "archive";
  readonly path: string;
  readonly payloadPath: string | undefined;
  /** Process that serves the mount. */
  readonly pid: number;
  /** Length of all its files, in bytes. */
  readonly size: number;
  /** Number of names of each file that has several, by its id in the tree. */
  readonly linkCounts: ReadonlyMap<number, number>;
}
