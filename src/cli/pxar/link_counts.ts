/**
 * How many names the files of an archive have. No table says so: all of its metadata is read once.
 *
 * @module
 */

import { FormatError, LimitError } from "#src/errors.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import type { ArchiveStreams } from "./archive_files.ts";

/**
 * Number of names of each file with several, by the id of its node in the archive's tree, which is the offset of its
 * entry. What lies behind damage is not counted:
 * whoever reads it is told of the damage.
 */
export function countLinks(
  { name, source }: Pick<ArchiveStreams, "name" | "source">,
): Map<number, number> {
  const counts = new Map<number, number>();
  try {
    const decoder = new PxarDecoder(source, { name });
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.type !== "entry" || event.entry.kind !== "hardlink") continue;
      const target = event.offset - Number(event.entry.distance);
      counts.set(target, (counts.get(target) ?? 1) + 1);
    }
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
  }
  return counts;
}
