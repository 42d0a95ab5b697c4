/**
 * An archive as a tree.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";
import type { Tree } from "#src/tree/node.ts";
import type { PxarAccessorOptions } from "./accessor.ts";

/** Opens the archive in `source`. Closing the tree closes `source` and the payload source. */
export function openPxarTree(_source: ByteSource, _options: PxarAccessorOptions = {}): Tree {
  throw new Error("not yet");
}
