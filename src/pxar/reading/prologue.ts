/**
 * What stands before the root directory, and the limits of what is below it.
 *
 * @module
 */

import type { ItemInput } from "./item_input.ts";
import { DEPTH_MAX, PATH_SIZE_MAX, PRELUDE_SIZE_MAX } from "../format/limits.ts";

/** Reads the content of the FORMAT_VERSION whose header was taken. */
export function readVersion(input: ItemInput): 1 | 2 {
  input.content();
  const version = input.view.getBigUint64(input.start, true);
  input.consume(input.contentSize);
  if (version === 1n) return 1;
  if (version === 2n) return 2;
  input.fail("bad-version", `Cannot read archive: unknown format version ${version}`);
}

/** Reads the content of the PRELUDE whose header was taken; a copy. */
export function readPrelude(input: ItemInput): Uint8Array {
  const size = input.contentSize;
  if (size > PRELUDE_SIZE_MAX) input.failSize("bad-size");
  input.content();
  const bytes = input.bytes.slice(input.start, input.start + size);
  input.consume(size);
  return bytes;
}

/** Refuses an entry too deep below the root. */
export function checkDepth(input: ItemInput, depth: number, path: string, offset: number): void {
  if (depth <= DEPTH_MAX && path.length <= PATH_SIZE_MAX) return;
  input.fail(
    "deep-nesting",
    `Cannot read entry: more than ${DEPTH_MAX} directories or ${PATH_SIZE_MAX} bytes of path`,
    offset,
  );
}
