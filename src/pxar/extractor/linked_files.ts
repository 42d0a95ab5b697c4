/**
 * Files that are restored under the name of a hard link, because their first name is not among what
 * is restored, or cannot be linked to.
 *
 * @module
 */

import type { PxarAccessor, PxarNode } from "../accessor.ts";
import { type Extraction, factsOfEntry, type LinkLeave, type ReadNext } from "./extraction.ts";

const LINK: LinkLeave = { isTargetSelected: true, mayCopy: true };

/**
 * Restores such files: the first name that is asked for gets the content, the others become links
 * to it.
 */
export class RestoredLinks {
  readonly #accessor: PxarAccessor;
  readonly #extraction: Extraction;
  /** Paths below the target directory, by the file's offset in the archive. */
  readonly #restored = new Map<number, string>();

  constructor(accessor: PxarAccessor, extraction: Extraction) {
    this.#accessor = accessor;
    this.#extraction = extraction;
  }

  /** Where a file is that was restored here. */
  placeOf(file: PxarNode): string | undefined {
    return this.#restored.get(file.offset);
  }

  /** Restores a name of `file` at `path` below the target directory. */
  restore(file: PxarNode, name: string, path: string): void {
    const place = this.placeOf(file);
    if (place !== undefined && this.#extraction.restoreHardlink(name, `/${path}`, place, LINK)) {
      return;
    }
    const read = readerOf(this.#accessor, file);
    const isDone = this.#extraction.restoreEntry(name, `/${path}`, factsOfEntry(file.entry), read);
    if (isDone) this.#restored.set(file.offset, path);
  }
}

/** Reads the content of an entry from its beginning. */
export function readerOf(accessor: PxarAccessor, node: PxarNode): ReadNext {
  let offset = 0;
  return (target, start, size) => {
    const count = accessor.readContent(node, offset, target, start, size);
    offset += count;
    return count;
  };
}
