/**
 * The split archive of the previous snapshot, looked up in step with the walk over the directory.
 *
 * @module
 */

import { isFailure } from "#src/errors.ts";
import { isSameMetadata } from "#src/pxar/metadata_equality.ts";
import type { PxarAccessor, PxarNode, SourceFile } from "#src/pxar/mod.ts";

/** Says which files are as they were. */
export class PreviousArchive {
  readonly #accessor: PxarAccessor;
  readonly #onFailure: (error: Error) => void;
  /** The directories the walk is in; undefined where the archive has none of that name. */
  readonly #directories: (PxarNode | undefined)[];
  #isUsable = true;

  /**
   * @param onFailure is called when the archive turns out to be damaged; from then on no file is as it was
   */
  constructor(accessor: PxarAccessor, onFailure: (error: Error) => void) {
    this.#accessor = accessor;
    this.#onFailure = onFailure;
    this.#directories = [accessor.root];
  }

  /** The walk goes into a directory. */
  enter(name: string): void {
    const found = this.#child(name);
    this.#directories.push(found?.table === undefined ? undefined : found);
  }

  /** The walk leaves a directory. */
  leave(): void {
    this.#directories.pop();
  }

  /**
   * Whether the file of that name in the present directory has the same metadata and size as in the archive.
   *
   * @returns offset of its PAYLOAD header in the archive's payload stream; -1 when it is not the same
   */
  find(file: SourceFile): number {
    const entry = this.#child(file.name)?.entry;
    if (entry?.kind !== "file") return -1;
    const { kind, offset, size } = entry.payload;
    const isSame = kind === "reference" && size === file.size &&
      isSameMetadata(entry.metadata, file.metadata);
    return isSame ? offset : -1;
  }

  #child(name: string): PxarNode | undefined {
    const directory = this.#directories.at(-1);
    if (directory === undefined || !this.#isUsable) return undefined;
    try {
      const found = this.#accessor.storedChild(directory, name);
      return found?.entry.kind === "hardlink" ? undefined : found as PxarNode | undefined;
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#isUsable = false;
      this.#onFailure(error);
      return undefined;
    }
  }
}
