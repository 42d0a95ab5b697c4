/**
 * What no table of an archive says: how many names its files have, and whether any has an ACL. All
 * of its metadata is read once.
 *
 * @module
 */

import { FormatError, LimitError } from "#src/errors.ts";
import type { SequentialSource } from "#src/io/streams.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { NO_ACL } from "#src/bytes/acl.ts";

/** See {@link surveyArchive}. */
export interface ArchiveSurvey {
  /**
   * Number of names of each file with several, by the id of its node in the archive's tree: the
   * offset of its entry. Undefined: nobody has counted.
   */
  readonly linkCounts: ReadonlyMap<number, number> | undefined;
  /** A file has an ACL, or not all of them were looked at. */
  readonly mayHaveAcls: boolean;
}

/** What is known without one. */
export const NO_SURVEY: ArchiveSurvey = { linkCounts: undefined, mayHaveAcls: true };

/**
 * Reads all metadata of a stream. What lies behind damage is not counted: whoever reads it is told
 * of the damage.
 */
export function surveyArchive(
  { name, source }: { readonly name: string; readonly source: SequentialSource },
): ArchiveSurvey {
  const linkCounts = new Map<number, number>();
  let mayHaveAcls = false;
  try {
    const decoder = new PxarDecoder(source, { name });
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.type !== "entry") continue;
      const { entry } = event;
      if (entry.kind === "hardlink") {
        const target = event.offset - Number(entry.distance);
        linkCounts.set(target, (linkCounts.get(target) ?? 1) + 1);
      } else if (entry.metadata.acl !== NO_ACL) mayHaveAcls = true;
    }
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
    mayHaveAcls = true;
  }
  return { linkCounts, mayHaveAcls };
}
