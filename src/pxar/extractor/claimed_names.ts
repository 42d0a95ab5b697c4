/**
 * Names that entries of an archive have in a directory. No later entry may take one of them away,
 * whatever may be overwritten: neither by the same name, nor by one that the file system takes for
 * the same (`A` and `a` where case does not count).
 *
 * @module
 */

import { FormatError, StateError } from "#src/errors.ts";

/** The names in one directory. */
export class ClaimedNames {
  /** By what file systems that do not tell them apart may make of them. */
  readonly #byFolded = new Map<string, string | string[]>();

  /** Takes note of a name. */
  add(name: string): void {
    const folded = fold(name);
    const known = this.#byFolded.get(folded);
    if (known === undefined) this.#byFolded.set(folded, name);
    else if (typeof known === "string") this.#byFolded.set(folded, [known, name]);
    else known.push(name);
  }

  /** Makes sure that no entry has this very name. @throws {FormatError} `duplicate-name` */
  check(name: string, path: string): void {
    const known = this.#byFolded.get(fold(name));
    if (known === undefined || !(known === name || Array.isArray(known) && known.includes(name))) {
      return;
    }
    throw new FormatError("The archive has two entries of this name", {
      code: "duplicate-name",
      path,
    });
  }

  /** Other names, of which some file systems take one for `name`. */
  similar(name: string): readonly string[] {
    const known = this.#byFolded.get(fold(name)) ?? [];
    return typeof known === "string" ? [known] : known;
  }
}

/**
 * The error of an entry that would take the place of an earlier one.
 *
 * @param other name of the earlier one; undefined when all that is known is that there must be one
 */
export function sameNameError(path: string, other?: string): StateError {
  const reason = other === undefined
    ? "an earlier entry of the archive: it has two of this name, or the file system of the target takes two names for the same"
    : `${
      JSON.stringify(other)
    } of the same archive: the file system of the target takes the names for the same`;
  return new StateError(
    "exists",
    `Cannot restore "${path}" over ${reason}; restore it to another directory`,
  );
}

/** More names become one here than on any file system: who asks looks whether they are one. */
function fold(name: string): string {
  return name.normalize("NFKC").toUpperCase();
}
