/**
 * How long a relation file is: up to the last block that any backup of the chain stores, and never
 * longer than the target's `n_blocks`. And how much of it is stored.
 *
 * A restore writes the pages that it has, so the file ends behind the last of them. `n_blocks`
 * alone can be more: the size is taken first and the pages afterwards, and a backup taken beside
 * writes may find the end of the file changed.
 *
 * Nearly always the lists tell. A version without gaps (as in FULL backups and of new files) ends
 * with the block `n_headers - 1`. What only increments have made longer is settled when somebody
 * asks, by page headers.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { Version } from "./chain_table.ts";
import type { PageIndexBuilder, PageStream } from "./page_index.ts";

/**
 * Blocks of a relation as far as the file lists of its chain tell.
 *
 * @param listed `n_blocks` of the target
 * @returns undefined when only page headers can tell
 */
export function lengthFromLists(
  listed: number,
  versions: Iterable<Pick<Version, "isGapless" | "headerCount">>,
): number | undefined {
  let stored = 0;
  let hasGaps = false;
  for (const version of versions) {
    if (version.isGapless) stored = Math.max(stored, version.headerCount);
    else hasGaps = true;
  }
  if (stored >= listed) return listed;
  return hasGaps ? undefined : stored;
}

/**
 * Blocks that the versions of a relation store, as far as the file lists tell: never fewer than
 * there are. It is more where several increments store the same block, or a list does not say how
 * many it has.
 *
 * @param blockCount blocks of the relation
 */
export function storedBlocksFromLists(
  blockCount: number,
  versions: Iterable<Pick<Version, "isGapless" | "headerCount">>,
): number {
  let gapless = 0;
  let others = 0;
  for (const { isGapless, headerCount } of versions) {
    if (headerCount === 0) return blockCount;
    if (isGapless) gapless = Math.max(gapless, headerCount);
    else others += headerCount;
    if (gapless + others >= blockCount) return blockCount;
  }
  return gapless + others;
}

/**
 * Blocks of a relation by the page headers of its versions. Where these cannot be read it is what
 * the target lists: the damage is reported when the pages are read.
 *
 * @param listed `n_blocks` of the target
 * @param streams newest backup first
 */
export function lengthFromHeaders(
  listed: number,
  streams: readonly PageStream[],
  builder: PageIndexBuilder,
): number {
  let stored = 0;
  try {
    for (const stream of streams) {
      stored = Math.max(stored, endOf(stream, listed, stored, builder));
      if (stored === listed) break;
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return listed;
  }
  return stored;
}

/** The block behind the last one below `blockCount` that a version stores; at least `floor`. */
function endOf(
  stream: PageStream,
  blockCount: number,
  floor: number,
  builder: PageIndexBuilder,
): number {
  if (stream.isGapless) return Math.min(stream.headerCount, blockCount);
  const index = builder.build([stream], blockCount);
  let end = blockCount;
  while (end > floor && index[2 * end - 1] === 0) end -= 1;
  return end;
}
