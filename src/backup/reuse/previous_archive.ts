/**
 * The split archive of the previous snapshot, read in step with the walk over the directory: both
 * go by name.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import { isSameMetadata } from "#src/pxar/metadata_equality.ts";
import type { PxarDecoder, PxarEntryEvent, PxarEvent } from "#src/pxar/decoder.ts";
import type { NewFile } from "#src/pxar/new_entry.ts";
import { compareNames } from "#src/tree/paths.ts";
import type { UnchangedFiles } from "./unchanged_files.ts";

/** Says which files are as they were. */
export class PreviousArchive implements UnchangedFiles {
  readonly #decoder: PxarDecoder;
  readonly #onFailure: (error: Error) => void;
  /** What comes next in the archive; undefined at its end, and when it is damaged. */
  #next: PxarEvent | undefined;
  #isDamaged = false;
  /** Directories that the walk is in and the archive does not have. */
  #missingDepth = 0;

  /**
   * @param decoder of an archive of version 2, at its beginning
   * @param onFailure is called when the archive turns out to be damaged; from then on no file is as
   *   it was
   */
  constructor(decoder: PxarDecoder, onFailure: (error: Error) => void) {
    this.#decoder = decoder;
    this.#onFailure = onFailure;
    do this.#advance(); while (this.#next !== undefined && this.#next.type !== "entry");
    this.#advance();
  }

  /** The walk goes into a directory. */
  enter(name: string): void {
    const found = this.#missingDepth > 0 ? undefined : this.#seek(name);
    if (found?.entry.kind === "directory") this.#advance();
    else this.#missingDepth++;
  }

  /** The walk leaves a directory. */
  leave(): void {
    if (this.#missingDepth > 0) {
      this.#missingDepth--;
      return;
    }
    while (this.#next?.type === "entry") this.#pass();
    this.#advance();
  }

  /**
   * Whether the file of that name in the present directory has the same metadata and size as in the
   * archive. Names are asked for in ascending order.
   *
   * @returns offset of its PAYLOAD header in the archive's payload stream; -1 when it is not the
   *   same
   */
  find(name: string, file: NewFile): number {
    const entry = this.#missingDepth > 0 ? undefined : this.#seek(name)?.entry;
    if (entry?.kind !== "file") return -1;
    const { kind, offset, size } = entry.payload;
    const isSame = kind === "reference" && size === file.size &&
      isSameMetadata(entry.metadata, file.metadata);
    return isSame ? offset : -1;
  }

  /** The entry of that name in the present directory. What comes before it is passed over. */
  #seek(name: string): PxarEntryEvent | undefined {
    while (this.#next?.type === "entry") {
      const order = compareNames(this.#next.name, name);
      if (order === 0) return this.#next;
      if (order > 0) return undefined;
      this.#pass();
    }
    return undefined;
  }

  /** Passes over an entry with all that is in it. */
  #pass(): void {
    let depth = 0;
    do {
      const event = this.#next;
      if (event === undefined) return;
      if (event.type === "leave") depth--;
      else if (event.type === "entry" && event.entry.kind === "directory") depth++;
      this.#advance();
    } while (depth > 0);
  }

  #advance(): void {
    if (this.#isDamaged) return;
    try {
      this.#next = this.#decoder.next();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#isDamaged = true;
      this.#next = undefined;
      this.#onFailure(error);
    }
  }
}
