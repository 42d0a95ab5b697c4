/**
 * The entries that were chosen in a shell to be restored together.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { PathPattern } from "#src/pxar/exclude/pattern.ts";
import { compareNames } from "#src/tree/paths.ts";
import { type Listing, pathBelow, walkListing } from "./directories.ts";

/** Paths, each once. */
export class Selection {
  readonly #paths = new Set<string>();

  /** Number of paths. */
  get size(): number {
    return this.#paths.size;
  }

  /** Adds a path. @returns false when it was there */
  add(path: string): boolean {
    const isNew = !this.#paths.has(path);
    this.#paths.add(path);
    return isNew;
  }

  /** Whether a path was added. */
  has(path: string): boolean {
    return this.#paths.has(path);
  }

  /** Takes a path out. */
  remove(path: string): void {
    this.#paths.delete(path);
  }

  clear(): void {
    this.#paths.clear();
  }

  /** In ascending order. */
  list(): readonly string[] {
    return [...this.#paths].sort(compareNames);
  }
}

/**
 * Paths at and below the directory `top` that match a pattern of the language of exclude patterns,
 * in which `/` is `top`.
 *
 * @throws {UsageError} `bad-pattern`
 */
export function* findMatches(listing: Listing, top: string, text: string): Generator<string> {
  const pattern = PathPattern.parse(text);
  for (const { path, isDirectory } of walkListing(listing, top)) {
    const bytes = encodeFileName(pathBelow(top, path));
    if (pattern.matches(bytes, bytes.length, isDirectory)) yield path;
  }
}
