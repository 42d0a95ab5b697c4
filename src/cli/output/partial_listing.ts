/**
 * Lists of many things, of which some cannot be read.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import { type GroupId, qualifiedName, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { partialError } from "./problem_output.ts";
import type { Output } from "./output.ts";

/** What is left out of a list, because it cannot be read or somebody has removed it meanwhile. */
export class PartialListing {
  readonly #output: Output;
  #omittedCount = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /**
   * What `list` gives of a group or snapshot; nothing, and a warning, where that cannot be read.
   */
  of<Item>(id: GroupId | SnapshotId, list: () => readonly Item[]): readonly Item[] {
    try {
      return list();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code === "not-found") return [];
      this.#omittedCount++;
      this.#output.problem(qualifiedName(id), error);
      return [];
    }
  }

  /** Ends the list. @throws {StateError} `partial` when something could not be read */
  finish(): void {
    if (this.#omittedCount > 0) throw partialError(this.#omittedCount, "listed");
  }
}
