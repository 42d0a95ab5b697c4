/**
 * A mounted archive, as plain values that are sent to the FUSE workers.
 *
 * @module
 */

import type { ServedTreeFacts } from "./served_tree.ts";

/** An archive. All paths are absolute. */
export interface ArchiveDescription extends ServedTreeFacts {
  readonly kind: "archive";
  readonly path: string;
  readonly payloadPath: string | undefined;
}
