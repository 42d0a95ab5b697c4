/**
 * What is mounted, as plain values that are sent to the FUSE workers.
 *
 * @module
 */

import type { OpenedChain } from "#src/pgprobackup/pgprobackup_tree.ts";
import type { OverlayDescription } from "../diff_life.ts";

/** A backup and the diff directory over it. */
export interface BackupDescription {
  readonly kind: "backup";
  readonly instance: string;
  readonly backup: OpenedChain;
  /** What the trees of all threads count; see `createPageCounterMemory`. */
  readonly pageCounters: SharedArrayBuffer;
  readonly overlay: OverlayDescription;
}
